"""Says when an emergency needs a second person's word: where the review of an earlier one of its target is overdue."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from changewindow.documents.findings import Finding
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.approvals import persons_of
from changewindow.policy.model import Policy
from changewindow.policy.sign_off import same_person


@dataclass(frozen=True)
class SecondPerson:
    """The overdue reviews for which somebody else has to stand in, and whether the emergency waits for that."""

    overdue: tuple[str, ...]
    """The changes whose reviews are overdue, oldest first."""
    targets: tuple[str, ...]
    """Those that they have in common with the emergency."""
    is_required: bool
    """Whether it cannot start without one; never while an incident is open, when it is a mark alone."""

    @property
    def sentence(self) -> str:
        """Return what is overdue, and of what."""
        named = ", ".join(self.overdue)
        reviews = f"the review of {named} is" if len(self.overdue) == 1 else f"the reviews of {named} are"
        return f"{reviews} overdue, and {'it' if len(self.overdue) == 1 else 'each'} touched {', '.join(self.targets)}"

    def objection(self, person: str, involved: Iterable[str], known: Collection[str] = ()) -> Finding | None:
        """Return why it cannot start with this second person; nothing if it can.

        `involved` are those who declare, command and carry out: none of them is a second person. `known` are the people
        of the policy; where it names nobody, everybody may be one.
        """
        if not self.is_required:
            return None
        if not person.strip():
            remedy = "Name in `second_person` somebody else who agrees, open an incident, or do the review first."
            return Finding("second_person", f"{self.sentence}; no incident is open, so a second person decides", remedy)
        if any(same_person(person, name) for name in involved):
            sentence = f"{person} declares, commands or carries out this emergency, and is no second person"
            return Finding("second_person", f"{sentence}; {self.sentence}", "Name somebody else who agrees.")
        if known and not any(same_person(person, name) for name in known):
            sentence = f"the policy knows nobody of the name {person}; {self.sentence}"
            remedy = "Name a member of a group of approvals.yaml who agrees, open an incident, or do the review first."
            return Finding("second_person", sentence, remedy)
        return None


def named(person: str, known: Collection[str]) -> str:
    """Return what is recorded of a second person: somebody else has named them, and nothing proves that they agree."""
    unknown = "" if known else ", and no group of approvals.yaml has a member by which to know them"
    return f"{person} was named as a second person who agrees (named, not proven{unknown})"


def people_of(rules: Policy) -> tuple[str, ...]:
    """Return the persons that a policy knows; nobody where none of its groups has a member."""
    groups = rules.approvals.groups
    if not any(groups.values()):
        return ()
    services = [owner for service in rules.catalogue.services.values() for owner in service.owners]
    named_there = [*groups, *services, *rules.rights.operators, *rules.emergencies.escalate_to]
    return persons_of(named_there, groups)


def second_person(
    owed: Iterable[Aftercare], targets: Iterable[str], *, has_open_incident: bool, now: datetime
) -> SecondPerson | None:
    """Return whether an emergency of these targets asks for a second person; None where no review is overdue."""
    wanted = frozenset(targets)
    late = [each for each in owed if each.is_review_overdue(now) and not each.is_drill and wanted & set(each.targets)]
    if not late:
        return None
    common = {target for each in late for target in each.targets} & wanted
    return SecondPerson(tuple(each.change for each in late), tuple(sorted(common)), is_required=not has_open_incident)
