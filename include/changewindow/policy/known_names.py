"""Finds names in the policy that stand for nothing: services, environments, and people in emergencies.yaml."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from changewindow.calendar.files import CALENDAR
from changewindow.documents.findings import Finding, Place
from changewindow.documents.text import hint
from changewindow.documents.yaml import BadYaml, Document, parse, read_file
from changewindow.policy.approvals import ANYBODY
from changewindow.policy.connections import ALL, FILE
from changewindow.policy.emergencies import FILE as EMERGENCIES
from changewindow.policy.service_catalogue import Catalogue

FILES = (CALENDAR, "approvals.yaml", FILE, "markers.yaml")
"""The files of a policy that name services and environments of the catalogue."""
PEOPLE = ("may_declare", "approvers", "escalate_to")
"""Where emergencies.yaml names groups and persons."""
SENTENCES = {"services": "no service is called", "environments": "no service has an environment"}


def unknown_names(folder: Path, catalogue: Catalogue) -> Iterator[tuple[Path, Finding]]:
    """Yield a finding for each service and environment that is not in the catalogue, with its file.

    They are warnings, unless the catalogue refuses services that it does not list; where it allows them, services
    are not looked for.
    """
    environments = {name for service in catalogue.services.values() for name in service.environments}
    known = {"environments": environments}
    if catalogue.unlisted != "allow":
        known["services"] = set(catalogue.services)
    for path in (folder / file for file in FILES if environments and (folder / file).exists()):
        with suppress(BadYaml):  # whoever loads that file says so
            yield from ((path, finding) for finding in _findings(parse(read_file(path)), known, catalogue))


def unknown_people(folder: Path, groups: Mapping[str, tuple[str, ...]]) -> Iterator[tuple[Path, Finding]]:
    """Yield a finding for each name in emergencies.yaml that is neither a group of approvals.yaml nor a member of one.

    Whoever misspells a group there learns it in an emergency, which nobody may declare.
    """
    path = folder / EMERGENCIES
    known = {ANYBODY, *groups, *(person for people in groups.values() for person in people)}
    with suppress(BadYaml, FileNotFoundError):  # whoever loads that file says so
        document = parse(read_file(path))
        named = document.data if isinstance(document.data, dict) else {}
        for place in ((key, index) for key in PEOPLE for index in range(len(named.get(key) or ()))):
            name = named[place[0]][place[1]]
            if name not in known:
                sentence = f"'{name}' is neither a group of approvals.yaml nor a member of one"
                yield path, Finding("known_names", sentence, hint(name, known), place, document.line(place))


def _findings(document: Document, known: Mapping[str, set[str]], catalogue: Catalogue) -> Iterator[Finding]:
    for place, name in _named(document.data, ()):
        key = str(place[-2])
        if name not in {*known.get(key, {name}), ALL}:
            sentence, line = f"{SENTENCES[key]} '{name}'", document.line(place)
            is_warning = catalogue.unlisted != "refuse"
            yield Finding("known_names", sentence, hint(name, known[key]), place, line, is_warning=is_warning)


def _named(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield each name of a service or environment, wherever a list of them stands."""
    if isinstance(value, list):
        listed = place and place[-1] in SENTENCES
        for index, item in enumerate(value):
            if listed and isinstance(item, str):
                yield (*place, index), item
            else:
                yield from _named(item, (*place, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _named(item, (*place, str(key)))
