"""The service catalogue: who owns a service, what it depends on, and the least risk of changing it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, ValidationError, field_validator
from pydantic_core import InitErrorDetails

from changewindow.documents.findings import Place
from changewindow.documents.refusal import refusal
from changewindow.documents.text import hint, shown
from changewindow.documents.types import Line, Model, Name, Person
from changewindow.ticket.model import Ticket

Risk = Literal["low", "medium", "high"]
Rule = Literal["block", "warn", "allow"]
RISKS: tuple[Risk, ...] = ("low", "medium", "high")


@dataclass(frozen=True)
class Floor:
    """The least risk a change may have, and what asks for it."""

    risk: Risk
    why: str

    def admits(self, risk: Risk) -> bool:
        """Return whether a risk is enough."""
        return RISKS.index(risk) >= RISKS.index(self.risk)


class Service(Model):
    """What is known about one service."""

    owners: tuple[Person, ...] = Field(min_length=1)
    """Groups and persons responsible for it, as in approvals.yaml."""
    environments: tuple[Name, ...] = Field(min_length=1)
    """Where it runs: production, staging ..."""
    depends_on: tuple[Name, ...] = ()
    """The services it cannot work without."""
    risk: Risk = "low"
    """The least risk that a change to it may have."""
    roles: tuple[Line, ...] = ()
    """Roles of Airflow that see its changes, and no others, where `flow/server/fab.py` is the auth manager."""


class Together(Model):
    """What happens when two changes meet at the same time: block, warn or allow."""

    target: Rule = "block"
    """On the same service of the same environment."""
    dependent: Rule = "block"
    """On services of which one depends on the other."""
    people: Rule = "warn"
    """With the same owner or reviewer."""


class Catalogue(Model):
    """The services, and the rules that follow from them."""

    unlisted: Literal["allow", "warn", "refuse"] = "warn"
    """What happens to changes of a service that is not listed."""
    configuration: Literal["medium", "high"] = "medium"
    """The least risk of a change of configuration; it is never low."""
    overlap: Together = Together()
    """What happens when another change runs at the same time."""
    services: dict[Name, Service]
    """The services by name."""

    @field_validator("services")
    @classmethod
    def _can_be_followed(cls, services: dict[str, Service]) -> dict[str, Service]:
        """Refuse dependencies on services that are not listed, and circles; each at its own line."""
        wrong = [*_unlisted(services), *_circles(services)]
        if wrong:
            errors = [
                InitErrorDetails(type=refusal(sentence, remedy), loc=place, input=place[-1])
                for place, sentence, remedy in wrong
            ]
            raise ValidationError.from_exception_data(cls.__name__, errors)
        return services

    def owners(self, services: Iterable[str]) -> tuple[str, ...]:
        """Return the owners of services, each once; a service that is not listed has none."""
        return tuple(dict.fromkeys(owner for _, service in self._listed(services) for owner in service.owners))

    def shown_to(self, roles: Iterable[str]) -> tuple[str, ...]:
        """Return the services whose changes one of these roles may see."""
        given = frozenset(roles)
        return tuple(name for name, service in self.services.items() if given.intersection(service.roles))

    def dependencies(self, target: str) -> frozenset[str]:
        """Return every target that a target needs, directly or not, in its environment."""
        environment, _, service = target.partition("/")
        reached: set[str] = set()
        ahead = [service]
        while ahead:
            following = self.services.get(ahead.pop())
            needed = [name for name in (following.depends_on if following else ()) if name not in reached]
            there = [name for name in needed if environment in self.services[name].environments]
            reached.update(there)
            ahead += there
        return frozenset(f"{environment}/{name}" for name in reached)

    def related(self, targets: Iterable[str]) -> frozenset[str]:
        """Return every other target that needs one of these, or that one of these needs, directly or not."""
        given = frozenset(targets)
        needed = {dependency for target in given for dependency in self.dependencies(target)}
        needing = {target for target in self._targets() if self.dependencies(target) & given}
        return frozenset(needed | needing) - given

    def floor(self, ticket: Ticket) -> Floor:
        """Return the least risk of a ticket: that of its services, and that of configuration if it changes any."""
        asked = [Floor(service.risk, f"service {name}") for name, service in self._listed(ticket.services)]
        asked += [
            Floor(self.configuration, f"a change of configuration ('{step.name}')")
            for step in ticket.steps
            if step.is_configuration
        ]
        return max(asked, key=lambda floor: RISKS.index(floor.risk), default=Floor("low", "any change"))

    def _listed(self, names: Iterable[str]) -> list[tuple[str, Service]]:
        return [(name, self.services[name]) for name in names if name in self.services]

    def _targets(self) -> Iterator[str]:
        for name, service in self.services.items():
            yield from (f"{environment}/{name}" for environment in service.environments)


def _unlisted(services: Mapping[str, Service]) -> Iterator[tuple[Place, str, str]]:
    """Find dependencies on what is not listed."""
    for name, service in services.items():
        for index, needed in enumerate(service.depends_on):
            if needed not in services:
                yield (name, "depends_on", index), f"there is no service {shown(needed)}", hint(needed, services)


def _circles(services: Mapping[str, Service]) -> Iterator[tuple[Place, str, str]]:
    """Find services that depend on themselves, directly or through others; each circle once."""
    named: set[str] = set()
    for name, service in services.items():
        circle = _circle(services, name)
        if circle and not named & set(circle):
            named.update(circle)
            place = (name, "depends_on", service.depends_on.index((*circle, name)[1]))
            if len(circle) > 1:
                yield place, f"{' needs '.join((*circle, name))}: a circle", "Remove one of these dependencies."
            else:
                yield place, "it depends on itself", "Remove it."


def _circle(services: Mapping[str, Service], start: str) -> tuple[str, ...]:
    """Return the shortest chain of dependencies from a service back to itself, or nothing."""
    ways: list[tuple[str, ...]] = [(start,)]
    seen = {start}
    for way in ways:
        for needed in services[way[-1]].depends_on if way[-1] in services else ():
            if needed == start:
                return way
            if needed not in seen:
                seen.add(needed)
                ways.append((*way, needed))
    return ()
