"""The contract of a collector: look at a span of time, and say what changed in it and how much of it was seen."""

import os
import secrets
import signal
from asyncio import timeout
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from changewindow.documents.types import Duration, Model, Name, duration_text
from changewindow.kinds import explain_kind
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.fingerprints import fingerprint
from changewindow.systems.hosts.looking import printed_on
from changewindow.systems.hosts.machine import Line, complaint
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.systems.place import Place, Sort, place_behind
from changewindow.systems.process.output import Printed, printed

OurChanges = Callable[[Span], Awaitable[Collected]]
"""Looks up what our own changes did."""
PutBack = list[dict[str, Any]] | str
"""Steps as tickets have them, with a blank such as `<airflow_connection>` for what only a person knows; or why none."""


@dataclass(kw_only=True)
class CollectorContext(SourceContext):
    """What a collector may use: all that a source may, and programs that only read, here and on hosts.

    `kept` is JSON that it leaves there for its next look: small, and perhaps lost in between. Who compares with it
    keeps what changed and when, not only how it is now: asked once more for the same span, the answer is the same.
    """

    folder: Path
    """Its own, where it keeps what it would otherwise fetch each time, such as a mirror; perhaps empty, or missing."""
    key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    """Makes fingerprints: the same key makes the same ones."""
    our_changes: OurChanges | None = None
    """None where no ledger is at hand."""
    running: set[int] = field(default_factory=set)
    """The programs that run for it now."""
    is_abandoned: bool = False

    def abandon(self) -> None:
        """Kill what runs for the collector, since nobody waits for it any more; any thread may call it."""
        self.is_abandoned = True
        for process in tuple(self.running):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process, signal.SIGKILL)

    def fingerprint(self, secret: str | bytes) -> str:
        """Return what stands for a secret value: the same for the same one, and nobody can tell which it is."""
        return fingerprint(self.key, secret)

    async def run(
        self, *arguments: str, host: str | None = None, environment: Mapping[str, str] | None = None
    ) -> Printed:
        """Return what a program prints that only reads, here or on the host of an SSH connection, and its exit code.

        It is killed with what it has started when nobody waits for it any more.

        Raises:
            SourceError: `unreachable`, it cannot be run there.
            UnknownConnection: there is no such connection.
        """
        if self.is_abandoned:
            raise SourceError("late", "nobody waits for it any more")
        if host is not None:
            return await printed_on(await self.connection(host), *arguments, running=self.running)
        try:
            return await printed(*arguments, environment=environment, running=self.running)
        except OSError as error:
            missing = f"'{arguments[0]}' cannot be started on this machine: {error.strerror}"
            raise SourceError("unreachable", f"{missing}. Install it here, or name the host that has it") from error

    async def read(
        self, *arguments: str, host: str | None = None, environment: Mapping[str, str] | None = None
    ) -> bytes:
        """Return what a program prints, which has to end well; see `run`.

        Raises:
            SourceError: `unreachable`, it cannot be run there, or fails; the text holds its last complaint.
        """
        ran = await self.run(*arguments, host=host, environment=environment)
        if ran.code:
            place = f" on {(await self.connection(host)).host}" if host else ""
            raise SourceError("unreachable", f"'{arguments[0]}'{place} failed: {complaint(ran)}")
        return ran.output

    async def clock_off(self, host: str | None) -> timedelta:
        """Return how far the clock of a host is ahead of ours, to the second; this machine's clock is ours."""
        if host is None:
            return timedelta(0)
        asked = time()
        answer = float(await self.read("date", "+%s", host=host))
        if asked - 1 <= answer <= time():
            return timedelta(0)
        return timedelta(seconds=round(answer + 0.5 - (asked + time()) / 2))


class CollectorBase(Model):
    """Somewhere that changes of the world show; a collector never decides whether a change was announced."""

    model_config = ConfigDict(json_schema_extra=explain_kind)

    looks_at: ClassVar[Sort] = ""
    """What stands behind its `connection`, if all that it sees happened there; a host without one is this machine."""

    service: Name | Literal[""] = ""
    """The service whose changes show there, as in services.yaml; without it, those of all services."""
    environment: Name | Literal[""] = ""
    """The environment, as in services.yaml; without it, all of them."""
    within: Annotated[Duration, Field(gt=timedelta(0), le=timedelta(minutes=5))] = timedelta(seconds=4)
    """How long one look may take."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return the command lines that it runs as root, each whole; all of them only read."""
        return ()

    async def look(self, span: Span, context: CollectorContext) -> Collected:
        """Return what it saw of a span, the newest first, bounded, on our clock and without secrets.

        Raises:
            SourceError: it cannot see; the text says why, and what to do.
            UnknownConnection: there is no such connection.
        """
        try:
            async with timeout(self.within.total_seconds()):
                collected = await self.collect(span, context)
        except TimeoutError as error:
            late = f"no answer within {duration_text(self.within)}"
            raise SourceError("late", f"{late}. Ask for less time, or raise its `within`") from error
        return _without_secrets(collected.within(span).seen_at(await self._place(context)), context)

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Return what changed in a span, and what it could see of it. Only reads.

        What it returns is in its own time: who knows that its clock is off says so in the coverage. Order, entries
        from outside of the span and the length of texts do not matter; memory does.

        Raises:
            SourceError: it cannot see; the text says why, and what to do.
            UnknownConnection: there is no such connection.
        """
        raise NotImplementedError

    async def _place(self, context: CollectorContext) -> Place | None:
        """Return where it looks: what a step does elsewhere explains nothing there."""
        name = getattr(self, "connection", None)
        return place_behind(self.looks_at, await context.connection(name) if self.looks_at and name else None)

    def put_back(self, entry: Entry) -> PutBack:
        """Return the steps that take an entry back, or why no step can; a person reads them before anybody runs them.

        It asks nobody: all that it knows is the entry, and the settings of the collector.
        """
        return "this collector sees that it was changed, and not what it was before; write the ticket by hand"


def _without_secrets(collected: Collected, context: CollectorContext) -> Collected:
    hide = context.secrets.hidden
    coverage = replace(collected.coverage, why=hide(collected.coverage.why))
    return Collected(tuple(entry.hiding(hide) for entry in collected.entries), coverage)
