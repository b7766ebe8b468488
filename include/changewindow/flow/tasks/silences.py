"""Opens, renews and ends the silences of a change beside its tasks: none of them waits for more than a few seconds."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Literal

from changewindow import settings
from changewindow.changes.silencing import RENEWALS, Silencer, Silencing, known
from changewindow.errors import ChangeError
from changewindow.flow.airflow_connection import of_ticket
from changewindow.flow.runtime import Run, log
from changewindow.flow.secrecy import SECRETS
from changewindow.ledger import events
from changewindow.ledger.payloads import Payload
from changewindow.systems.connection import Connection
from changewindow.systems.left_behind import run_alone
from changewindow.systems.measurement import SourceContext
from changewindow.watch.shared_answers import client


@dataclass(frozen=True)
class Prepared:
    """All that it takes, looked up before: a thread of its own does not talk to Airflow while its task does."""

    run: Run
    silencing: Silencing
    known: Mapping[str, Connection | ChangeError]
    lease: timedelta

    async def act(self, what: Literal["keep", "end"]) -> None:
        """Keep or end the silences."""
        async with client() as http:
            context = SourceContext(http, self._connection, change=self.silencing.change, secrets=SECRETS)
            write = self._record if what == "keep" else self.run.note
            recorded = partial(known, self.run.ledger, self.silencing)
            silencer = Silencer(self.silencing, recorded, context, self.lease, write, log.log)
            await (silencer.keep() if what == "keep" else silencer.end())

    async def _connection(self, name: str) -> Connection:
        known = self.known[name]
        if isinstance(known, ChangeError):
            raise known
        return known

    def _record(self, payload: Payload) -> None:
        """Write an event, unless the ledger is down: what it says of a silence is not worth the spool."""
        try:
            events.record(self.run.ledger, self.run.event(payload))
        except ChangeError as error:
            log.warning("the event '%s' is not recorded: %s", payload.kind, error)


def open_silences(run: Run) -> None:
    """Open the silences of a run that has passed its gate; without them people are told, and the change goes on."""
    _now(run, "keep")


def end_silences(run: Run) -> None:
    """End the silences of a run that is over; what cannot be ended lapses."""
    _now(run, "end")


@contextmanager
def silences_renewed(run: Run) -> Iterator[None]:
    """Renew the silences of a run until the block ends, in a thread that nothing waits for."""
    over = threading.Event()
    prepared = prepare(run)
    if prepared:
        threading.Thread(target=_renew, args=(prepared, over), name="changewindow-silences", daemon=True).start()
    try:
        yield
    finally:
        over.set()


def prepare(run: Run) -> Prepared | None:
    """Return what it takes to act on the silences of a run; nothing where it has none, or that cannot be read."""
    try:
        silencing = None if run.is_dry else Silencing.of(run.change.id, run.id, run.ticket)
        if silencing is None:
            return None
        _ = run.ledger, run.spool  # looked up here
        names = {silence.connection for silence in silencing.silences}
        return Prepared(run, silencing, {name: _looked_up(name) for name in names}, settings.read().silence_lease)
    except (ChangeError, ValueError) as error:
        log.warning("what the change silences is not known: %s", error)
        return None


def _looked_up(name: str) -> Connection | ChangeError:
    try:
        return of_ticket(name)
    except ChangeError as error:
        return error


def _now(run: Run, what: Literal["keep", "end"]) -> None:
    prepared = prepare(run)
    if prepared:
        _guarded(prepared, what)


def _renew(prepared: Prepared, over: threading.Event) -> None:
    while not over.is_set():
        _guarded(prepared, "keep")
        over.wait(prepared.lease.total_seconds() / RENEWALS)


def _guarded(prepared: Prepared, what: Literal["keep", "end"]) -> None:
    try:
        run_alone(prepared.act(what))
    except Exception:  # noqa: BLE001  whatever it is, it fails no change
        log.exception("the silences are left as they are, and the change goes on")
