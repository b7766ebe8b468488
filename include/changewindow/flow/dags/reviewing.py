"""The DAGs of what comes after a change, and run nothing: its review, and what became of follow-ups."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.definitions.context import Context

from changewindow import settings
from changewindow.changes import aftercare_messages, messages
from changewindow.changes.drafting import draft, keep
from changewindow.changes.review_form import TEMPLATE, follow_up_of, review_of
from changewindow.changes.review_text import follow_up_lines, followed_up, review_lines
from changewindow.errors import BadRequest, ChangeError
from changewindow.flow.dags.interventions import CHANGE
from changewindow.flow.noted import note, refusal_noted
from changewindow.flow.own_dag import FOLLOW_UP, REVIEW, ZONE, own_dag
from changewindow.flow.people import NOBODY
from changewindow.flow.posting import post
from changewindow.flow.requested import origin_of
from changewindow.flow.runtime import ledger, log, now, person_of, policy
from changewindow.flow.secrecy import SECRETS, clean
from changewindow.ledger import reviews
from changewindow.ledger.database import Ledger
from changewindow.policy.check import Facts
from changewindow.policy.model import Policy

REVIEW_DOCUMENT = """\
The post-implementation review of an emergency, of what was done by hand, or of a change that was rolled back: what
happened, whom it hit from when to when, why it could not be a normal change, what would have made it one, and who does
what by when. Anybody may write it, each person once. The first one counts; a later one adds to it.

With a name under *Template*, a draft of one is written from what ran, for people to review. It approves nothing:
`changewindow draft CHG-1042` prints the same.
"""
FOLLOW_UP_DOCUMENT = """\
Say that a follow-up of a review is done, or that a temporary workaround is gone; or give it another owner or day. Until
then its people are reminded each day once it is past its day, or has no owner.
"""


@dataclass(frozen=True)
class Told:
    """What a person has filled in."""

    change: str
    params: dict[str, Any]
    person: str
    run: str
    at: datetime
    rules: Policy
    log_url: str
    """Where the log of the task is read."""

    def post(self, text: str) -> None:
        """Post a message about the change, where the policy wants those of what is owed."""
        post(text, self.at, self.rules.emergencies.room or settings.ROOM, change=self.change)


Do = Callable[[Ledger, Told], list[str]]
"""Writes what somebody has filled in; returns what was done, as lines."""


class Tell(BaseOperator):
    """Puts what somebody has filled in into the ledger, under the name with which Airflow knows them."""

    def __init__(self, *, do: Do, **options: Any) -> None:
        super().__init__(**options)
        self.act = do

    def execute(self, context: Context) -> None:
        """Write it, and leave what was done as the note of the run.

        Raises:
            AirflowFailException: it is not taken; says every reason.
        """
        params = dict(context["params"])
        with refusal_noted(context):
            person, run, at = person_of(context), origin_of(context), now()
            told = Told(str(params["change"]), params, person, run, at, policy(), str(context["ti"].log_url))
            if told.person == NOBODY:
                raise BadRequest(f"Nobody is known to have triggered this run. Trigger {self.dag_id} in your own name.")
            note(context, self.act(ledger(), told))


def review(here: Ledger, told: Told) -> list[str]:
    """Write a review, with the draft of a standard change if one is wanted."""
    owed = reviews.owing_review(here, told.change)
    written = review_of(told.params, owed, standards=told.rules.standards.names(), now=told.at, run=told.run)
    about_draft = ""
    if name := str(told.params.get("template") or "").strip():
        path, about_draft = _drafted(here, told, name)
        written = written.model_copy(update={"template": path})
    result = reviews.review(here, told.change, clean(written), person=told.person, now=told.at)
    if result.is_new:
        told.post(aftercare_messages.reviewed(result.owed, clean(written), person=told.person))
    return [*review_lines(result.owed, told.person), *filter(None, [about_draft])]


def _drafted(here: Ledger, told: Told, name: str) -> tuple[str, str]:
    """Write the draft, into the log too: few may read the files of this host. A review never fails for its draft.

    Return its file and what is said of it.
    """
    places, where = settings.read(), ""
    try:
        made = draft(here, told.change, Facts(now=told.at, policy=told.rules), name=name)
        hidden = SECRETS.hidden(made.text)
        log.info("the draft of a standard change, %s.yaml:", name)
        for line in hidden.splitlines():
            log.info("| %s", line)
        where = f"The draft of a standard change stands in the log of this task: {told.log_url}"
        path = keep(replace(made, text=hidden), places.drafts, name, live=places.templates)
    except ChangeError as error:
        return "", f"{where or 'No draft was made'}. No file of it was written. {error}"
    return str(path), f"{where}. It approves nothing. It is kept as {path}, on the host of the worker."


def follow_up(here: Ledger, told: Told) -> list[str]:
    """Write what became of a follow-up or a workaround."""
    said = clean(follow_up_of(told.params, now=told.at, run=told.run))
    result = reviews.follow_up(here, told.change, said, person=told.person, now=told.at)
    if result.is_new:
        told.post(messages.message(followed_up(told.change, said, told.person)))
    return follow_up_lines(result.owed, said, told.person)


def build_review_dag() -> DAG:
    """Return the DAG `review_change` with its form."""
    description = "Write the post-implementation review of an emergency, of a record, or of what was rolled back."
    with own_dag(REVIEW, description, params=review_form(), document=REVIEW_DOCUMENT) as dag:
        Tell(task_id="review", do=review)
    return dag


def build_follow_up_dag() -> DAG:
    """Return the DAG `follow_up` with its form."""
    description = "Say that a follow-up is done or a workaround gone, or give it another owner or day."
    with own_dag(FOLLOW_UP, description, params=follow_up_form(), document=FOLLOW_UP_DOCUMENT) as dag:
        Tell(task_id="follow_up", do=follow_up)
    return dag


def _text(title: str, description: str, **schema: Any) -> Param:
    required = {"type": "string", "minLength": 3} if schema.pop("required", False) else {"type": ["null", "string"]}
    given = () if required["type"] == "string" else (None,)
    return Param(*given, **{"maxLength": 5000, **required, **schema}, title=title, description=description)


def review_form() -> dict[str, Param]:
    """Return the parameters of `review_change`."""
    long: dict[str, Any] = {"format": "multiline"}
    why = "Of an emergency or a record: why nobody could wait for approval and window."
    what = "Of an emergency or a record: what is missing, such as a standard change, or an alert."
    began = f"Since when anybody was affected. Empty: nobody was. {ZONE}"
    todo = "One a line, what | owner | day, like: alert earlier | alice | YYYY-MM-DD. Who has none is chased."
    name = "The name of a standard change to draft from what ran, like restart_orders; empty: none."
    return {
        "change": CHANGE,
        "what_happened": _text("What happened", "In a few sentences.", required=True, **long),
        "impact_from": _text("Impact from", began, format="date-time"),
        "impact_to": _text("Impact to", f"Until when. {ZONE}", format="date-time"),
        "why_not_normal": _text("Why not a normal change", why, **long),
        "what_would_be_normal": _text("What would have made it one", what, **long),
        "follow_ups": _text("Follow-ups", todo, **long),
        "template": _text("Template", name, pattern=f"^({TEMPLATE.pattern})?$"),
    }


def follow_up_form() -> dict[str, Param]:
    """Return the parameters of `follow_up`."""
    about = "The number of a follow-up (1 is the first that the review names), or the word workaround."
    return {
        "change": CHANGE,
        "about": Param(type="string", minLength=1, maxLength=20, title="About", description=about),
        "reason": _text("Reason", "What was done, or why it is moved.", required=True, maxLength=500),
        "done": Param(True, type="boolean", title="Done", description="Untick it to give another owner or day."),
        "owner": _text("New owner", "A user name. Empty: as before.", maxLength=200),
        "due": _text("New due day", "Until the evening of that day, in UTC. Empty: as before.", format="date"),
    }
