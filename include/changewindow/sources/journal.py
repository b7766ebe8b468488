"""Counts the entries of a systemd unit in the journal, at or above a priority, since the change or over a time.

`journalctl` of this host reads them: the host's own journal, or with `directory` or `file` one that was brought here,
for instance by systemd-journal-remote. Whoever runs Airflow must be in the group `systemd-journal`. A unit without any
entry is `no_data`: it may be misspelt. A journal that was brought here is as good as its newest entry, of any unit.
At most the newest 10000 entries are counted; where there are more of this priority, `matching` has no answer, nor has
a limit above that number. Where the journal's rate limit has left out entries of the unit, their number is known to be
at least what was counted: enough to be too many, and never few enough.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from changewindow.documents.refusal import refusal
from changewindow.documents.types import Duration, Expression, duration_text
from changewindow.sources.base import SourceBase
from changewindow.systems import expressions
from changewindow.systems.measurement import Answer, SourceContext, SourceError
from changewindow.systems.process.apart import apart
from changewindow.systems.process.output import printed

EXAMPLE = {"kind": "journal", "unit": "orders.service", "priority": "err", "over": "15m"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST = 10_000
SHOWN = 100
SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"
"""How journald marks that it has left out entries of a unit which logs too much (SD_MESSAGE_JOURNAL_DROPPED)."""
Entry = dict[str, Any]


class Source(SourceBase):
    """Journal entries that are counted."""

    kind: Literal["journal"] = "journal"
    is_about_the_asker: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would start journalctl on files of the ticket's choosing"

    unit: str = Field(pattern=r"^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]*$")
    """The systemd unit, like `orders.service`."""
    priority: Literal["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"] = "err"
    """Entries of this priority and of more urgent ones are counted."""
    matching: Expression = ""
    """Regular expression that is found in the message; without it, every entry counts."""
    over: Duration | None = Field(default=None, gt=timedelta(0))
    """How far to look back; without it, to the end of the last step, which only the watch can."""
    directory: str = Field(default="", pattern="^(/|$)")
    """A folder of journal files, instead of this host's journal."""
    file: str = Field(default="", pattern="^(/|$)")
    """A journal file, or a pattern of several, instead of this host's journal."""

    @model_validator(mode="after")
    def _reads_one_journal(self) -> Self:
        if self.directory and self.file:
            raise refusal("it reads one journal", "Write `directory` or `file`.")
        return self

    @property
    def _place(self) -> list[str]:
        if self.directory:
            return [f"--directory={self.directory}"]
        return [f"--file={self.file}"] if self.file else []

    def description(self) -> str:
        """Return which entries are counted."""
        of = f" matching {self.matching}" if self.matching else ""
        since = f"over {duration_text(self.over)}" if self.over else "since the last step"
        return (
            f"entries of {self.unit} at {self.priority} or above{of} {since}, {self.directory or self.file or 'here'}"
        )

    async def ask(self, context: SourceContext) -> Answer:
        """Count them."""
        started = context.now()
        since = started - self.over if self.over else context.since
        if since is None:
            raise SourceError("invalid", "before a change there is no last step to count from; write `over`")
        if not await self._read(f"--unit={self.unit}", "--lines=1"):
            fault = f"the journal has no entry of the unit '{self.unit}' at all"
            raise SourceError("no_data", f"{fault}. Is it spelled right, and does it log on this host?")
        at = started
        if self._place:  # a clock that is ahead there must not make it newer than every step
            at = min(started, _time(json.loads((await self._read("--lines=1")).splitlines()[-1])))
        asked = [f"--unit={self.unit}", f"--priority={self.priority}", f"--since=@{since.timestamp():.6f}"]
        read = await self._read(*asked, f"--lines={MOST}")
        count, newest = await apart(self._counted, len(read), read, since)
        lost = "no more are counted" if count >= MOST else await self._lost(since)
        note = lost or (f"the last one: {newest}" if newest else "")
        return Answer(count, at, f"journalctl {' '.join(asked)}", note, is_at_least=bool(lost))

    async def _lost(self, since: datetime) -> str:
        """Return why more may have been logged than the journal holds: its rate limit leaves entries of a unit out."""
        read = await self._read(f"MESSAGE_ID={SUPPRESSED}", f"--since=@{since.timestamp():.6f}", f"--lines={MOST}")
        entries = map(json.loads, read.splitlines())
        is_lost = any(_time(entry) > since and _message(entry).endswith(f" from {self.unit}") for entry in entries)
        return f"journald has suppressed entries of {self.unit}" if is_lost else ""

    def _counted(self, read: bytes, since: datetime) -> tuple[int, str]:
        """Return how many entries count, and the message of the newest one."""
        entries: list[Entry] = [json.loads(line) for line in read.splitlines()]
        if self.matching and len(entries) >= MOST:
            remedy = "Ask for a more urgent `priority`, or look back less far by `over`"
            raise SourceError("invalid", f"the unit has logged {MOST} entries or more, too many to search. {remedy}")
        counted = [entry for entry in entries if self._counts(entry, since)]
        return len(counted), " ".join(_message(counted[-1]).split())[:SHOWN] if counted else ""

    def _counts(self, entry: Entry, since: datetime) -> bool:
        return _time(entry) > since and (not self.matching or expressions.occurs(self.matching, _message(entry)))

    async def _read(self, *asked: str) -> bytes:
        """Return what journalctl prints.

        Raises:
            SourceError: it could not read all of the journal.
        """
        arguments = ["--output=json", "--all", "--output-fields=MESSAGE", "--no-pager", *self._place, *asked]
        try:
            ran = await printed("journalctl", *arguments)
        except OSError as error:
            raise SourceError("unreachable", f"journalctl cannot be started here: {error.strerror}") from error
        # It also ends with 0 where it may not read, or where it skips a damaged file; then it complains.
        complaint = " ".join(ran.complaint.decode(errors="replace").split())[:300]
        if ran.code or complaint:
            remedy = "Is the path right, and is Airflow's user in the group systemd-journal?"
            raise SourceError("unreachable", f"the journal cannot be read: {complaint or ran.code}. {remedy}")
        return ran.output


def _time(entry: Entry) -> datetime:
    return EPOCH + timedelta(microseconds=int(entry["__REALTIME_TIMESTAMP"]))


def _message(entry: Entry) -> str:
    """Return the message; journalctl prints one that is no UTF-8 as a list of bytes, several as a list of texts."""
    message = entry.get("MESSAGE") or ""
    if isinstance(message, str):
        return message
    if all(isinstance(byte, int) for byte in message):
        return bytes(message).decode(errors="replace")
    return " ".join(map(str, message))
