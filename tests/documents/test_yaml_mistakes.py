"""What a tired person reads who has written what is not YAML."""

import pytest

from changewindow.documents.yaml import BadYaml, parse

ITEM = "Begin it with `- `, or indent it."
ALIKE = "Indent both alike; put a text with a colon into quotes."
TOGETHER = "Give lines that belong together the same indentation."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nowner alice\nb: 2", "line 2: 'owner alice' has no colon. Write `owner: alice`."),
        ("a: 1\nowner alice", "line 2: 'owner alice' has no colon. Write `owner: alice`."),
        ("owner alice\nb: 2", "line 1: 'owner alice' has no colon. Write `owner: alice`."),
        ("a: 1\nowner = alice\nb: 2", "line 2: 'owner = alice' has no colon. Write `owner: alice`."),
        ("owner; alice\nb: 2", "line 1: 'owner; alice' has no colon. Write `owner: alice`."),
        ("a: 1\nwindow\n  start: x", "line 2: 'window' has no colon. Write `window:`."),
        ("a: 1\nsteps\n  - name: x", "line 2: 'steps' has no colon. Write `steps:`."),
        ("steps:\n  - name x\n    kind: y", "line 2: 'name x' has no colon. Write `name: x`."),
        ("window:\n  start 2031\n\n  # the end\n  end: y", "line 2: 'start 2031' has no colon. Write `start: 2031`."),
        (
            "why: it is\nslow since the last release\nb: 2",
            (
                "line 2: 'slow since the last release' has no colon. "
                "Indent it if it belongs to the text above, else write `slow: since the last release`."
            ),
        ),
        ("a: 1\nowner:alice\nb: 2", "line 2: 'owner:alice' has no blank after its colon. Write `owner: alice`."),
        ("window:\n  start:x\n  end: y", "line 2: 'start:x' has no blank after its colon. Write `start: x`."),
        ("steps:\n  -name: x\n  - name: y", "line 2: '-name: x' has no blank after its dash. Write `- name: x`."),
        ("a: 1\nwindow:\n\tstart: x", "line 3: it is indented with a tab. Indent it with spaces."),
        ("window:\n  start: x\n\tend: y", "line 3: it is indented with a tab. Indent it with spaces."),
        ('a: "x\nb: y\nc: z', "line 1: the quote in 'a: \"x' is never closed. Write \" at the end of the text."),
        ("a: 'x\nb: y", "line 1: the quote in \"a: 'x\" is never closed. Write ' at the end of the text."),
        (
            'a: 1\nb: "x\nc: y\nd: "z"',
            "line 2: the quote in 'b: \"x' is closed only in line 4. Write \" at the end of the text.",
        ),
        (
            "a: 'it's on'",
            (
                "line 1: in \"a: 'it's on'\", something stands behind the closing quote. "
                "Put the whole text into quotes; inside them, write '' for '."
            ),
        ),
        (
            'a: "x" y',
            (
                "line 1: in 'a: \"x\" y', something stands behind the closing quote. "
                'Put the whole text into quotes; inside them, write \\" for ".'
            ),
        ),
        ("a: x\n  b: y\nc: z", f"line 2: 'b: y' is indented below 'a: x', which has a value already. {ALIKE}"),
        ("a:\n  - b: x\n     c: y", f"line 3: 'c: y' is indented below 'b: x', which has a value already. {ALIKE}"),
        ("a:\n    b: x\n  c: y", f"line 3: 'c: y' is indented by 2 spaces, unlike the lines around it. {TOGETHER}"),
        ("a:\n  - b: x\n   c: y", f"line 3: 'c: y' is indented by 3 spaces, unlike the lines around it. {TOGETHER}"),
        ("- a\nb: c", f"line 2: 'b: c' is no item of the list above it. {ITEM}"),
        ("x:\n  - a\n  b", f"line 3: 'b' is no item of the list above it. {ITEM}"),
        (
            "a: 1\n- b",
            "line 2: '- b' is an item of a list, among names with their values. Write it below the name of its list.",
        ),
        ("a: Fix: the pool", 'line 1: the text after `a:` has a colon in it. Write `a: "Fix: the pool"`.'),
        ('a: say: "it\'s"', "line 1: the text after `a:` has a colon in it. Write `a: 'say: \"it''s\"'`."),
        ("a: [x, y\nb: z", "line 1: the [ in 'a: [x, y' is never closed. Write ] at its end."),
        ("a: [x, y", "line 1: the [ in 'a: [x, y' is never closed. Write ] at its end."),
        ("a: {b: 1\nc: 2", "line 1: the { in 'a: {b: 1' is never closed. Write } at its end."),
        ('a: [\n  "x"\n  "y"\n]', "line 3: a comma is missing before '\"y\"'. Write one between two values."),
        ("a: [x]]", "line 1: a ] in 'a: [x]]' closes nothing. Remove it."),
        ("a: 1\nrun: *.log", 'line 2: plain text cannot begin with *. Write `run: "*.log"`.'),
        ("a: %done", 'line 1: plain text cannot begin with %. Write `a: "%done"`.'),
        ("a: `ls`", 'line 1: plain text cannot begin with `. Write `a: "`ls`"`.'),
        (
            "a: @bob",
            "line 1: plain text cannot begin with @. Write a person as `a: bob`; put other text into quotes.",
        ),
        ("%a: 1", "line 1: a line cannot begin with %. Put what stands before the colon into quotes."),
        (
            "a: | x\n  y",
            (
                "line 1: behind |, nothing may stand in the same line. "
                "Begin the text in the next line, indented; put it into quotes if | is a part of it."
            ),
        ),
        (
            'a: "\\d+"',
            (
                "line 1: \\d means nothing between double quotes. "
                "Put the text into single quotes, between which a backslash is a backslash."
            ),
        ),
        (
            "a: &b",
            (
                "line 1: anchors and aliases (& and *) are not allowed. "
                "Write the value where it is used; put a text that begins with & or * into quotes."
            ),
        ),
    ],
)
def test_a_mistake_is_named_where_it_was_made(text: str, expected: str) -> None:
    """Not where the parser noticed it; the remedy is the line as it was meant."""
    for written in (text, f"{text}\n", f"# CHG\n{text}".replace("\n", "\r\n")):
        with pytest.raises(BadYaml) as raised:
            parse(written)
        line = int(expected.split()[1][:-1]) + written.startswith("#")
        rest = expected.partition(": ")[2]
        later = rest.replace("only in line 4", "only in line 5") if written.startswith("#") else rest
        assert str(raised.value) == f"line {line}: {later}"


@pytest.mark.parametrize(
    "text", ["a: [", "{", "'", '"', "- - : :", "a: b: c: d", "? [", "a:\n\t", "[}", "&", "*", "|x"]
)
def test_every_mistake_has_a_line_and_a_remedy(text: str) -> None:
    """However short the text."""
    with pytest.raises(BadYaml) as raised:
        parse(text)
    finding = raised.value.finding
    assert finding.line
    assert finding.sentence
    assert finding.remedy.endswith(".")
