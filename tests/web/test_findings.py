"""The page of findings: what nobody announced, who owns it, who explains it, and who could not see."""

from dataclasses import replace
from datetime import timedelta

import pytest

from changewindow.changes.viewer import Viewer
from changewindow.errors import BadPolicy, LedgerDown
from changewindow.ledger import findings, looks
from changewindow.ledger.database import Ledger
from changewindow.ledger.findings import Settled
from changewindow.policy.model import Policy
from changewindow.policy.world_finding import WorldFinding
from support.changes import NOW
from support.pages import VIEWERS, Pages

HOUR = timedelta(hours=1)
EDIT = WorldFinding(
    *("change", "audit", "web-3:/etc/hosts", NOW - HOUR, "edited", "nobody"),
    before="fingerprint 11aa",
    after="fingerprint 22bb",
    by="eve",
    known_by="login uid",
    services=("orders",),
    environment="production",
)
GAP = WorldFinding("gap", "dns", "", NOW - HOUR, "could not see from then on", "it was stopped")


def passed(ledger: Ledger, *found: WorldFinding, behind: timedelta = timedelta()) -> list[int]:
    """Let a pass have found something."""
    look = looks.Look("audit", NOW - behind, NOW, {})
    return findings.write_pass(ledger, [look], found, [], now=NOW)


def test_an_open_finding_has_all_that_is_known(pages: Pages) -> None:
    """What, before, after, by whom and how that is known, whose it is, and what can be done."""
    passed(pages.ledger(), EDIT)
    text = pages.get("/findings")
    for part in (
        *("web-3:/etc/hosts edited", "fingerprint 11aa", "fingerprint 22bb", "eve (login uid)", "orders in production"),
        *("1 silent change is open", "its owner has not been told yet", "changewindow findings ticket 1"),
        *('data-trigger="accept_finding"', 'data-trigger="record_change"', 'value="production/orders"'),
        *('name="start" type="text" value="2031-03-18T13:', 'name="end" type="text" value="2031-03-18T14:'),
    ):
        assert part in text, part


def test_who_may_only_look_has_no_forms(pages: Pages) -> None:
    """Nothing that Airflow would refuse."""
    passed(pages.ledger(), EDIT)
    assert "data-trigger" not in pages.get("/findings", viewer="viewer")


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [3, 1]),
        ({"state": "any"}, [3, 2, 1]),
        ({"state": "accepted"}, [2]),
        ({"state": "any", "service": "orders"}, [3, 2, 1]),
        ({"state": "any", "service": "billing"}, [3]),
        ({"state": "any", "collector": "dns"}, [3]),
        ({"state": "any", "before": "2"}, [1]),
    ],
)
def test_findings_are_looked_for(pages: Pages, query: dict[str, str], numbers: list[int]) -> None:
    """By state, service and collector, the newest first; what belongs to no service is everybody's."""
    passed(pages.ledger(), EDIT, replace(EDIT, object="web-4:/etc/hosts"), GAP)
    findings.settle(pages.ledger(), [Settled(2, "accepted", "known", NOW + HOUR)], person="dora", now=NOW)
    text = pages.get("/findings", **query)
    assert [number for number in (3, 2, 1) if f'id="finding-{number}"' in text] == numbers


def test_many_findings_have_pages(pages: Pages) -> None:
    """Each stands on one of them."""
    passed(pages.ledger(), *(replace(EDIT, object=f"web-{number}:/etc/hosts") for number in range(60)))
    text = pages.get("/findings")
    assert text.count("<article") == 50
    assert "before=11&amp;state=open" in text
    assert pages.get("/findings", before="11").count("<article") == 10


def test_who_could_not_see_is_said_first(pages: Pages) -> None:
    """A gap, a collector that is behind, one whose mark was altered, and that nobody has ever looked."""
    assert "No collector has ever run" in pages.get("/findings")
    passed(pages.ledger(), GAP, behind=timedelta(minutes=21))
    text = pages.get("/findings")
    assert "1 gap is open: nobody knows what happened meanwhile." in text
    assert "audit has seen nothing since" in text
    assert text.index("has seen nothing since") < text.index("<article")
    assert "and it goes on" in text


def test_an_acceptance_that_is_over_is_said(pages: Pages) -> None:
    """Also before the next pass has opened it again."""
    passed(pages.ledger(), EDIT)
    findings.settle(pages.ledger(), [Settled(1, "accepted", "known", NOW + HOUR)], person="dora", now=NOW)
    pages.now = NOW + 2 * HOUR
    assert "its acceptance ended" in pages.get("/findings", state="accepted")


def test_the_change_that_explains_it_is_a_link_or_not_named(pages: Pages) -> None:
    """Whoever may not see that change does not learn which it is."""
    passed(pages.ledger(), EDIT)
    done = Settled(1, "recorded", "as CHG-1004, not approved: the value")
    findings.settle(pages.ledger(), [done], person="dora", now=NOW)
    assert 'href="/changes/CHG-1004"' in pages.get("/findings", state="recorded")
    pages.viewer = Viewer("olga", sees_every_dag=False, dags=frozenset({"silent_changes"}))
    text = pages.client.get("/findings", params={"state": "recorded"}).text
    assert "CHG-1004" not in text
    assert "as a change that is not shown to you, not approved: the value" in text


@pytest.mark.parametrize(("viewer", "status"), [(None, 401), ("viewer", 200), ("who may see nothing", 403)])
def test_it_needs_the_right_to_see_silent_changes(pages: Pages, viewer: str | None, status: int) -> None:
    """As in Airflow itself."""
    assert pages.status("/findings", viewer=viewer) == status


@pytest.mark.parametrize(("field", "given"), [("state", "gone"), ("before", "x"), ("before", "²"), ("before", "-1")])
def test_what_is_no_search_is_refused(pages: Pages, field: str, given: str) -> None:
    """With how it is written."""
    assert pages.status("/findings", **{field: given}) == 400


def test_without_a_policy_findings_are_shown(pages: Pages) -> None:
    """Only whose they are is not known, which is said."""

    def broken() -> Policy:
        raise BadPolicy(["services.yaml is no YAML"])

    passed(pages.ledger(), EDIT)
    without = Pages(pages.ledger, policy=broken, viewer=VIEWERS["user"])
    text = without.get("/findings")
    assert "the owners are not known" in text
    assert "web-3:/etc/hosts edited" in text


@pytest.mark.parametrize("page", ["/findings", "/what-changed"])
def test_while_the_ledger_is_down_nothing_is_claimed(page: str) -> None:
    """Neither that all is well, nor that something is wrong in the world."""

    def down() -> Ledger:
        raise LedgerDown("it is stopped")

    assert Pages(down).status(page) == 503
