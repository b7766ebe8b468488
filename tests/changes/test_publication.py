"""A published change is its approved text as data; a file that is anything else is refused by name."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from changewindow.changes import publication
from changewindow.changes.publication import PURPOSE, is_published, publish, read, text
from changewindow.documents.canonical import canonical, digest
from changewindow.errors import BadPublication
from changewindow.ledger.seal import Seal
from changewindow.settings import read as configured
from changewindow.ticket.revision import PublishedChange, digest_of
from support.tickets import BANNER, banner, ticket

SEAL = Seal()
HOSTILE = [
    'it\'s "quoted" and \'\'\'thrice\'\'\' and """thrice"""',
    "back\\slash, \\n, \\x00, \\u1234, \\N{DASH}, and at the end \\",
    'line\nbreaks\r\nof every\x0bkind\x0c\x1c\x1d\x1e\x85\u2028\u2029"""',
    "{{ params.x }} {change!r} %s ${HOME} {{{",
    '"""\nimport os\nos.system("id")\n"""',
    "Grüße 🔄 \u202eright to left\u202c \U0001f468\u200d\U0001f469",
    "\x00\x1b[31m\x7f",
]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_stays_text(tmp_path: Path, hostile: str) -> None:
    """Whatever a ticket says comes back as it was."""
    data = banner(details=hostile, **{hostile: [hostile]})
    assert read(publish(tmp_path, "CHG-1", data, SEAL), SEAL).data == data


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_data_comes_back_as_it_was(tmp_path: Path, data: dict[str, Any]) -> None:
    """With its types."""
    assert canonical(read(publish(tmp_path, "CHG-1", data, SEAL), SEAL).data) == canonical(data)


def test_the_digest_of_a_file_is_the_approved_one(tmp_path: Path) -> None:
    """It covers the text with its parameters, and the plan they make."""
    change = read(publish(tmp_path, "CHG-1", banner(), SEAL), SEAL)
    assert change.id == "CHG-1"
    assert change.digest == digest_of(banner(), change.ticket)
    assert change.digest != digest_of(banner(risk="high"), change.ticket)
    assert change.digest != digest_of(banner(), ticket(risk="high"))


def test_a_text_that_no_file_can_hold_is_refused() -> None:
    """Half a character has no UTF-8; the reader of tickets refuses it long before."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        text("CHG-1", banner(details="\ud800"), "")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    """JSON has no such numbers."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        text("CHG-1", banner(details=number), "")


@pytest.mark.parametrize(
    "name", ["", "CHG-", "CHG-1.py", "../CHG-1", "CHG-1\n", "chg-1", "CHG-1/x", "CHG-\u0661", "CHG-0", "CHG-01", '"""']
)
def test_only_the_id_of_a_change_names_a_file(tmp_path: Path, name: str) -> None:
    """Nothing else can become a path, or a second DAG of the same change."""
    with pytest.raises(ValueError, match="is not the id of a change"):
        publish(tmp_path, name, BANNER, SEAL)
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Publishing twice is harmless, and a reader sees the old text or the new one, never half of one."""
    folder = tmp_path / "changes"
    path = publish(folder, "CHG-1", BANNER, SEAL)
    with path.open(encoding="utf-8") as reader:
        publish(folder, "CHG-1", banner(summary="Another text."), SEAL)
        assert json.load(reader)["ticket"] == BANNER
    assert read(path, SEAL).data["summary"] == "Another text."
    assert publish(folder, "CHG-1", BANNER, SEAL) == path
    assert [file.name for file in folder.iterdir()] == ["CHG-1.json"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the file cannot be put in place, the unfinished one is removed and what was there stays."""
    (tmp_path / "CHG-1.json" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="CHG-1"):
        publish(tmp_path, "CHG-1", BANNER, SEAL)
    assert [file.name for file in tmp_path.iterdir()] == ["CHG-1.json"]


def test_publishing_writes_through_no_link(tmp_path: Path) -> None:
    """Whoever puts a link where the unfinished or the finished file goes has nothing overwritten elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("theirs")
    folder = tmp_path / "changes"
    folder.mkdir()
    for name in ("CHG-1.json", f".CHG-1.{os.getpid()}.partial"):
        (folder / name).symlink_to(elsewhere)
    assert read(publish(folder, "CHG-1", BANNER, SEAL), SEAL).data == BANNER
    assert elsewhere.read_text() == "theirs"


def linked(path: Path) -> None:
    """Put a link to the same bytes in its place."""
    path.symlink_to(path.rename(path.with_name("elsewhere")))


def hard_linked(path: Path) -> None:
    """Give it a second name, under which somebody may write it later."""
    os.link(path, path.with_name("elsewhere"))


def piped(path: Path) -> None:
    """Put a pipe in its place, whose reader would wait for ever."""
    path.unlink()
    os.mkfifo(path)


def foldered(path: Path) -> None:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()


def changed(edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    """Return what edits the bytes of a file."""

    def spoil(path: Path) -> None:
        path.write_bytes(edit(path.read_bytes()))

    return spoil


def becomes(raw: bytes) -> Callable[[Path], None]:
    """Return what replaces the bytes of a file."""

    def spoil(path: Path) -> None:
        path.write_bytes(raw)

    return spoil


def with_field(raw: bytes, **fields: Any) -> bytes:
    """Return a published file with other fields, in the very form in which publishing writes."""
    published = {**json.loads(raw), **fields}
    return (json.dumps(published, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def resealed(raw: bytes, key: str, purpose: str = PURPOSE, change: str = "CHG-1") -> bytes:
    """Return a published file whose text somebody has changed, with the best seal that they can make."""
    data = banner(summary="Another")
    seal = Seal(lambda: configured({"CHANGEWINDOW_SEAL_KEY": key}))
    return with_field(raw, ticket=data, seal=seal.of(purpose, [change, data]))


NEW = "another-key-of-the-new-year"


def deep(levels: int) -> dict[str, Any]:
    """Return data that is nested so deep."""
    data: dict[str, Any] = {}
    for _ in range(levels):
        data = {"a": data}
    return data


OURS = "the-key-with-which-all-tests-seal"
EDITED = "is not what publishing CHG-1 writes: it was edited or forged, or is another change's"
SPOILT: dict[str, tuple[Callable[[Path], None], str]] = {
    "a link": (linked, "is a link"),
    "a hard link": (hard_linked, "has a second name elsewhere (a hard link)"),
    "a pipe": (piped, "is no regular file"),
    "a folder": (foldered, "is no regular file"),
    "no file at all": (Path.unlink, "cannot be read (No such file or directory)"),
    "empty": (becomes(b""), "cannot be read as a published change (JSONDecodeError)"),
    "truncated": (changed(lambda raw: raw[: len(raw) // 2]), "cannot be read as a published change (JSONDecodeError)"),
    "Python": (becomes(b"import os\n"), "cannot be read as a published change (JSONDecodeError)"),
    "no UTF-8": (changed(lambda raw: b"\xff" + raw), "cannot be read as a published change (UnicodeDecodeError)"),
    "a list": (becomes(b"[]"), "cannot be read as a published change (TypeError)"),
    "nested too deep": (becomes(b"[" * 100_000), "cannot be read as a published change (RecursionError)"),
    "no ticket": (becomes(b'{"change": "CHG-1"}'), "cannot be read as a published change (KeyError)"),
    "code below the data": (changed(lambda raw: raw + b"import os\n"), "cannot be read as a published change"),
    "a space more": (changed(lambda raw: raw + b" "), EDITED),
    "another change's": (changed(lambda raw: raw.replace(b"CHG-1", b"CHG-2")), EDITED),
    "an edited summary": (changed(lambda raw: with_field(raw, ticket=banner(summary="Another"))), EDITED),
    "a field more": (changed(lambda raw: with_field(raw, code="import os")), EDITED),
    "a field twice": (changed(lambda raw: raw.replace(b'"form": 1,', b'"form": 1,\n  "form": 1,')), EDITED),
    "of a later form": (changed(lambda raw: with_field(raw, form=2)), EDITED),
    "a ticket that is a list": (
        changed(lambda raw: with_field(raw, ticket=[], seal=SEAL.of(PURPOSE, ["CHG-1", []]))),
        EDITED,
    ),
    "data nested deep, in the right form": (
        changed(lambda raw: with_field(raw, ticket=deep(100), seal="x")),
        EDITED,
    ),
    "data nested very deep, in the right form": (
        changed(lambda raw: with_field(raw, ticket=deep(320), seal="x")),
        "",
    ),
    "sealed with another key": (changed(lambda raw: resealed(raw, "a-key-that-somebody-made-up")), EDITED),
    "sealed for another change": (changed(lambda raw: resealed(raw, OURS, change="CHG-2")), EDITED),
    "sealed for something else": (changed(lambda raw: resealed(raw, OURS, "event")), EDITED),
    "a seal that is no text": (changed(lambda raw: with_field(raw, seal={"a": 1})), EDITED),
    "oversized": (changed(lambda raw: raw + b" " * publication.LARGEST), "has more than 8000000 bytes"),
}


@pytest.mark.parametrize(("spoil", "why"), SPOILT.values(), ids=SPOILT)
def test_whatever_else_a_file_is_nothing_of_it_is_used(tmp_path: Path, spoil: Callable[[Path], None], why: str) -> None:
    """The sentence says what it is and what to do; housekeeping sees that the change is not published."""
    path = publish(tmp_path, "CHG-1", BANNER, SEAL)
    assert is_published(tmp_path, "CHG-1", BANNER, SEAL)
    spoil(path)
    with pytest.raises(BadPublication) as refused:
        read(path, SEAL)
    assert str(refused.value).startswith(f"{path} {why}")
    assert str(refused.value).endswith(
        "Nothing of it is used. Find out who wrote it and remove it; housekeeping publishes an approved change again "
        "within five minutes."
    )
    assert not is_published(tmp_path, "CHG-1", BANNER, SEAL)


def test_a_key_that_is_kept_beside_a_new_one_still_counts(tmp_path: Path) -> None:
    """Whoever changes the key keeps the old one for a while; housekeeping publishes anew what neither has sealed."""
    path = publish(tmp_path, "CHG-1", BANNER, SEAL)
    both, new = (Seal(lambda keys=keys: configured({"CHANGEWINDOW_SEAL_KEY": keys})) for keys in (f"{NEW} {OURS}", NEW))
    assert read(path, both).data == BANNER
    assert not is_published(tmp_path, "CHG-1", BANNER, new)
    publish(tmp_path, "CHG-1", BANNER, new)
    assert is_published(tmp_path, "CHG-1", BANNER, both)


@pytest.mark.parametrize("name", ["CHG-1.py", "CHG-01.json", "chg-1.json", "notes.json", "CHG-1.JSON", "CHG-1"])
def test_a_file_with_another_name_is_not_even_opened(tmp_path: Path, name: str) -> None:
    """Whatever it holds."""
    with pytest.raises(BadPublication, match="is not named as published changes are"):
        read(publish(tmp_path, "CHG-1", BANNER, SEAL).rename(tmp_path / name), SEAL)


def test_a_published_change_offers_its_ticket() -> None:
    """Defaults without a choice; of a run's parameters, only those of the change count."""
    data = banner(parameters={"colour": {"default": "red", "allowed": ["red", "blue"]}}, summary="{{ params.colour }}")
    change = PublishedChange.of("CHG-1", data)
    assert change.ticket.summary == "red"
    assert change.chosen({"colour": "blue", "mode": "run", "reason": None}).summary == "blue"
    with pytest.raises(ValueError, match="was not approved"):
        change.chosen({"colour": "green"})


def test_the_canonical_text_is_one() -> None:
    """The order of fields and the spaces between them do not matter; everything else does."""
    assert canonical({"b": 1, "a": ["ü", 1.5]}) == '{"a":["ü",1.5],"b":1}'
    assert digest({"b": 1, "a": 2}) == digest({"a": 2, "b": 1})
    assert len({digest({"a": value}) for value in (1, 1.5, "1", True, None, [1])}) == 6
