"""Says what an emergency skips: what the gate would have against it now, were it a normal change; and whose yes."""

from dataclasses import dataclass

from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy
from changewindow.policy.gate import decide
from changewindow.policy.standing import Case
from changewindow.policy.state_rules import TARGET_HELD

NOT_SKIPPED = frozenset({"record_altered", "connections_serve", TARGET_HELD})
"""What stops an emergency too; a target that is held is waited for, or taken over."""


@dataclass(frozen=True)
class Skip:
    """A rule that would have kept the change from starting as a normal one, and the people whose yes it asks for."""

    code: str
    sentence: str
    people: tuple[str, ...] = ()


def skipped(case: Case) -> tuple[Skip, ...]:
    """Return what the gate finds against a change that was not declared to be an emergency, but for what stops both."""
    decision = decide(case.standing, case.intent, case.assessment, case.now)
    skips = [_skip(case, finding) for finding in decision.findings if finding.code not in NOT_SKIPPED]
    unknown = Skip("approvers_unknown", "who would have had to approve it is not known: the policy cannot be read")
    return (*skips, *([unknown] if isinstance(case.assessment, BadPolicy) else []))


def _skip(case: Case, finding: Finding) -> Skip:
    return Skip(finding.code, finding.sentence, _people(case) if finding.code == "nobody_approved" else ())


def _people(case: Case) -> tuple[str, ...]:
    """Return who might have approved it, of every level: not the first alone would have been asked."""
    named = dict.fromkeys(person for required in case.required for person in required.people)
    requester = case.standing.requester.casefold()
    return tuple(person for person in named if person.casefold() != requester)
