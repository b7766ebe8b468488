"""Whatever a ticket says, no message of it formats, calls anybody, ends early, or is more than Slack takes."""

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from changewindow.changes.card import STATES, Card, CardApproval, CardCondition, CardStep
from changewindow.changes.card_fit import ALL, BLOCKS, cut, fitted
from changewindow.changes.card_markup import in_blocks
from changewindow.changes.card_text import LONGEST, Look, rendered
from changewindow.changes.sample_cards import WATCH, sample
from servers.slack_limits import of_message, texts

IDS = {"alice": "U0ALICE", "mallory": "U0EVIL|<!here>"}
NASTY = st.sampled_from(
    [
        *("<!channel>", "<@U0ALICE>", "<https://evil.example|safe>", "&lt;!here&gt;", "*bold*", "_it_", "~no~"),
        "`x`",
        *("```", "> quoted", ":rotating_light:", '"', "\\", "\\u003c!channel\\u003e", '"}]}', "{{ card }}", "{% if %}"),
        *(
            "\n\nOwner: @mallory",
            "\r\n",
            "\u202e",
            "\u2028",
            "\ud800",
            "\x00",
            "@here",
            "#general",
            "e\u0301",
            "🧪" * 40,
        ),
    ]
)
WORDS = st.lists(NASTY | st.text(max_size=20) | st.text(alphabet="*_~`<>&:|@", max_size=8), max_size=8).map(" ".join)
LONG = WORDS | st.sampled_from(["<" * 5000, "&" * 3000, "x" * 40_000, "*" * 3000, "🧪" * 4000])
NAMES = st.lists(WORDS, max_size=3).map(tuple)
STEP = st.builds(
    CardStep,
    number=st.integers(1, 99),
    name=LONG,
    does=LONG,
    undoes=WORDS,
    state=st.sampled_from(["to come", "applying", "applied", "undoing", "undone", "undo failed"]),
    back_to=WORDS,
)
CONDITION = st.builds(CardCondition, name=WORDS, verdict=WORDS, value=WORDS, limits=WORDS, bars=st.just("▁█"))
ADDRESSES = st.fixed_dictionaries({}, optional=dict.fromkeys(("run", "log", "page", "actions"), WORDS))


@st.composite
def cards(draw: st.DrawFn) -> Card:
    """Return a card in any state with any text in each place."""
    card = sample(draw(st.sampled_from(STATES)), is_emergency=draw(st.booleans()))
    people = {name: draw(WORDS) for name in ("requester", "owner", "reviewer", "on_call")}
    more: dict[str, Any] = {name: draw(LONG) for name in ("summary", "rollback", "reason", "risk", "type")}
    lists = {name: draw(NAMES) for name in ("targets", "waits_for", "asks", "owes")}
    steps = tuple(draw(st.lists(STEP, min_size=1, max_size=60)))
    approvals = tuple(CardApproval(draw(WORDS), is_yes=draw(st.booleans()), at=card.opens) for _ in range(2))
    watch = replace(WATCH, conditions=(draw(CONDITION), draw(CONDITION)), worst=draw(CONDITION)) if card.watch else None
    ending = replace(card.ending, reason=draw(LONG), back_to=draw(NAMES)) if card.ending else None
    said = {**people, **more, **lists, "steps": steps, "approvals": approvals, "links": draw(ADDRESSES)}
    return replace(card, **said, watch=watch, ending=ending, is_drill=draw(st.booleans()))


@settings(max_examples=60, deadline=None)
@given(cards())
def test_any_ticket_makes_messages_that_slack_takes(card: Card) -> None:
    """Each payload is within the documented limits, and nothing in it is called but by us."""
    message = rendered(card, Look("Europe/Berlin", (), IDS))
    blocks = list(message.blocks)
    assert of_message({"text": "x", "blocks": blocks}, 4000) == ("", [])
    assert len(blocks) <= BLOCKS
    assert sum(map(len, texts(blocks))) <= ALL
    called = set(re.findall(r"<[@!#][^>]*>", "\n".join(texts(blocks))))
    assert called <= {"<@U0ALICE>"}
    assert blocks[0]["type"] == "header"
    assert "CHG-1042" in blocks[0]["text"]["text"]


@settings(max_examples=40, deadline=None)
@given(cards())
def test_no_ticket_begins_a_line_of_the_plain_text(card: Card) -> None:
    """What somebody has written stands on the line on which we put it."""
    text = rendered(card, Look()).text
    calm = rendered(replace(card, summary="calm", rollback="calm", requester="calm"), Look()).text
    assert "\nOwner: @mallory\n" not in text
    assert len(text.splitlines()) <= len(calm.splitlines())
    assert len(text) <= LONGEST


@settings(max_examples=300, deadline=None)
@given(WORDS)
def test_no_value_formats(value: str) -> None:
    """A sign that would begin or end something is shown as one that looks alike."""
    shown = str(in_blocks(value))
    assert not re.search(r"(?<![A-Za-z0-9])[*_~]|[*_~](?![A-Za-z0-9])|`|[<>]|\n", shown)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("max_idle of orders_config", "max_idle of orders_config"),
        ("a * b", "a \u2217 b"),
        ("registry:5000/orders:2.15.0", "registry:5000/orders:2.15.0"),
        ("at 14:02:30", "at 14:02:30"),
        (":fire: at 12:30", "\u2236fire: at 12:30"),
        ("~/.ssh", "\u223c/.ssh"),
        (">quote", "\u203aquote"),
        ("a > b", "a &gt; b"),
        ('say "no"\\', 'say \\"no\\"\\\\'),
    ],
)
def test_what_means_nothing_is_left_alone(value: str, shown: str) -> None:
    """Names of settings and images can still be copied."""
    assert str(in_blocks(value)) == shown


def test_nothing_is_cut_in_two() -> None:
    """Half a mention, link or sign would be shown as something else."""
    text = "x" * 8 + "<@U0ALICE>" + "&amp;" * 4
    assert [cut(text, length) for length in (9, 18, 19, 22, 24, 99)] == [
        "x" * 8 + "…",
        "x" * 8 + "…",
        "x" * 8 + "<@U0ALICE>…",
        "x" * 8 + "<@U0ALICE>…",
        "x" * 8 + "<@U0ALICE>&amp;…",
        text,
    ]


def test_too_many_blocks_say_so() -> None:
    """With a mark where some are left out."""
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
    shown = fitted([section] * 60)
    assert len(shown) == BLOCKS
    assert shown[-1]["elements"][0]["text"] == "… 14 more parts are left out here"
