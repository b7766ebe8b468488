"""Who must approve a change: rules by type, risk, environment and owner, with levels in order."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.text import hint, shown
from changewindow.documents.types import Duration, Line, Model, Name, Person
from changewindow.policy.sign_off import RequiredApproval, same_person
from changewindow.ticket.model import Ticket

OWNERS = "owners"
"""In a level: whoever owns the services, as the service catalogue says."""
ANYBODY = "anybody"
"""In a level: any other person who can approve in Airflow."""


MOST = 5
"""Approvals of one change: each is a task of its own in Airflow."""


class When(Model):
    """The changes a rule is for; an empty list matches everything."""

    types: tuple[Literal["normal", "standard", "emergency"], ...] = ()
    """Types of change."""
    risks: tuple[Literal["low", "medium", "high"], ...] = ()
    """Levels of risk."""
    environments: tuple[Name, ...] = ()
    """Environments."""
    owners: tuple[Name, ...] = ()
    """Owners of the services, as the service catalogue says; one of them is enough."""

    def holds(self, ticket: Ticket, owners: Iterable[str]) -> bool:
        """Return whether it matches a ticket whose services have these owners."""
        return (
            ticket.type in (self.types or (ticket.type,))
            and ticket.risk in (self.risks or (ticket.risk,))
            and ticket.environment in (self.environments or (ticket.environment,))
            and bool(not self.owners or set(owners) & set(self.owners))
        )


class Level(Model):
    """People, some of whom must approve before the next level is asked."""

    name: Name
    """What it is called in log and record, like peer or manager."""
    people: tuple[Person, ...] = Field(alias="from", min_length=1)
    """Groups and persons; `owners` stands for the owners of the services, `anybody` for any other person."""
    count: int = Field(default=1, ge=1)
    """How many of them must approve."""


class Rule(Model):
    """Who must approve the changes it is for."""

    name: Line
    """What it is called in explanations."""
    when: When = When()
    """The changes it is for; without it, all."""
    levels: tuple[Level, ...] = Field(max_length=5)
    """Asked in order. None: pre-approved; only for standard changes."""
    valid: Duration = Field(default=timedelta(days=30), gt=timedelta(0))
    """How long an approval counts."""

    @field_validator("levels")
    @classmethod
    def _asks_somebody(cls, levels: tuple[Level, ...], info: ValidationInfo) -> tuple[Level, ...]:
        when = info.data.get("when")
        if not levels and when is not None and set(when.types) != {"standard"}:
            raise refusal("nobody would be asked", "Add a level, or write `when: {types: [standard]}`.")
        count = sum(level.count for level in levels)
        if count > MOST:
            raise refusal(f"it asks for {count} approvals, {MOST} allowed", "Lower a `count`.")
        names = [level.name for level in levels]
        for name in names:
            if names.count(name) > 1:
                raise refusal(f"two levels are called {shown(name)}", "Give each its own name.")
        return levels


class Approvals(Model):
    """The rules of approval, the groups they name, and what else counts as an approval."""

    groups: dict[Name, tuple[Person, ...]] = {}
    """The members of each group, by their user names in Airflow."""
    rules: tuple[Rule, ...] = Field(min_length=1)
    """The first rule that is for a change decides; the last one is for all."""
    merge_counts: bool = False
    """Whether merging a ticket into the repository counts as an approval of the person who merged it, if signatures by
    keys in the file `allowed_signers` beside this one prove who wrote and who merged it, and that they are two. A merge
    that was made in the pages of GitHub or GitLab does not count: they do not know who pushed what was merged."""
    reslot_keeps: bool = True
    """Whether a change keeps its approvals when nothing but its window is moved by `reslot_change`."""

    @field_validator("rules")
    @classmethod
    def _covers_everything(cls, rules: tuple[Rule, ...], info: ValidationInfo) -> tuple[Rule, ...]:
        if rules[-1].when != When():
            raise refusal("no rule covers all other changes", "Add a last one without `when`.")
        groups = info.data.get("groups", {})
        members = {person for people in groups.values() for person in people}
        known = {*groups, *members, OWNERS, ANYBODY}
        for name in (name for rule in rules for level in rule.levels for name in level.people):
            if name not in known:
                raise refusal(f"{shown(name)} is neither a group nor a member of one", hint(name, known))
        return rules

    def rule(self, ticket: Ticket, owners: Iterable[str], *, is_standard: bool) -> Rule:
        """Return the rule for a ticket; one without levels is only for what really is from the catalogue."""
        owning = tuple(owners)
        return next(rule for rule in self.rules if rule.when.holds(ticket, owning) and (rule.levels or is_standard))

    def needs(self, rule: Rule, owners: Iterable[str]) -> tuple[RequiredApproval, ...]:
        """Return what a rule asks for, with groups and owners as the persons they are."""
        groups = {**self.groups, OWNERS: tuple(owners)}

        def people(level: Level) -> tuple[str, ...]:
            return () if ANYBODY in level.people else persons_of(level.people, groups)

        return tuple(RequiredApproval(level.name, level.count, people(level), rule.valid) for level in rule.levels)


def persons_of(names: Iterable[str], groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Return the persons behind names; owners may be groups themselves."""
    persons: dict[str, None] = {}
    for name in names:
        members = groups.get(name)
        inside = (name,) if members is None else persons_of([member for member in members if member != name], groups)
        persons.update(dict.fromkeys(inside))
    return tuple(persons)


def too_few(needs: Iterable[RequiredApproval], requester: str) -> list[str]:
    """Return, for each level that can never be filled, why: its people, without the requester, are too few."""
    reasons = []
    for need in needs:
        others = [person for person in need.people if not same_person(person, requester)]
        if need.people and len(others) < need.count:
            named = ", ".join(others) or "nobody"
            reasons.append(f"level '{need.level}' needs {need.count}, and besides {requester} there is {named}")
    return reasons
