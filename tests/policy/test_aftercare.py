"""Who may approve afterwards what ran: a table; and how a retroactive approval stands."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from changewindow.policy.aftercare import Aftercare, Retroactive, State, who_may, why_not
from changewindow.policy.emergencies import Emergencies
from support.changes import NOW

DUE = NOW + timedelta(hours=24)
DIGEST, OTHER = "a" * 64, "b" * 64
EMERGENCY = Aftercare(
    "CHG-1001",
    "emergency",
    DIGEST,
    "Restart the pool",
    ("production/orders",),
    began=NOW,
    requester="alice",
    executor="erik",
    commander="carol",
    skipped_people=("bob", "carol"),
    due=DUE,
)
RECORD = replace(EMERGENCY, because="record", executor="erik", commander="", skipped_people=())
UNPROVEN = replace(RECORD, is_proven=False)
SOLE = replace(EMERGENCY, skipped_people=("carol", "Alice"))
GROUPS = {"managers": ("frida", "gustav"), "directors": ("hanna",)}
OPEN = Emergencies()
MANAGED = Emergencies(approvers=("managers",))
BOTH = Emergencies(approvers=("anybody", "managers"))
ESCALATED = Emergencies(escalate_to=("directors", "alice"))


def word(person: str, *, is_yes: bool = True, **more: Any) -> Retroactive:
    """Return what somebody has said within the deadline."""
    return Retroactive(person, DIGEST, is_yes, NOW, **{"counts": True, **more})


def said(owed: Aftercare, *words: Retroactive) -> Aftercare:
    """Return what is owed after people have said something."""
    return replace(owed, words=words)


TABLE: dict[str, tuple[Aftercare, Emergencies, str, str]] = {
    "somebody whose approval was skipped": (EMERGENCY, OPEN, "bob", ""),
    "the same, written otherwise": (EMERGENCY, OPEN, " BOB ", ""),
    "who declared it": (EMERGENCY, OPEN, "alice", "involved"),
    "the same, written otherwise, who declared it": (EMERGENCY, OPEN, "Alice ", "involved"),
    "who carried it out": (EMERGENCY, OPEN, "erik", "involved"),
    "who commanded, though a skipped approver": (EMERGENCY, OPEN, "carol", "involved"),
    "the approver of another change": (EMERGENCY, OPEN, "dora", "not_asked"),
    "a group of the policy": (EMERGENCY, MANAGED, "frida", ""),
    "a skipped approver beside a group of the policy": (EMERGENCY, MANAGED, "bob", ""),
    "somebody outside of both": (EMERGENCY, MANAGED, "hanna", "not_asked"),
    "anybody, where others are named": (EMERGENCY, BOTH, "dora", "not_asked"),
    "anybody, where all who are named are involved": (SOLE, OPEN, "dora", ""),
    "who is told when it is overdue, where all who are named are involved": (SOLE, ESCALATED, "hanna", ""),
    "somebody else, where others are told when it is overdue": (SOLE, ESCALATED, "dora", "not_asked"),
    "who is involved and told when it is overdue": (SOLE, ESCALATED, "alice", "involved"),
    "anybody, of a record": (RECORD, OPEN, "dora", ""),
    "who told what was done by hand": (RECORD, OPEN, "alice", "involved"),
    "who did it by hand": (RECORD, OPEN, "erik", "involved"),
    "a group of the policy, of a record": (RECORD, MANAGED, "gustav", ""),
    "anybody, of a record for which the policy has a group": (RECORD, MANAGED, "dora", "not_asked"),
    "of what owes nothing": (replace(RECORD, due=None), OPEN, "dora", "nothing_owed"),
    "of what was declared and never began": (replace(EMERGENCY, has_acted=False), OPEN, "bob", "nothing_owed"),
    "of what is approved": (said(EMERGENCY, word("bob")), OPEN, "bob", "decided"),
    "of what is refused": (said(RECORD, word("dora", is_yes=False)), OPEN, "frida", "decided"),
    "of what was approved late": (said(RECORD, word("dora", counts=False, is_late=True)), OPEN, "frida", "decided"),
    "after a word that did not count": (said(EMERGENCY, word("alice", counts=False)), OPEN, "bob", ""),
    "the first, where nothing proves who asked": (UNPROVEN, OPEN, "dora", ""),
    "the first once more, where nothing proves who asked": (
        said(UNPROVEN, word("dora")),
        OPEN,
        "Dora",
        "second_person",
    ),
    "the second, where nothing proves who asked": (said(UNPROVEN, word("dora")), OPEN, "frida", ""),
    "the third, where nothing proves who asked": (
        said(UNPROVEN, word("dora"), word("frida")),
        OPEN,
        "gustav",
        "decided",
    ),
}


@pytest.mark.parametrize(("owed", "rules", "person", "code"), TABLE.values(), ids=TABLE)
def test_who_may_approve_what_afterwards(owed: Aftercare, rules: Emergencies, person: str, code: str) -> None:
    """Never who asked for it, did it or commanded; and whoever is late is late, and nothing else."""
    people = who_may(owed, rules, GROUPS)
    finding = why_not(owed, person, DIGEST, people=people, now=NOW)
    assert (finding.code if finding else "") == code
    late = why_not(owed, person, DIGEST, people=people, now=DUE + timedelta(seconds=1))
    assert (late.code if late else "") == (code or "late")
    if not code:
        other = why_not(owed, person, OTHER, people=people, now=NOW)
        assert other is not None
        assert other.code == "other_text"


LATE = DUE + timedelta(hours=1)
STATES: dict[str, tuple[Aftercare, State, State]] = {
    "nobody has said anything": (RECORD, "owed", "overdue"),
    "it owes nothing": (replace(RECORD, due=None), "none", "none"),
    "it never began": (replace(EMERGENCY, has_acted=False), "none", "none"),
    "a yes": (said(RECORD, word("dora")), "approved", "approved"),
    "a no": (said(RECORD, word("dora", is_yes=False)), "refused", "refused"),
    "a yes that does not count": (said(RECORD, word("alice", counts=False)), "owed", "overdue"),
    "a late yes": (said(RECORD, word("dora", counts=False, is_late=True)), "late", "late"),
    "a late no": (said(RECORD, word("dora", is_yes=False, counts=False, is_late=True)), "refused", "refused"),
    "a late yes of who asked for it": (said(RECORD, replace(word("alice", counts=False), at=LATE)), "owed", "overdue"),
    "one yes, where nothing proves who asked": (said(UNPROVEN, word("dora")), "owed", "overdue"),
    "two, where nothing proves who asked": (said(UNPROVEN, word("dora"), word("frida")), "approved", "approved"),
    "two, one of them late": (said(UNPROVEN, word("dora"), word("f", counts=False, is_late=True)), "late", "late"),
    "a yes and a no, where nothing proves who asked": (
        said(UNPROVEN, word("dora"), word("frida", is_yes=False)),
        "refused",
        "refused",
    ),
}


@pytest.mark.parametrize(("owed", "before", "after"), STATES.values(), ids=STATES)
def test_how_a_retroactive_approval_stands(owed: Aftercare, before: State, after: State) -> None:
    """Up to its deadline, and after it."""
    assert (owed.approval(DUE), owed.approval(LATE)) == (before, after)
    assert owed.is_asked == (before == "owed")
    assert not replace(owed, reviewed_at=NOW).is_asked
    for reviewers in (("Alice",), (owed.executor or "alice", owed.commander or "alice")):
        assert replace(owed, reviewed_at=NOW, reviewers=reviewers).is_asked == (before == "owed")
    assert not replace(owed, reviewed_at=NOW, reviewers=("alice", "zoe")).is_asked
