"""An incident as PagerDuty or Opsgenie knows it, and what is said when one is opened there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Incident:
    """An incident that the product knows."""

    id: str
    """What the product calls it."""
    title: str
    status: str
    """In the word of the product, such as `acknowledged`."""
    is_open: bool
    address: str = ""
    """Its page; empty where the product names none."""


@dataclass(frozen=True)
class NewIncident:
    """What is said of an incident that is opened for an emergency, without secrets."""

    key: str
    """The same whenever it is opened again for the same emergency, so that the product keeps a single one."""
    title: str
    details: str
    whom: str
    """The service it is opened on (PagerDuty), or the team that is called (Opsgenie); empty: as Opsgenie routes it."""
    facts: dict[str, str]
