"""The page that says what changed: as the ledger has it, and who could not see first."""

from datetime import timedelta

import pytest

from changewindow.changes.viewer import Viewer
from changewindow.ledger import findings, looks
from changewindow.policy.world_finding import WorldFinding
from support.changes import NOW
from support.pages import Pages

HOUR = timedelta(hours=1)
ONLY = frozenset({"what_changed", "CHG-1001"})


def test_what_changes_did_is_told_with_what_was_found(busy_pages: Pages) -> None:
    """The newest first; what was done by hand, too."""
    text = busy_pages.get("/what-changed", since="3h")
    assert "Release number 1: " in text
    assert "web-3:/etc/hosts edited, by eve; open: nobody" in text
    assert "The pool was full" in text
    assert "Release number 3" not in text  # it ended a day ago
    assert text.index("web-3:/etc/hosts") < text.index("web-4:/etc/passwd")


def test_what_a_step_remembered_is_told_in_words(busy_pages: Pages) -> None:
    """As on the page of its change, and at the terminal; programs have it as JSON."""
    for text in (busy_pages.get("/what-changed", since="3h"), busy_pages.get("/changes/CHG-1001")):
        assert f"for its undo it remembered commit {'9f' * 20}" in text
        assert "remembered {" not in text


def test_who_could_not_see_is_said_first_and_drawn_as_a_gap(busy_pages: Pages) -> None:
    """From when to when, and why."""
    text = busy_pages.get("/what-changed", since="3h")
    assert text.index("dns could not see: it was stopped") < text.index('<ol class="line">')
    assert '<li class="gap"><strong>Could not see</strong>' in text
    assert "audit has not looked yet at what happened since" in text


def test_a_gap_that_was_made_up_for_is_none(pages: Pages) -> None:
    """One that goes on ends with the span."""
    gap = WorldFinding("gap", "dns", "", NOW - HOUR, "could not see", "it was stopped")
    [number] = findings.write_pass(pages.ledger(), [looks.Look("dns", NOW, NOW, {})], [gap], [], now=NOW)
    assert '<li class="gap">' in pages.get("/what-changed", since="5m")
    findings.settle(pages.ledger(), [findings.Settled(number, "seen", "it sees again")], person="dora", now=NOW)
    text = pages.get("/what-changed", since="5m")
    assert '<li class="gap">' not in text
    assert "Every collector has seen all of this time." in text
    assert "Nothing changed that collectors can see." in text


def test_without_collectors_nothing_is_never_said(pages: Pages) -> None:
    """An empty answer means little where nobody looks."""
    text = pages.get("/what-changed")
    assert "No collector has ever run" in text
    assert "Something may have changed all the same" in text


@pytest.mark.parametrize(
    ("query", "is_there"),
    [({"service": "orders"}, True), ({"service": "payments"}, False), ({"until": "2031-03-18T14:00"}, False)],
)
def test_it_is_asked_about_a_service_and_a_span(busy_pages: Pages, query: dict[str, str], is_there: bool) -> None:  # noqa: FBT001  from a table
    """What lies outside is not shown."""
    assert ("Release number 1: " in busy_pages.get("/what-changed", since="3h", **query)) == is_there


@pytest.mark.parametrize("query", [{"since": "soon"}, {"since": "2032-01-01"}, {"since": "60d"}])
def test_a_span_that_is_none_is_refused(pages: Pages, query: dict[str, str]) -> None:
    """The future, no time at all, and more than a month."""
    assert pages.status("/what-changed", **query) == 400


def test_who_may_not_see_findings_or_changes_is_told_of_none(busy_pages: Pages) -> None:
    """Only that there may be others."""
    busy_pages.viewer = Viewer("olga", sees_every_dag=False, dags=ONLY)
    text = busy_pages.client.get("/what-changed", params={"since": "30d"}).text
    assert "CHG-1001" in text
    assert "CHG-1004" not in text
    assert "web-3" not in text
    assert "What collectors found, and what they could not see, is not shown to you" in text
    assert "there may be others" in text


def test_all_collectors_are_asked_by_a_run(pages: Pages) -> None:
    """The page asks none; who may not act is offered nothing."""
    assert 'data-trigger="what_changed"' in pages.get("/what-changed")
    assert "data-trigger" not in pages.get("/what-changed", viewer="viewer")


@pytest.mark.parametrize(("viewer", "status"), [(None, 401), ("viewer", 200), ("who may see nothing", 403)])
def test_it_needs_the_right_to_see_its_dag(pages: Pages, viewer: str | None, status: int) -> None:
    """As in Airflow itself."""
    assert pages.status("/what-changed", viewer=viewer) == status
