"""Every check signs what it finds with the name of its file: an exemption names it, and so does the gate."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from changewindow import kinds
from changewindow.calendar.minimum_watch import LongerWatch
from changewindow.documents.findings import Finding
from changewindow.policy.approvals import Approvals
from changewindow.policy.check import Facts
from changewindow.policy.conflicts import of_ticket
from support.tickets import BANNER, POLICY, SOURCE, banner, ticket

CHECKS = kinds.modules("checks")
ONLY_ALICE = Approvals.model_validate(
    {"groups": {"leads": ["alice"]}, "rules": [{"name": "all", "levels": [{"name": "lead", "from": ["leads"]}]}]}
)
BAD = {
    "reviewer": "alice",
    "rollback": {**BANNER["rollback"], "by_hand": "nothing of it can be undone"},
    "services": ["order", "payments"],
    "steps": [{"name": "Merge", "kind": "git_change", "connection": "elsewhere", "merge": "tune"}],
    "window": {"zone": "UTC", "start": "2031-03-21 14:00", "end": "2031-03-21 14:01"},
    "watch": {"for": "1s", "every": "2s"},
    "silence": [{"kind": "alertmanager", "connection": "shop", "matchers": ['severity="page"']}],
    "validation": [{"name": f"{number}", "source": SOURCE, "pass": {"equals": 1}} for number in range(300)],
}
"""On a Friday afternoon; everything that a check of today looks at is wrong."""


def findings(name: str) -> list[Finding]:
    """Return what a check finds wrong with the bad ticket."""
    asked = ticket(**BAD)
    longer = LongerWatch.model_validate({"name": "Always", "at_least": "1h"})
    calendar = POLICY.schedule.calendar.model_copy(update={"watches": (longer,)})
    facts = Facts(
        now=datetime(2031, 3, 22, tzinfo=UTC),
        policy=replace(POLICY, approvals=ONLY_ALICE, schedule=replace(POLICY.schedule, calendar=calendar)),
        others=(of_ticket("CHG-7", asked),),
        data=banner(**BAD),
        requester="alice",
    )
    return list(kinds.contract(CHECKS[name], "check")(asked, facts))


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_signs_its_findings(name: str) -> None:
    """The code is the name of the file; place, sentence and remedy are complete, and the reader adds the line."""
    for finding in findings(name):
        assert (finding.code, finding.line) == (name, 0)
        assert finding.place
        assert not finding.sentence.endswith(".")
        assert finding.remedy.endswith((".", "?"))


def test_the_bad_ticket_is_found_bad() -> None:
    """Else the test above would prove nothing."""
    assert [name for name in CHECKS if not findings(name)] == []
