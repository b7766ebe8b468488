"""The page with what is going on now: nothing is calm but what is known, and nobody sees what is not for them."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from changewindow.errors import BadPolicy, LedgerDown
from changewindow.ledger import changes, leases, payloads, stops
from changewindow.ledger.changes import Submitted
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event, record
from changewindow.policy.model import Policy
from support.changes import NOW, approved, intent
from support.pages import Pages
from support.tickets import banner

CALM = "acts, nothing starts within the hour, no answer is pending, nothing is held or owed, and the line runs."
NASTY = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)")


def acting(ledger: Ledger, target: str = "production/orders", **changed: object) -> Submitted:
    """Return a change whose run has passed the gate."""
    submitted = approved(ledger, banner(**changed))
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=(target,), now=NOW)
    return submitted


def kept(ledger: Ledger) -> Submitted:
    """Return a change whose rollback failed, so that it keeps its target."""
    failed = acting(ledger)
    changes.close(ledger, failed.change, run="run-1", outcome="rollback_failed", reason="the undo failed", now=NOW)
    return failed


def refused() -> Policy:
    """Return no policy."""
    raise BadPolicy(["calendar.yaml: it has no zone"])


def test_the_first_page_is_this_one(pages: Pages) -> None:
    """Whoever opens Change Windows sees what is going on."""
    answer = pages.client.get("/", follow_redirects=False)
    assert answer.headers["Location"] == "/now"


def test_nothing_going_on_is_one_calm_sentence(pages: Pages) -> None:
    """There is no alarm, and no empty heading."""
    text = pages.get("/now")
    assert f"Nothing {CALM}" in text
    assert 'class="alarm"' not in text.replace('<noscript><p class="alarm">', "")
    assert "Acts now" not in text


def test_who_does_not_see_every_change_is_told_so(pages: Pages) -> None:
    """Of the others nothing is said, and so the calm is only about theirs."""
    assert f"Of the changes that you may see, nothing {CALM}" in pages.get("/now", viewer="who may see one change")


def test_a_ledger_that_is_down_is_never_calm(pages: Pages) -> None:
    """What is not known is said, and what does not need the ledger is there."""

    def down() -> Ledger:
        raise LedgerDown("connection refused")

    text = Pages(down).get("/now")
    assert CALM not in text
    assert "NOT KNOWN: which changes act, which start within the hour, who has to answer" in text
    assert "connection refused" in text
    assert "No freeze holds" in text


def test_a_ledger_that_goes_away_is_never_calm() -> None:
    """Nor is one that is found to be down only when it is asked."""
    text = Pages(lambda: Ledger("sqlite:////none/ledger.db")).get("/now")
    assert "NOT KNOWN: which changes act" in text


def test_a_broken_policy_is_loud_and_the_rest_is_shown(pages: Pages, ledger: Ledger) -> None:
    """What acts and what waits is in the ledger; who is asked is in the policy."""
    running, waiting = acting(ledger), changes.submit(ledger, banner(), requester="alice", now=NOW)
    pages.policy = refused
    text = Pages(lambda: ledger, refused).get("/now")
    assert "NOT KNOWN: which freezes and windows are in force." in text
    assert "it has no zone" in text
    assert f'id="acting-{running.change}"' in text
    assert f'id="answer-{waiting.change}-approval"' in text
    assert "who is asked is not known until the policy can be read" in text


def test_one_sentence_says_what_there_is(pages: Pages, ledger: Ledger) -> None:
    """It is what screen readers hear when something begins or ends."""
    acting(ledger)
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    stops.stop(ledger, person="dora", reason="the provider is down", now=NOW, until=NOW + timedelta(hours=4))
    text = pages.get("/now")
    assert "The line is stopped; 1 change acts; 1 answer is wanted.</p>" in text
    assert "required_actions?response_received=false&amp;subject_search=CHG-1002:" in text


def test_a_step_that_could_not_be_undone_is_counted(pages: Pages, ledger: Ledger) -> None:
    """It is neither undone nor forgotten."""
    change = acting(ledger).change
    changes.abort(ledger, change, person="bob", reason="smoke", now=NOW)
    record(ledger, Event(change, "run-1/undo_1", NOW, payloads.UndoFailed(run="run-1", step=1, name="a", reason="no")))
    assert "0 undone, 0 still applied, 1 COULD NOT BE UNDONE, of 1" in pages.get("/now")


def test_a_calm_that_is_not_whole_is_not_said_of_all(pages: Pages, ledger: Ledger) -> None:
    """Something is owed still: it is below, and nothing else is claimed than what who looks can know."""
    change = approved(ledger, banner(window={"zone": "UTC", "start": "2031-04-18 14:00", "end": "2031-04-18 15:00"}))
    due = NOW + timedelta(days=1)
    record(ledger, Event(change.change, "close", NOW, payloads.ReviewAsked(because="rolled_back", due=due)))
    text = pages.get("/now", viewer="who may see one change")
    assert CALM not in text
    assert "Of what you may see, nothing acts and nothing waits for an answer." in text


def test_what_acts_can_be_aborted_by_who_may_act(pages: Pages, ledger: Ledger) -> None:
    """The form triggers the DAG, with the change."""
    change = acting(ledger).change
    text, looked_at = pages.get("/now"), pages.get("/now", viewer="viewer")
    assert f'<input type="hidden" name="change" value="{change}">' in text
    assert 'href="/dags/emergency_change"' in text
    assert "data-trigger" not in looked_at
    assert "emergency_change" not in looked_at


def test_a_target_that_is_kept_can_be_released(pages: Pages, ledger: Ledger) -> None:
    """What nobody acts on is loud; what is acted on has no such form."""
    assert 'data-trigger="release_target"' not in pages.get("/now")
    failed = kept(ledger)
    text = pages.get("/now")
    assert 'data-trigger="release_target"' in text
    assert "Its change has ended and still holds it" in text
    assert f'href="/changes/{failed.change}"' in text


def test_a_stopped_line_is_loud_for_everybody_and_explained_to_some(pages: Pages, ledger: Ledger) -> None:
    """That nothing starts concerns everybody; who stopped it, and why, whoever may see that DAG."""
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    stops.stop(ledger, person="dora", reason="the provider is down", now=NOW, until=NOW + timedelta(hours=4))
    text = pages.get("/now")
    assert "THE LINE IS STOPPED until" in text
    assert "dora: the provider is down" in text
    assert 'value="lift"' in text
    other = pages.get("/now", viewer="who may see nothing")
    assert "THE LINE IS STOPPED until" in other
    assert "dora" not in other


@pytest.mark.parametrize("fill", [acting, kept])
def test_who_sees_one_change_sees_no_other(pages: Pages, ledger: Ledger, fill: Callable[[Ledger], Submitted]) -> None:
    """Neither a name nor a count nor what stands against their own tells of another."""
    seen = approved(ledger, banner(summary="Seen"))
    hidden = fill(ledger)
    text = pages.get("/now", viewer="who may see one change")
    assert seen.change == "CHG-1001"
    assert f'id="coming-{seen.change}"' in text
    assert hidden.change not in text
    assert "Another change, which you may not see, stands against it." in text
    assert "CHG-" not in pages.get("/now", viewer="who may see nothing")


@pytest.mark.parametrize("nasty", NASTY)
def test_what_people_write_is_shown_and_does_nothing(pages: Pages, ledger: Ledger, nasty: str) -> None:
    """Every text of a ticket, of a stop and of an ending is escaped."""
    change = acting(ledger, summary=nasty, owner="alice").change
    record(ledger, Event(change, "run-1/watch", NOW, payloads.WatchDecided(run="run-1", route="undo", reason=nasty)))
    changes.submit(ledger, banner(summary=nasty), requester="alice", now=NOW)
    stops.stop(ledger, person=nasty, reason=nasty, now=NOW, until=NOW + timedelta(hours=4))
    text = pages.get("/now")
    assert "<script>alert" not in text
    assert "<img" not in text
    assert 'href="javascript' not in text


def test_on_a_wall_it_is_big(pages: Pages) -> None:
    """And it asks again there, as anywhere."""
    text = pages.get("/now", wall="")
    assert 'class="wall"' in text
    assert 'data-live="5"' in text


def test_times_are_in_the_zone_of_who_looks(pages: Pages, ledger: Ledger) -> None:
    """Its window ends 15:00 UTC."""
    acting(ledger)
    assert "2031-03-19 00:00" in pages.get("/now", zone="Asia/Tokyo")
