"""A ticket has its limits: the others, and whoever is to approve it, have theirs."""

import json
import time
from typing import Any

import pytest

from changewindow.documents.yaml import Document
from changewindow.policy.check import Facts
from changewindow.policy.review import load_document, load_text
from changewindow.ticket.reader import build_ticket
from support.changes import NOW

FACTS = Facts(now=NOW)


def refused(data: dict[str, Any]) -> list[str]:
    """Return what lint says."""
    return [finding.text("t").removeprefix("t:1: ") for finding in load_document(Document(data, {}), FACTS).findings]


def longer(data: dict[str, Any], place: str, count: int) -> dict[str, Any]:
    """Return a ticket with so many items in a list, each with a name of its own."""
    inside, _, last = place.rpartition(".")
    holder = data[inside] if inside else data
    first = (holder.get(last) or data["validation"])[0]
    holder[last] = [first | {"name": f"n{number}"} if isinstance(first, dict) else first for number in range(count)]
    return data


@pytest.mark.parametrize(
    ("place", "count", "sentence"),
    [
        ("steps", 8000, "steps: 8,000 steps, 100 are allowed. Write several tickets, or one step that starts"),
        ("services", 501, "services: 501 services, 500 are allowed. Write one ticket for each part of them."),
        ("watch.conditions", 101, "conditions with those of the other lists, 100 are allowed. Let a source count"),
        ("rollback.verify", 101, "rollback.verify: "),
    ],
)
def test_a_list_that_nobody_reads_is_refused_at_once(
    ticket_data: dict[str, Any], place: str, count: int, sentence: str
) -> None:
    """Without a look at what stands in it, which would take long."""
    began = time.perf_counter()
    [finding] = refused(longer(ticket_data, place, count))
    assert sentence in finding
    assert finding.endswith("[limits]")
    assert time.perf_counter() - began < 1


def test_more_combinations_than_anybody_can_approve_are_refused(ticket_data: dict[str, Any]) -> None:
    """Each of twenty parameters with fifty values is within its own limit."""
    values = [f"v{number}" for number in range(50)]
    ticket_data["parameters"] = {f"p{number}": {"default": "v0", "allowed": values} for number in range(20)}
    [finding] = refused(ticket_data)
    assert finding.startswith("parameters: the parameters' values make 9.536743e+33 combinations, 1,000 are allowed.")


def test_what_was_approved_without_limits_goes_on(ticket_data: dict[str, Any]) -> None:
    """They are for new tickets."""
    assert len(build_ticket(longer(ticket_data, "steps", 150)).steps) == 150


def test_a_watch_that_asks_all_the_time_is_refused(ticket_data: dict[str, Any]) -> None:
    """One process asks for all changes."""
    ticket_data["watch"]["every"] = "200ms"
    finding = refused(longer(ticket_data, "watch.conditions", 60))[0]
    assert "are more than 100 questions a second. Write at least " in finding
    assert "[watch_asks_in_measure]" in finding


@pytest.mark.parametrize("part", ["{{ params ", "{{ params.", "{{" + " " * 50, "<", "{{{{"])
def test_no_text_makes_lint_take_long(part: str) -> None:
    """A ticket of the greatest size, which is nothing but beginnings."""
    began = time.perf_counter()
    load_text(json.dumps({"summary": part * (900_000 // len(part))}), FACTS)
    assert time.perf_counter() - began < 10
