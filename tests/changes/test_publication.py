"""A published change is its approved text in a file of Python, and never anything else."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.changes.publication import publish, source
from changewindow.documents.canonical import canonical, digest
from changewindow.ticket.revision import PublishedChange, digest_of
from support.tickets import BANNER, banner, ticket

HOSTILE = [
    'it\'s "quoted" and \'\'\'thrice\'\'\' and """thrice"""',
    "back\\slash, \\n, \\x00, \\u1234, \\N{DASH}, and at the end \\",
    'line\nbreaks\r\nof every\x0bkind\x0c\x1c\x1d\x1e\x85\u2028\u2029"""',
    "{{ params.x }} {change!r} %s ${HOME} {{{",
    '"""\nimport os\nos.system("id")\n"""',
    ")\n\ndag = None\nREVISION = (",
    "# -*- coding: latin-1 -*-",
    "Grüße 🔄 \u202eright to left\u202c \U0001f468\u200d\U0001f469",
    "\x00\x1b[31m\x7f",
]
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=3),
    max_leaves=8,
)


def executed(text: str) -> dict[str, Any]:
    """Run the file as Airflow would, with a `build_dag` that only keeps what it is given."""
    tree = ast.parse(text)
    (imported,) = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    tree.body.remove(imported)
    names: dict[str, Any] = {imported.names[0].name: lambda *given: given}
    exec(compile(tree, "CHG-1.py", "exec"), names)  # noqa: S102  what is published is executed
    return names


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text: str) -> None:
    """Whatever a ticket says, the literal holds exactly its data, and the file has the same four statements."""
    data = banner(details=text, **{text: [text]})
    file = source("CHG-1", data)
    assert json.loads(executed(file)["REVISION"]) == data
    kinds = [type(node).__name__ for node in ast.parse(file).body]
    assert kinds == ["Expr", "ImportFrom", "Assign", "Assign"]
    assert executed(file)["dag"] == ("CHG-1", executed(file)["REVISION"])


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_any_data_comes_back_as_it_was(data: dict[str, Any]) -> None:
    """The literal is the data, with its types."""
    revision = executed(source("CHG-1", data))["REVISION"]
    assert canonical(json.loads(revision)) == canonical(data)


def test_the_digest_of_a_file_is_the_approved_one() -> None:
    """It covers the text with its parameters, and the plan they make."""
    change = PublishedChange("CHG-1", executed(source("CHG-1", banner()))["REVISION"])
    assert change.digest == digest_of(banner(), change.ticket)
    assert change.digest != digest_of(banner(risk="high"), change.ticket)
    assert change.digest != digest_of(banner(), ticket(risk="high"))


def test_a_text_that_no_file_can_hold_is_refused() -> None:
    """Half a character has no UTF-8; the reader of tickets refuses it long before."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        source("CHG-1", banner(details="\ud800"))


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_is_none_is_refused(number: float) -> None:
    """JSON has no such numbers."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        source("CHG-1", banner(details=number))


@pytest.mark.parametrize(
    "name", ["", "CHG-", "CHG-1.py", "../CHG-1", "CHG-1\n", "chg-1", "CHG-1/x", "CHG-\u0661", '"""']
)
def test_only_the_id_of_a_change_names_a_file(tmp_path: Path, name: str) -> None:
    """Nothing else can become a path, or part of the code."""
    with pytest.raises(ValueError, match="is not the id of a change"):
        publish(tmp_path, name, BANNER)
    assert list(tmp_path.iterdir()) == []


def test_airflow_reads_the_file() -> None:
    """Airflow silently ignores a file that lacks one of two words."""
    file = source("CHG-1", {}).lower()
    assert "airflow" in file
    assert "dag" in file


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    """Publishing twice is harmless, and a reader sees the old text or the new one, never half of one."""
    folder = tmp_path / "changes"
    path = publish(folder, "CHG-1", BANNER)
    with path.open(encoding="utf-8") as reader:
        publish(folder, "CHG-1", banner(summary="Another text."))
        assert json.loads(executed(reader.read())["REVISION"]) == BANNER
    assert json.loads(executed(path.read_text(encoding="utf-8"))["REVISION"])["summary"] == "Another text."
    assert publish(folder, "CHG-1", BANNER) == path
    assert [file.name for file in folder.iterdir()] == ["CHG-1.py"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the file cannot be put in place, the unfinished one is removed and what was there stays."""
    (tmp_path / "CHG-1.py" / "in the way").mkdir(parents=True)
    with pytest.raises(OSError, match="CHG-1"):
        publish(tmp_path, "CHG-1", BANNER)
    assert [file.name for file in tmp_path.iterdir()] == ["CHG-1.py"]


def test_a_large_ticket_is_a_file_like_any_other() -> None:
    """Python reads a literal of many lines."""
    data = banner(details="x\n" * 1000, body=[{"number": number} for number in range(10_000)])
    assert json.loads(executed(source("CHG-1", data))["REVISION"]) == data


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
