"""Reads what a form, a REST call or the terminal declares to be an emergency; every mistake is named at once."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from changewindow.changes.emergency_ticket import CONDITION, Frame, Made, of_step, of_ticket
from changewindow.changes.form import SKEW, BadForm, Form
from changewindow.changes.record_form import TARGET
from changewindow.documents.text import shown
from changewindow.documents.types import Person
from changewindow.documents.yaml import BadYaml, Document, parse
from changewindow.errors import BadPolicy, BadRequest
from changewindow.ledger.payloads import Declared
from changewindow.policy.approvals import ANYBODY, persons_of
from changewindow.policy.check import Facts
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.model import Policy
from changewindow.policy.sign_off import same_person
from changewindow.policy.skipped import Skip

Held = Literal["wait", "take_over"]
PERSON = TypeAdapter(Person)
OLDEST = timedelta(days=2)
"""A yes that is older was for something else."""
LONGEST = 300
DONE = ("standard", "ticket", "step")
"""What is done is one of these."""


@dataclass(frozen=True)
class Emergency:
    """What is to be done at once, by whom, and on whose word."""

    made: Made
    declared: Declared
    """Without the digest of what runs, and without what the gate's rules would have asked."""
    held: Held
    """What becomes of another change that holds a target."""
    second_person: str = ""
    """Who else agrees, where an overdue review asks for somebody."""


class _Form(Form):
    """The form of an emergency."""

    def text(self, name: str) -> str:
        """Return a field as one line."""
        return " ".join(str(self.params.get(name) or "").split())[:LONGEST]

    def person(self, name: str, default: str = "") -> str:
        """Return the user name of a person."""
        given = self.text(name) or default
        try:
            PERSON.validate_python(given)
        except ValidationError:
            what = f"{shown(given)} is no user name" if given else "nobody is named"
            self.mistakes.append(f"{name}: {what}. Write the name with which Airflow knows them, like jane.doe")
            return name  # stands for them, so that what else is wrong is found
        return given


def emergency_of(params: Mapping[str, Any], rules: Policy | BadPolicy, *, person: str, now: datetime) -> Emergency:
    """Return what a person declares to be an emergency.

    Raises:
        BadForm: nothing can be done so; names every mistake.
    """
    form, owed = _Form(params, now), Emergencies() if isinstance(rules, BadPolicy) else rules.emergencies
    _require_right(form, rules, owed, person)
    broken = form.text("broken")
    if not broken:
        form.mistakes.append("broken: nothing is said. Say in a sentence what is broken")
    frame = Frame(
        executor=form.person("executor", person),
        commander=form.person("commander"),
        now=now,
        unwatched_because=form.text("unwatched_because"),
    )
    agreed_at = _agreed_at(form)
    until = form.until("workaround_until")
    if until and until <= now:
        form.mistakes.append(f"workaround_until: {until:%Y-%m-%d %H:%M} UTC is over. Name a later time")
    form.require_soon("workaround_until", until)
    second = form.person("second_person") if form.text("second_person") else ""
    made = _made(form, rules, frame, person)
    if form.mistakes or made is None or made.ticket is None:
        raise BadForm(form.mistakes)
    declared = Declared(
        digest="",
        broken=broken,
        incident=form.text("incident"),
        commander=frame.commander,
        agreed_at=agreed_at,
        agreed_how=form.text("agreed_how") or "verbally",
        executor=frame.executor,
        skipped=(),
        due=now + owed.approve_within,
        unwatched_because=frame.unwatched_because,
        workaround_until=until,
    )
    return Emergency(_marked(made, frame, declared, person), declared, form.params.get("held") or owed.held, second)


def _require_right(form: _Form, rules: Policy | BadPolicy, owed: Emergencies, person: str) -> None:
    if isinstance(rules, BadPolicy) or ANYBODY in owed.may_declare:
        return
    people = persons_of(owed.may_declare, rules.approvals.groups)
    if not any(same_person(person, name) for name in people):
        form.mistakes.append(
            f"{person} may not declare an emergency: `may_declare` in emergencies.yaml allows it to "
            f"{', '.join(owed.may_declare)}. Have one of them declare it, now"
        )


def _agreed_at(form: _Form) -> datetime:
    given = form.since("agreed_at")
    if given and given > form.now + SKEW:
        form.mistakes.append(f"agreed_at: {given:%Y-%m-%d %H:%M} UTC has not come. Say when the commander said yes")
    elif given and given < form.now - OLDEST:
        form.mistakes.append(f"agreed_at: {given:%Y-%m-%d %H:%M} UTC is long ago. Ask the commander again")
    return given or form.now


def _made(form: _Form, rules: Policy | BadPolicy, frame: Frame, person: str) -> Made | None:
    """Return the ticket of what is to be done; its mistakes are those of the form."""
    named = [name for name in DONE if form.params.get(name)]
    if len(named) != 1:
        what = f"{' and '.join(named)} are given. Leave one of them" if named else "nothing is to be done. Give one"
        form.mistakes.append(f"{', '.join(DONE)}: {what}")
        return None
    facts = Facts(frame.now, None if isinstance(rules, BadPolicy) else rules, requester=person)
    try:
        made = {"standard": _standard, "ticket": _ticket, "step": _step}[named[0]](form, frame, facts)
    except BadYaml as bad:
        form.mistakes.append(bad.finding.text(named[0]))
        return None
    except BadRequest as bad_request:
        form.mistakes.append(f"{named[0]}: {bad_request}")
        return None
    form.mistakes += made.mistakes if made else ()
    return made


def _standard(form: _Form, frame: Frame, facts: Facts) -> Made | None:
    if facts.policy is None:
        raise BadRequest("the catalogue of standard changes cannot be read. Paste the ticket, or give the step alone.")
    people = {"owner": frame.executor, "reviewer": frame.commander}
    standards, name, values = facts.policy.standards, str(form.params["standard"]), _values(form)
    if values is None and name in standards.names():
        return None
    data = standards.ticket_data(name, values=values or {}, window={}, **people)
    del data["window"]
    return of_ticket(Document(data, {}), frame, facts, name="standard")


def _values(form: _Form) -> Mapping[str, Any] | None:
    """Return what is chosen for parameters; None where that is no JSON object."""
    values = form.params.get("values") or {}
    try:
        given = json.loads(values) if isinstance(values, str) else values
    except (ValueError, RecursionError):
        given = None
    if isinstance(given, Mapping):
        return given
    form.mistakes.append(f'values: {shown(str(values))} gives no values. Write JSON like {{"max_idle": 12}}')
    return None


def _ticket(form: _Form, frame: Frame, facts: Facts) -> Made | None:
    document = parse(str(form.params["ticket"]))
    if not isinstance(document.data, dict):
        form.mistakes.append("ticket: a ticket is a mapping of names to values. `changewindow new` shows one")
        return None
    return of_ticket(document, frame, facts)


def _step(form: _Form, frame: Frame, facts: Facts) -> Made | None:
    target, condition = form.text("target"), form.params.get("works_when")
    is_target = TARGET.fullmatch(target) is not None
    if not is_target:
        form.mistakes.append("target: write what is changed as environment/service, like production/orders")
    if not condition and not frame.unwatched_because:
        form.mistakes.append(
            f"works_when: nothing shows whether it worked. Give a condition like `{CONDITION}`, "
            "or say in `unwatched_because` why none can be given"
        )
        frame = replace(frame, unwatched_because="?")  # so that it is named once
    fields = {
        "target": target if is_target else "",
        "condition": condition,
        "no_undo_because": form.text("no_undo_because"),
        "summary": f"Emergency: {form.text('broken')}"[:LONGEST],
    }
    return of_step(str(form.params["step"]), fields, frame, facts)


def _marked(made: Made, frame: Frame, declared: Declared, person: str) -> Made:
    """Return the ticket with what only the form says of it; whoever declares it has said no yes of somebody else."""
    deeds = {"carries out": frame.executor, "declares": person}
    both = next((deed for deed, name in deeds.items() if same_person(name, frame.commander)), "")
    marks = [
        Skip("no_incident", "no incident was open") if not declared.incident else None,
        Skip("one_person", f"{frame.commander} commands and {both}: nobody else has said yes") if both else None,
        Skip("unwatched", f"nothing is measured: {frame.unwatched_because}") if frame.unwatched_because else None,
    ]
    return Made(made.data, made.normal, made.ticket, skips=(*made.skips, *(mark for mark in marks if mark)))
