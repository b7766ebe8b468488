"""Tells people and other tools of an emergency, beside what is done: nothing waits for them but a moment at the end."""

from collections.abc import Callable
from pathlib import Path
from queue import Queue
from threading import Event, Thread
from time import monotonic
from typing import Literal

from changewindow import settings
from changewindow.changes import direct_incident, emergency_messages, messages
from changewindow.changes.direct_book import Book
from changewindow.changes.direct_hands import Hands
from changewindow.changes.direct_incident import Asking
from changewindow.changes.emergency_direct import Ending
from changewindow.changes.marking import mark_all
from changewindow.cli.environment_connections import from_environment
from changewindow.cli.foreign_connections import known
from changewindow.errors import ChangeError
from changewindow.ledger.payloads import IncidentSeen, MarkerFailed, MarkerSent, MessageFailed, MessageSent, Payload
from changewindow.markers.base import MARKERS, Moment
from changewindow.notify.base import Message, NotDelivered, Tools
from changewindow.notify.slack import Channel
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.markers import load_markers
from changewindow.policy.outcome import Outcome

Todo = Queue[Callable[[], None]]
WITHIN = 3
"""Seconds that Slack has for an answer."""
AT_THE_END = 5.0
"""Seconds that are waited at the end for what has not been told yet."""
LATE = "it was not told before the terminal ended"


class Telling:
    """What is told to people, and to other tools; each in order, in a thread of their own."""

    def __init__(self, book: Book, hands: Hands, policy: Path, asking: Asking) -> None:
        self.book, self.hands, self.policy, self.asking = book, hands, policy, asking
        self.ticket, self.declared = book.ticket, book.declared
        self._begun = hands.now()
        self._incident: IncidentSeen | None = None
        self._is_asked, self._is_over = Event(), Event()
        self._said: set[str] = set()
        """Why people were not told, once each."""
        self._posts: Todo = Queue()
        self._marks: Todo = Queue()
        for todo in (self._posts, self._marks):
            Thread(target=self._work, args=(todo,), daemon=True).start()

    def began(self) -> None:
        """Tell that it is declared, for which incident, what is skipped, and what is done."""
        self._posts.put(self._find_incident)
        self._posts.put(self._began)
        self._mark("began")

    def _find_incident(self) -> None:
        try:
            self._incident = direct_incident.find(self.book, self.hands, self.asking)
        finally:
            self._is_asked.set()

    def _began(self) -> None:
        change, person = self.book.change, self.book.person
        for text in (
            emergency_messages.declared(change, self.ticket, self.declared, person=person, seen=self._incident),
            emergency_messages.skipped(change, self.declared, person=person),
            emergency_messages.acting(change, self.ticket, self.declared),
        ):
            self._posted(text)

    def ended(self, ending: Ending, outcome: Outcome) -> None:
        """Tell how it ended."""
        at = self.hands.now()
        end = messages.Ending(outcome=outcome, reason=ending.reason, started=self._begun, ended=at)
        self._posts.put(
            lambda: self._posted(emergency_messages.ended(self.book.change, self.ticket, end, self._owed()))
        )
        self._mark("ended", outcome, ending.reason)

    def _owed(self) -> Aftercare:
        """Return what it owes, as it was declared; the ledger may not know of it yet."""
        return Aftercare(
            self.book.change,
            "emergency",
            self.declared.digest,
            self.ticket.summary,
            self.ticket.targets,
            began=self._begun,
            requester=self.book.person,
            executor=self.declared.executor,
            commander=self.declared.commander,
            incident=self._incident.incident if self._incident and self._incident.opened else self.declared.incident,
            due=self.declared.due,
        )

    def finish(self) -> None:
        """Wait a moment for the incident and for what is still being told; the record says what was not."""
        self._is_asked.wait(direct_incident.WITHIN)
        give_up = monotonic() + AT_THE_END
        ends = [(todo, Event()) for todo in (self._posts, self._marks)]
        for todo, end in ends:
            todo.put(end.set)
        is_told = [end.wait(max(give_up - monotonic(), 0)) for _, end in ends]
        self._is_over.set()
        if not all(is_told):
            self.book.note(MessageFailed(reason=LATE))

    def _work(self, todo: Todo) -> None:
        while not self._is_over.is_set():
            try:
                todo.get()()
            except Exception as error:  # noqa: BLE001  what is told comes after it all the same
                self.hands.log(f"not told: {self.hands.secrets.line(f'{type(error).__name__} {error}')}")

    def _posted(self, text: str) -> None:
        if not text:
            return
        room, hidden = self.ticket.post_change.notify, self.hands.secrets.hidden(text)
        try:
            slack = known(settings.SLACK_CONNECTION)
            self.hands.secrets.learn(*slack.secrets)
            Channel().post(Tools(lambda _: slack, within=WITHIN), room, Message(hidden, self.hands.now()))
            self._note(MessageSent(room=room, text=hidden, channel="slack"))
        except (NotDelivered, ChangeError, ValueError) as error:
            reason = self.hands.secrets.line(str(error))
            if reason not in self._said and not self._is_over.is_set():
                self._said.add(reason)
                self.hands.log(f"not told in {room}: {reason}")
            self._note(MessageFailed(reason=reason))

    def _mark(self, kind: Literal["began", "ended"], outcome: str = "", reason: str = "") -> None:
        about = (self.ticket.summary, tuple(self.ticket.services), self.ticket.environment)
        moment = Moment(kind, self.book.change, self.book.run, *about, at=self.hands.now(), began=self._begun)
        if outcome:
            moment = Moment(
                kind,
                self.book.change,
                self.book.run,
                *about,
                at=self.hands.now(),
                began=self._begun,
                outcome=outcome,
                reason=reason,
            )
        self._marks.put(lambda: self._marked(moment))

    def _marked(self, moment: Moment) -> None:
        loaded = load_markers(self.policy)
        if loaded.model is None:
            wrong = "; ".join(finding.text(MARKERS) for finding in loaded.findings)
            self._note(MarkerFailed(marker=MARKERS, tool="other tools", moment=moment.kind, reason=wrong))
            return
        wanted = {name: marker for name, marker in loaded.model.markers.items() if marker.concerns(moment)}
        for marked in mark_all(wanted, moment, from_environment):
            tool = type(wanted[marked.name]).__module__.rpartition(".")[2]
            about = {"marker": marked.name, "tool": tool, "moment": moment.kind}
            if marked.failure:
                reason = self.hands.secrets.line(marked.failure)
                self.hands.log(f"'{marked.name}' was not told: {reason}")
                self._note(MarkerFailed(**about, reason=reason))
            else:
                self._note(MarkerSent(**about, reference=self.hands.secrets.line(marked.reference)))

    def _note(self, payload: Payload) -> None:
        if not self._is_over.is_set():
            self.book.note(payload)
