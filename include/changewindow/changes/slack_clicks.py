"""Decides whether a click in Slack counts, and does what it asks for: as much as a click in Airflow, and once."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from changewindow.changes.buttons import OFFERED, Carried, label
from changewindow.changes.click_acts import Case, Click, JudgedBy, act_of
from changewindow.documents.text import spoken
from changewindow.errors import ApprovalRefused, ChangeError, LedgerDown
from changewindow.ledger import outbox, presses
from changewindow.ledger.payloads import ButtonPressed
from changewindow.policy.messages import FILE, Messages

CHANNEL = "slack"
LATEST = timedelta(minutes=10)
"""How old a click may be. Slack sends one that was not acknowledged again for five minutes."""


@dataclass(frozen=True)
class Decision:
    """What became of a click."""

    counts: bool
    sentence: str
    change: str = ""
    person: str = ""


def decide(by: JudgedBy, click: Click, now: datetime) -> Decision:
    """Do what a click asks for, if it counts; say what was done, or why not. Each click is recorded, once."""
    carried = Carried.read(click.value)
    change = carried.change if carried else ""
    try:
        return _decide(by, click, carried, now)
    except LedgerDown:
        about = f" on {change}" if change else ""
        return Decision(
            counts=False,
            sentence=f"Your click{about} does not count: the ledger does not answer. Click again once it is back.",
            change=change,
        )


def _decide(by: JudgedBy, click: Click, carried: Carried | None, now: datetime) -> Decision:
    card = outbox.standing_at(by.ledger, click.at)
    if card is None or carried is None or carried.change != card.change:
        sentence = "Your click does not count: this message is not known. Open the change in Airflow."
        return Decision(counts=False, sentence=sentence)
    pressed = ButtonPressed(
        channel=CHANNEL,
        user=click.user,
        action=click.action,
        click=click.id,
        digest=carried.digest,
        counts=False,
        sentence="",
    )
    person = f"{CHANNEL}:{click.user}"
    try:
        messages = _messages(by)
        person = _person(by, click, messages)
        case = Case(by, click, carried, person, messages, now)
        _require_current(case, card)
        act = act_of(case)
        done = presses.press(by.ledger, card.change, pressed, act, person=person, now=now)
    except LedgerDown:
        raise
    except ChangeError as error:
        refused = pressed.model_copy(update={"sentence": str(error)})
        done = presses.refuse(by.ledger, card.change, refused, person=person, now=now)
    sentence = f"{card.change}: {done.sentence}"
    if not done.counts:
        sentence = f"Your click on {card.change} does not count: {done.sentence.removeprefix(f'{card.change}: ')}"
    return Decision(done.counts, sentence, card.change, person)


def _messages(by: JudgedBy) -> Messages:
    """Return what messages.yaml says.

    Raises:
        ApprovalRefused: it cannot be read, so that nobody is known.
    """
    loaded = by.messages()
    if loaded.model is None:
        raise ApprovalRefused(f"{FILE} cannot be read, so that nobody is known here. Decide in Airflow.")
    return loaded.model


def _person(by: JudgedBy, click: Click, messages: Messages) -> str:
    """Return the user name of whoever clicked.

    Raises:
        ApprovalRefused: they are not known.
    """
    if click.workspace != (messages.workspace or by.workspace):
        raise ApprovalRefused(f"it comes from the Slack workspace {click.workspace}. Decide in Airflow.")
    return messages.person_of(click.user)


def _require_current(case: Case, card: outbox.Outgoing) -> None:
    """Make sure that the button is one of those that we offer there now.

    Raises:
        ApprovalRefused: it is not.
    """
    click, state = case.click, case.carried.state
    if case.carried.digest != card.digest:
        raise ApprovalRefused("the message shows another text of the change by now. Read it, and decide again.")
    if click.action not in OFFERED.get(state, ()):
        raise ApprovalRefused(f"'{label(click.action)}' is not possible while it is {spoken(state)}.")
    if not case.messages.rules(card.room).buttons:
        raise ApprovalRefused(f"{FILE} allows no buttons in {card.room}. Decide in Airflow.")
    if case.now - click.moment > LATEST:
        raise ApprovalRefused(f"it was made at {click.moment:%H:%M:%S} UTC and arrived too late. Click again.")
