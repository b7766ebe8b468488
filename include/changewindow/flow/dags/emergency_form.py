"""The form of `emergency_change`: few fields are needed, and those come first."""

from typing import Any

from airflow.sdk import Param

from changewindow import settings
from changewindow.changes.emergency_ticket import CONDITION
from changewindow.flow.own_dag import ZONE
from changewindow.policy.templates import choices_of

DOCUMENT = """\
Production is down, and something has to be changed **now**: say what is broken, who commands the incident and has said
yes, and what is to be done: a **standard change**, a **ticket**, or **one step**. It begins at once.

Skipped are calendar, freezes, lead time, approvals and preflight; what was skipped is found out, recorded, and told to
those whose yes it was. Not skipped are the lease on the target, what undo needs, watch, rollback and record. Afterwards
somebody who has neither asked, done nor commanded approves it (`retroactive_approval`), and it is reviewed.
"""
A_STANDARD, A_STEP, MORE = "Or a standard change", "Or one step", "More"
A_TICKET = """\
What to do, as YAML; its window does not matter. Or leave it empty, and open one of the two sections below."""
STEP = """\
As YAML, with its undo, like {kind: command, run: [systemctl, restart, orders], undo: nothing}. The command
'changewindow kinds' shows every kind with an example."""
WORKS = f"What shows that it worked; otherwise it is rolled back. As YAML, like {CONDITION}."

DECLARES = """\
If none is open: opens it at PagerDuty or Opsgenie, where 'incidents' in emergencies.yaml names one of them."""


HELD = {"null": "as the policy says", "wait": "wait for it", "take_over": "have it rolled back, and take over"}
OPTIONAL: dict[str, Any] = {"type": ["null", "string"]}
LINE = {**OPTIONAL, "maxLength": 300}
TEXT = {**OPTIONAL, "format": "multiline", "maxLength": 1_000_000}
MOMENT = {**OPTIONAL, "format": "date-time"}


def form() -> dict[str, Param]:
    """Return the parameters of `emergency_change`."""
    return {**_why(), **_what(), **_one_step(), **_more()}


def _why() -> dict[str, Param]:
    return {
        "broken": Param(
            type="string", minLength=3, maxLength=300, title="What is broken", description="In a sentence."
        ),
        "commander": Param(
            type="string",
            minLength=1,
            maxLength=100,
            title="Incident commander",
            description="User name of whoever commands the incident and has said yes.",
        ),
        "incident": Param(None, **LINE, title="Incident", description="Its id or address. Empty: none is open."),
        "declare_incident": Param(default=False, type="boolean", title="Declare an incident", description=DECLARES),
    }


def _what() -> dict[str, Param]:
    folder = settings.read().templates
    templates = sorted(path.stem for path in folder.glob("*.yaml"))
    choices = f'Of its parameters, as JSON, like {{"max_idle": 12}}. For {"; ".join(choices_of(folder))}.'
    within = {"section": A_STANDARD}
    listed = {**OPTIONAL, **within, "enum": [None, *templates], "title": "Standard change"}
    listed["values_display"] = {"null": "none", **{name: name for name in templates}}
    return {
        "ticket": Param(None, **TEXT, title="Ticket", description=A_TICKET),
        "standard": Param(None, **listed, description="From the catalogue."),
        "values": Param({}, type=["null", "object"], **within, title="Values", description=choices),
    }


def _one_step() -> dict[str, Param]:
    line, text = {**LINE, "section": A_STEP}, {**TEXT, "section": A_STEP}
    because = "Why it cannot be undone: a person is called instead. Empty: it has an undo."
    unwatched = "Why nothing can show that it worked, so that nothing rolls it back by itself; of a ticket, too."
    return {
        "target": Param(None, **line, title="Target", description="As environment/service, like production/orders."),
        "step": Param(None, **text, title="Step", description=STEP),
        "no_undo_because": Param(None, **line, title="No undo, because", description=because),
        "works_when": Param(None, **text, title="Works when", description=WORKS),
        "unwatched_because": Param(None, **line, title="Unwatched, because", description=unwatched),
    }


def _more() -> dict[str, Param]:
    line, moment = {**LINE, "section": MORE}, {**MOMENT, "section": MORE}
    held = {**OPTIONAL, "section": MORE, "enum": [None, "wait", "take_over"], "values_display": HELD}
    held_by, waits = "If another change holds the target", "Empty: as 'held' in emergencies.yaml says."
    yes = f"When the commander said yes. Empty: now. {ZONE}"
    gone = f"When it has to be gone again. Empty: it stays. {ZONE}"
    agrees = (
        "User name of who else agrees, as the policy knows them; only asked where a review of the target is overdue "
        "and no incident is open. It is recorded as named, not proven."
    )
    return {
        "agreed_at": Param(None, **moment, title="Agreed at", description=yes),
        "agreed_how": Param(
            None,
            **line,
            title="Agreed how",
            description="Like: by phone, in the incident channel.",
        ),
        "executor": Param(None, **line, title="Executor", description="User name of whoever does it. Empty: you."),
        "workaround_until": Param(
            None,
            **moment,
            title="Workaround until",
            description=gone,
        ),
        "second_person": Param(None, **line, title="Second person", description=agrees),
        "held": Param(None, **held, title=held_by, description=waits),
    }
