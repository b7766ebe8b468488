"""Makes hostile variants of texts, bytes and JSON, each from its own random numbers, so that it can be made again."""

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

SCALARS: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**30, -(10**400), 0.1, -0.0, 1e308, float("nan"), float("inf")),
    *("", " ", "\t", "\n", "x", "null", "true", "~", "0", "-1", "1e999", "0x1f", "0o17", "1_000", "٣", "١٢", "12:30"),
    *(
        "\u0000",
        "\u0007",
        "\u001b[2J",
        "\ud800",
        "\udfff\ud800",
        "\u202e",
        "\u2028",
        "\ufeff",
        "é",
        "e\u0301",
        "ß",
        "İ",
    ),
    *("{{ params.version }}", "{{", "}}", "{% raw %}", "${HOME}", "%s", "%(x)s", "{0.__class__}", "$(id)", "`id`"),
    *(
        "CHG-1042",
        "CHG-01042",
        "chg-1042",
        "CHG-\uff11\uff10\uff14\uff12",
        "CHG--1",
        "CHG-99999999999999999999",
        "../../etc/passwd",
    ),
    *("2031-03-18 14:00", "2031-02-30 25:61", "0000-00-00", "9999-12-31T23:59:59.999999999Z", "1970-01-01T00:00:00Z"),
    *("+99999-01-01", "2031-03-18T14:00:00+24:00", "Europe/Berlin", "Mars/Olympus", "../etc/localtime", "GMT+99"),
    *("1s", "0s", "-1s", "9999999999999d", "1e9h", "P1D", "FREQ=SECONDLY", "(a+)+$", "[", "(?P<a>x)(?P=a)", ".*" * 50),
    *(
        "http://127.0.0.1:1/",
        "http://[::1",
        "file:///etc/passwd",
        "//x@y",
        "xn--" + "a" * 70,
        "*",
        "@",
        "all",
        "name: x",
    ),
    *("a" * 300, "a" * 70_000, "é" * 5000, "a " * 3000, "[" * 2000, "{" * 2000, "- " * 500, [], {}, [[]], {"": {}}),
)
SNIPPETS = (
    *(
        b"\x00",
        b"\xff\xfe",
        b"\xc0\xaf",
        b"\xed\xa0\x80",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xae",
        b"\xc2\x85",
        b"\r",
        b"\n",
        b"\t",
    ),
    *(
        b'"',
        b"'",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b": ",
        b"- ",
        b"#",
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"---\n",
    ),
    *(
        b"...\n",
        b"%YAML 1.2\n",
        b"|",
        b">-",
        b"? ",
        b"<<: ",
        b"\\ud800",
        b'"\\ud800"',
        b"1e999",
        b"9" * 400,
        b".inf",
        b"~",
    ),
    *(
        b"%00",
        b"%2f",
        b"..",
        b"//",
        b"{{ x }}",
        b"BEGIN:VEVENT\r\n",
        b"RRULE:FREQ=SECONDLY\r\n",
        b"EXDATE:\r\n",
        b"DTSTART:\r\n",
    ),
    *(b"[" * 5000, b'{"a":' * 500, b"a" * 50_000),
)
Change = Callable[[Random, bytearray, Sequence[bytes]], None]


def mutated(random: Random, corpus: Sequence[bytes]) -> bytes:
    """Return a variant of one of some texts."""
    text = bytearray(random.choice(corpus))
    for _ in range(1 + min(int(random.expovariate(0.6)), 12)):
        random.choice(CHANGES)(random, text, corpus)
    return bytes(text[:2_000_000])


def _insert(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    at = random.randint(0, len(text))
    text[at:at] = random.choice(SNIPPETS)


def _delete(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    start, end = _span(random, text)
    del text[start:end]


def _repeat(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    start, end = _span(random, text)
    text[end:end] = text[start:end] * random.choice((1, 2, 10, 300))


def _flip(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    for _ in range(random.choice((1, 1, 4)) if text else 0):
        text[random.randrange(len(text))] = random.choice((random.randrange(256), random.randrange(32, 127)))


def _splice(random: Random, text: bytearray, corpus: Sequence[bytes]) -> None:
    other = bytearray(random.choice(corpus))
    start, end = _lines(random, other)
    at = _lines(random, text)[0]
    text[at:at] = other[start:end]


def _line_away(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    start, end = _lines(random, text)
    del text[start:end]


def _value(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    """Give a line another value behind its colon, as YAML, iCalendar and headers have them."""
    start, end = _lines(random, text)
    colon = text.find(b":", start, end)
    if colon >= 0:
        text[colon + 1 : end] = f" {as_json(random.choice(SCALARS))}\n".encode(errors="replace")


def _indent(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    start, _ = _lines(random, text)
    text[start:start] = b" " * random.choice((1, 2, 4, 400))


def _cut(random: Random, text: bytearray, _corpus: Sequence[bytes]) -> None:
    del text[random.randint(0, len(text)) :]


CHANGES: tuple[Change, ...] = (_insert, _delete, _repeat, _flip, _splice, _line_away, *[_value] * 5, _indent, _cut)


def _span(random: Random, text: bytearray) -> tuple[int, int]:
    start = random.randint(0, len(text))
    return start, min(len(text), start + random.choice((1, 2, 8, 40, 400)))


def _lines(random: Random, text: bytearray) -> tuple[int, int]:
    """Return where some line begins, and where the next one does."""
    start = text.rfind(b"\n", 0, random.randint(0, len(text))) + 1
    end = text.find(b"\n", start)
    return start, len(text) if end < 0 else end + 1


def mutated_data(random: Random, data: Any) -> Any:
    """Return a variant of JSON."""
    root = [copy.deepcopy(data)]
    for _ in range(1 + min(int(random.expovariate(0.7)), 8)):
        places = list(_places(root))
        holder, name = random.choice(places)
        _change_at(random, holder, name, places)
    return root[0]


def _places(root: list[Any]) -> list[tuple[Any, Any]]:
    """Return where each value stands: what holds it, and under which name or number."""
    found: list[tuple[Any, Any]] = []
    left: list[Any] = [root]
    while left and len(found) < 5000:
        holder = left.pop()
        for name in list(holder) if isinstance(holder, dict) else range(len(holder)):
            found.append((holder, name))
            if isinstance(holder[name], list | dict):
                left.append(holder[name])
    return found


def _change_at(random: Random, holder: Any, name: Any, places: Sequence[tuple[Any, Any]]) -> None:
    value = holder[name]
    what = random.randrange(9)
    if what < 4:
        holder[name] = copy.deepcopy(random.choice(SCALARS))
    elif what == 4:
        other, at = random.choice(places)
        holder[name] = copy.deepcopy(other[at])
    elif what == 5:
        holder[name] = random.choice(([value], {"x": value}, [value] * 150, str(value)[:1000]))
    elif isinstance(holder, dict) and what == 6:
        del holder[name]
    elif isinstance(holder, dict):
        holder[str(random.choice(SCALARS))[:300]] = value
    elif what == 6 and len(holder) > 1:
        del holder[name]
    else:
        holder.insert(name, copy.deepcopy(value))


def as_json(data: Any) -> str:
    """Return JSON as a careless or hostile client writes it."""
    return json.dumps(data, ensure_ascii=False, default=str)
