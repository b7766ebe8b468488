"""Matching regular expressions from outside: none of them stops a process."""

import time

import pytest

from changewindow.documents.findings import are_errors
from changewindow.documents.yaml import Document
from changewindow.policy.check import Facts
from changewindow.policy.review import load_document
from changewindow.systems.expressions import PATIENCE, matches, occurs
from changewindow.systems.measurement import SourceError
from changewindow.ticket.reader import build_ticket
from support.changes import NOW

HOSTILE = "(a+)+b"
TEXT = "a" * 5000


def test_an_expression_that_would_take_for_ever_is_answered_at_once() -> None:
    """Python's `re` would need longer than the world is old."""
    began = time.perf_counter()
    assert not matches(HOSTILE, TEXT)
    assert not occurs(HOSTILE, TEXT)
    assert time.perf_counter() - began < PATIENCE


@pytest.mark.parametrize(
    ("expression", "text", "whole", "part"),
    [
        ("5..", "503", True, True),
        ("5..", "1503", False, True),
        ("v2.*", "v2\n", False, True),
        ("größe.", "größe\ud800", True, True),
        ("(?=a)ab", "ab", True, True),
        (r"(.)\1", "xaax", False, True),
        ("a{,3}", "aa", True, True),
    ],
)
def test_an_expression_means_what_it_meant(expression: str, text: str, *, whole: bool, part: bool) -> None:
    """Also what RE2 has not, in changes that were approved before it judged them."""
    assert (matches(expression, text), occurs(expression, text)) == (whole, part)


def test_an_approved_expression_that_takes_too_long_is_killed_and_not_tried_again() -> None:
    """Others wait for it once, and not for long; the reading says what to do."""
    expression = r"(a+)+b|(?=x)y"
    for patience in (10.0, PATIENCE):  # the first time a process starts
        began = time.perf_counter()
        with pytest.raises(SourceError, match=r"it took longer than 0.25 s\. Write it for RE2") as error:
            matches(expression, TEXT)
        assert error.value.cause == "invalid"
        assert time.perf_counter() - began < patience
    assert matches(r"(?=a)a", "a"), "another expression is matched all the same"


def test_an_approved_expression_is_given_no_text_that_takes_long_to_hand_over() -> None:
    """RE2 is given every text."""
    assert matches("x*", "x" * 1_000_000)
    with pytest.raises(SourceError, match="for a text of 1,000,000 characters write it for RE2"):
        matches("(?=x)x*", "x" * 1_000_000)


def test_an_approved_ticket_keeps_an_expression_that_a_new_one_may_not_have(ticket_data: dict) -> None:
    """Changes that are approved go on; the next ticket learns what to write."""
    ticket_data["watch"]["conditions"][0].pop("fail", None)
    ticket_data["watch"]["conditions"][0].pop("unit", None)
    ticket_data["watch"]["conditions"][0]["pass"] = {"matches": "(?!5)..."}
    assert build_ticket(ticket_data).watch.conditions[0].good is not None
    loaded = load_document(Document(ticket_data, {}), Facts(now=NOW))
    assert are_errors(loaded.findings)
    assert "RE2 has no look-ahead" in " ".join(finding.sentence for finding in loaded.findings)
