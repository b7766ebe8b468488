"""Message tasks beside the pipeline, for people and for other tools: they never fail, and nothing waits for them."""

from dataclasses import replace
from datetime import datetime
from typing import Literal

from changewindow.changes import emergency_messages, messages
from changewindow.changes.handover import Closed, Passed, Restored
from changewindow.changes.run_memory import legible
from changewindow.errors import ChangeError
from changewindow.flow.owed import owed_by
from changewindow.flow.people import NOBODY
from changewindow.flow.posting import sent
from changewindow.flow.runtime import Run, log, now, person_of
from changewindow.flow.tasks.markers import mark
from changewindow.flow.tasks.steps import ChangeOperator
from changewindow.ledger import changes, events
from changewindow.ledger.payloads import Aborted, MessageFailed, MessageSent, Started, Undone
from changewindow.markers.base import Moment
from changewindow.notify.base import Message as Text


class Message(ChangeOperator):
    """Posts one message into the change's thread; a message that does not arrive is an event, not a failure."""

    def message(self, run: Run) -> Text | None:
        """Return what to say, if anything."""
        raise NotImplementedError

    def moment(self, run: Run) -> Moment | None:
        """Return what other tools are told of, if anything."""
        raise NotImplementedError

    def do(self, run: Run) -> None:
        """Post it, and tell other tools; a dry run tells nobody."""
        if not run.is_dry:
            self._post(run)
            mark(run, lambda: self.moment(run))

    def _post(self, run: Run) -> None:
        """Write it into the log, which is the room where there is no other; a channel shows the change as it is."""
        try:
            message = self.message(run)
            if message:
                for outcome in sent(message, run.ticket.post_change.notify, is_kept=_is_up(run)):
                    run.note(outcome)
        except (ChangeError, ValueError) as error:
            log.warning("the message was not delivered, and the change goes on: %s", error)
            run.note(MessageFailed(reason=str(error)))


class Announce(Message):
    """Says that the change begins."""

    def message(self, run: Run) -> Text:
        """Return the message before the change, or its rollback, which speaks of the moment of its gate."""
        owed = owed_by(run)
        mark = emergency_messages.drill(is_drill=owed is not None and owed.is_drill)
        return Text(f"{mark}{self._text(run)}", _started(run))

    def _text(self, run: Run) -> str:
        if run.mode != "rollback":
            return messages.deploying(run.change.id, run.ticket)
        person, reason = person_of(run.context), str(run.params.get("reason") or "")
        by = "" if person == NOBODY else person
        return messages.rolling_back(run.change.id, run.ticket, reason, by)

    def moment(self, run: Run) -> Moment | None:
        """Return the moment at which the run passed its gate; once it has ended, its end alone is told."""
        if legible(run, Closed, "close") is not None:
            return None
        kind: Literal["began", "rolling_back"] = "rolling_back" if run.mode == "rollback" else "began"
        at = _started(run)
        return replace(_moment(run, at), kind=kind, reason=str(run.params.get("reason") or ""))


class Report(Message):
    """Says how the change ended."""

    def message(self, run: Run) -> Text | None:
        """Return the message after the change."""
        closed = _closed(run)
        if closed is None or (not closed.is_news and _is_reported(run)):
            return None
        restored = legible(run, Restored, "close")
        ending = messages.Ending(
            outcome=closed.outcome,
            reason=closed.reason,
            started=run.context["dag_run"].start_date,
            ended=closed.at,
            restored=restored.at if restored else None,
            back_to=_back_to(run),
            is_by_hand=_is_by_hand(run),
            head=_head(run),
        )
        return Text(emergency_messages.ended(run.change.id, run.ticket, ending, owed_by(run)), closed.at)

    def moment(self, run: Run) -> Moment | None:
        """Return the moment at which the run ended; of one that never passed its gate, nobody was told."""
        closed = _closed(run)
        if closed is None or not _has_begun(run):
            return None
        began = _moment(run, min(_started(run), closed.at))
        return replace(began, kind="ended", at=closed.at, outcome=closed.outcome, reason=closed.reason)


def _moment(run: Run, began: datetime) -> Moment:
    """Return the moment at which the run began to act."""
    ticket = run.ticket
    about = (ticket.summary, tuple(ticket.services), ticket.environment)
    return Moment("began", run.change.id, run.id, *about, at=began, began=began)


def _has_begun(run: Run) -> bool:
    """Return whether the run passed its gate, as its tasks or the ledger know."""
    if legible(run, Passed, "gate") is not None:
        return True
    try:
        return any(event.run == run.id for event in run.past(Started))
    except ChangeError as error:
        log.warning("%s", error)
        return False


def _started(run: Run) -> datetime:
    """Return when the run passed its gate; while the ledger is down, nobody can say how late it is."""
    try:
        starts = events.history(run.ledger, run.change.id, Started.kind)
        starts = [row for row in starts if getattr(events.payload(row), "run", "") == run.id] or starts
    except ChangeError as error:
        log.warning("%s", error)
        return now()
    return starts[-1].at if starts else now()


def _back_to(run: Run) -> tuple[str, ...]:
    """Return what each step that this run has undone went back to, as far as the record says."""
    try:
        undone = {event.step: event for event in run.past(Undone) if event.run == run.id}
    except ChangeError as error:
        log.warning("%s", error)
        return ()
    return tuple(f"'{event.name}': {event.restored}" for event in undone.values() if event.restored)


def _is_by_hand(run: Run) -> bool:
    """Return whether a person has ended this run, or triggered it to roll back; what is not known was nobody."""
    if run.mode == "rollback":
        return person_of(run.context) != NOBODY
    try:
        return bool(events.past(run.ledger, run.change.id, Aborted))
    except ChangeError as error:
        log.warning("%s", error)
        return False


def _head(run: Run) -> str:
    """Return the head of the chain, to be kept where the ledger's owner cannot write; empty while it is down."""
    try:
        return events.head(run.ledger, run.change.id)
    except ChangeError as error:
        log.warning("%s", error)
        return ""


def _closed(run: Run) -> Closed | None:
    """Return how the run ended; nothing if that is no news of this run.

    A `close` that died after it had recorded the end finds at its next try that nothing is left to do: whether anybody
    was told is not known then.
    """
    closed = legible(run, Closed, "close")
    if closed is None:
        reason = "`close` did not end; its log says why"
        return _recorded(run, is_news=True) or Closed(outcome="rollback_failed", reason=reason, at=now(), is_news=True)
    return closed if closed.is_news else _recorded(run, is_news=False)


def _recorded(run: Run, *, is_news: bool) -> Closed | None:
    """Return how the ledger says that the run has ended; nothing where it does not."""
    try:
        change = changes.get(run.ledger, run.change.id)
        if change.run == run.id and change.closed_at is not None:
            fields = {"outcome": change.status, "reason": change.reason, "at": change.closed_at, "is_news": is_news}
            return Closed.model_validate(fields)
    except (ChangeError, ValueError) as error:
        log.warning("%s", error)
    return None


def _is_reported(run: Run) -> bool:
    """Return whether people were told how the run ended, or whether nobody can say."""
    try:
        sent = events.history(run.ledger, run.change.id, MessageSent.kind)
    except ChangeError as error:
        log.warning("%s", error)
        return True
    return any(row.actor == f"{run.id}/report" for row in sent)


def _is_up(run: Run) -> bool:
    """Return whether the ledger answers: then the sender shows what becomes of the change."""
    try:
        return bool(events.head(run.ledger, run.change.id))
    except ChangeError as error:
        log.warning("%s", error)
        return False
