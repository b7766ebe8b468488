"""Reads what a form, a REST call or the terminal tells of what was done by hand; every mistake is named at once."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import ValidationError

from changewindow.changes.form import SKEW, BadForm, Form
from changewindow.documents.text import hint, nearest, shown
from changewindow.errors import BadRequest
from changewindow.policy.manual_change import LONGEST, MOST, MOST_SERVICES, ManualChange, ManualCommand
from changewindow.policy.service_catalogue import Catalogue
from changewindow.systems.sessions.command import Command, Session
from changewindow.systems.sessions.reading import cleaned, read

LONGEST_PASTE = 500_000
"""Characters that are read of a paste."""
OLDEST = timedelta(days=3650)
"""What is said to be older was mistyped."""
LONGEST_TEXT = 500
HOURS = LONGEST.total_seconds() / 3600
TARGET = re.compile(r"([a-z][a-z0-9-]*)/([a-z][a-z0-9-]*)")
NUMBERS = re.compile(r"[0-9]{1,9}")


class _Form(Form):
    """The form of a record."""

    def text(self, name: str) -> str:
        """Return a field of one line, without secrets."""
        return cleaned(str(self.params.get(name) or ""))[:LONGEST_TEXT]

    def names(self, name: str) -> list[str]:
        """Return what a field lists, with blanks or commas between, or as a list of JSON."""
        given = self.params.get(name) or ""
        listed = given if isinstance(given, list) else re.split(r"[\s,]+", str(given).strip())
        return [str(each) for each in listed if each]


def manual_change_of(params: Mapping[str, Any], catalogue: Catalogue, *, person: str, now: datetime) -> ManualChange:
    """Return what a form tells, by `person` unless it says who did it.

    Raises:
        BadForm: it cannot be recorded so; names every mistake.
    """
    form = _Form(params, now)
    session = _session(form)
    targets, commands = _targets(form, catalogue), session.commands
    began, ended = form.since("start"), form.until("end")
    kept, left_out = _within(commands, began, ended)
    times = [command.at for command in kept if command.at]
    began, ended = began or min(times, default=None), ended or max(times, default=None)
    form.mistakes += [*_about_times(began, ended, now), *_about_commands(kept, commands)]
    if not form.text("why"):
        form.mistakes.append("why: nothing is said. Say in a sentence why it was done")
    findings = _findings(form)
    if form.mistakes or began is None or ended is None:
        raise BadForm(form.mistakes)
    remarks = [*session.remarks, *_about_left_out(left_out)]
    try:
        return ManualChange(
            environment=targets[0][0],
            services=tuple(dict.fromkeys(service for _, service in targets)),
            began=began,
            ended=ended,
            commands=tuple(ManualCommand(line=command.line, at=command.at) for command in kept),
            done_by=form.text("done_by")[:200] or person,
            why=form.text("why"),
            incident=form.text("incident")[:200],
            findings=findings,
            remarks=tuple(remarks[:20]),
        )
    except ValidationError as error:
        raise BadRequest("; ".join(f"{wrong['loc']}: {wrong['msg']}" for wrong in error.errors())) from error


def _session(form: _Form) -> Session:
    text = str(form.params.get("commands") or "")
    if len(text) > LONGEST_PASTE:
        form.mistakes.append(
            f"commands: {len(text):,} characters, {LONGEST_PASTE:,} allowed. Paste only what was done then; "
            "`changewindow record --file` takes it out of a large file"
        )
        return Session(())
    return read(text)


def _targets(form: _Form, catalogue: Catalogue) -> list[tuple[str, str]]:
    """Return environments and services, all of one environment."""
    named = [(name, TARGET.fullmatch(name)) for name in form.names("targets")]
    targets = [(match[1], match[2]) for _, match in named if match]
    form.mistakes += [
        f"targets: {shown(name)} is no target. Write it like production/orders" for name, match in named if not match
    ]
    if not named:
        form.mistakes.append("targets: nothing is named. Write what was touched, like production/orders")
    if len({environment for environment, _ in targets}) > 1:
        form.mistakes.append("targets: several environments. Make a record of each")
    if len({*targets}) > MOST_SERVICES:
        form.mistakes.append(f"targets: {len({*targets})}, {MOST_SERVICES} allowed. Make several records")
    form.mistakes += [mistake for target in dict.fromkeys(targets) for mistake in _unknown(catalogue, *target)]
    return targets


def _unknown(catalogue: Catalogue, environment: str, service: str) -> Iterator[str]:
    listed = catalogue.services.get(service)
    near = nearest(service, catalogue.services)
    if listed is None and (near or catalogue.unlisted == "refuse"):
        remedy = hint(service, catalogue.services).rstrip(".")
        yield f"targets: '{service}' is not in the service catalogue. {remedy}"
    elif listed and environment not in listed.environments:
        remedy = hint(environment, listed.environments).rstrip(".")
        yield f"targets: {service} does not run in '{environment}'. {remedy}"


def _within(
    commands: tuple[Command, ...], began: datetime | None, ended: datetime | None
) -> tuple[tuple[Command, ...], int]:
    """Return the commands of a time, and how many of others there are; a command without a time is of the record's."""
    kept = tuple(
        command
        for command in commands
        if command.at is None or ((began is None or command.at >= began) and (ended is None or command.at <= ended))
    )
    return kept, len(commands) - len(kept)


def _about_times(began: datetime | None, ended: datetime | None, now: datetime) -> Iterator[str]:
    if began is None or ended is None:
        yield "start and end: not given, and nothing that was pasted has a time. Say from when to when it was done"
    elif began > ended:
        yield f"end: {ended:%Y-%m-%d %H:%M} UTC is before the start, {began:%Y-%m-%d %H:%M} UTC. Exchange them"
    elif began < now - OLDEST:
        yield f"start: {began:%Y-%m-%d %H:%M} UTC is more than {OLDEST.days // 365} years ago. Correct it"
    elif ended > now + SKEW:
        yield f"end: {ended:%Y-%m-%d %H:%M} UTC has not come. Record what was done; to do something, submit a ticket"
    elif ended - began > LONGEST:
        yield f"start and end: {ended - began} apart, {HOURS:g} hours allowed. Record each part"


def _about_commands(kept: tuple[Command, ...], commands: tuple[Command, ...]) -> Iterator[str]:
    if not commands:
        yield "commands: nothing is said. Type or paste what was done, one command a line"
    elif not kept:
        yield f"commands: none of the {len(commands)} pasted is of this time. Correct start and end"
    elif len(kept) > MOST:
        yield f"commands: {len(kept):,}, {MOST:,} allowed. Make a record of each part of the time"


def _about_left_out(count: int) -> Iterator[str]:
    if count:
        commands = f"{count:,} commands of other times are" if count > 1 else "1 command of another time is"
        yield f"{commands} left out"


def _findings(form: _Form) -> tuple[int, ...]:
    names = form.names("findings")
    form.mistakes += [
        f"findings: {shown(name)} is no number of a finding; `changewindow findings` lists them"
        for name in names
        if not NUMBERS.fullmatch(name)
    ]
    return tuple(int(name) for name in names if NUMBERS.fullmatch(name))
