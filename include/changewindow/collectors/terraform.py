"""Shows what became of a state of OpenTofu or Terraform, and what was changed outside of it.

The state of a folder's configuration is pulled, and its serial, its lineage and its resources are compared with the
last look: which resources came, went or changed, and in which attributes. With `drift`, a refresh-only plan asks the
providers what is no longer as the state has it (`resource_drift`); that takes as long as they take, so give it a larger
`within`. It takes no lock, changes nothing, and runs the providers and data sources of the configuration. Values that
are marked as sensitive are compared by fingerprints only. A state does not record who applied it, nor when: changes are
known from the first look on, to the time between two looks.
"""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from changewindow.systems.remembered import Difference, Memory, as_now, changed_prints, compared
from changewindow.systems.terraform.resources import drift, resources
from changewindow.systems.terraform.workspace import PROGRAMS, QUIETLY, errors_in

EXAMPLE = {"kind": "terraform", "folder": "/opt/infrastructure/shop", "service": "orders"}
NOBODY = "a state does not record who applied it; versions of its backend, or the log of CI, may"
OUTSIDE = "a provider says how it is now, not who did it; the audit log of the cloud does"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
DRIFT = "outside: "
STATE = "state"
PATIENCE = 0.7
"""The part of its time that a plan may take."""


class Collector(CollectorBase):
    """The state of a configuration."""

    kind: Literal["terraform"] = "terraform"
    folder: str = Field(pattern="^/")
    """The folder of the configuration on this machine, initialised."""
    drift: bool = False
    """Whether the providers are asked what was changed outside of the state."""
    program: str | None = None
    """The program: `tofu`, `terraform`, or a path; without it, tofu if it is here, or else terraform."""
    workspace: str | None = None
    """The workspace of the configuration; without it, the one that is selected in the folder."""
    variables: dict[str, str] = {}
    """Environment variables for the program."""
    secrets: dict[str, ConnectionName] = {}
    """Environment variables whose value is the password of an Airflow Connection: NAME: connection."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Pull the state, ask for drift, and compare both with the last look."""
        began = context.now()
        environment = {**QUIETLY, **self.variables}
        environment |= {name: (await context.connection(known)).password for name, known in self.secrets.items()}
        if self.workspace:
            environment["TF_WORKSPACE"] = self.workspace
        states = self._states(await self._json(context, environment, "state", "pull"), context)
        problem = ""
        if self.drift:
            try:
                async with asyncio.timeout(self.within.total_seconds() * PATIENCE):
                    outside = await self._outside(context, environment)
                states |= {f"{DRIFT}{address}": lines for address, lines in outside.items()}
            except (TimeoutError, SourceError) as error:
                problem = f"what was changed outside of the state is not known: {error or 'no answer in time'}"
        blind = {"what was changed outside of the state": problem} if problem else {}
        memory = compared(
            context.kept,
            states,
            began,
            is_all=True,
            is_unread=lambda name: bool(problem or not self.drift) and name.startswith(DRIFT),
        )
        entries = [entry for change in memory.differences if (entry := self._entry(change, span))]
        if at := as_now(span, began):
            entries += [
                Entry(
                    at,
                    name.removeprefix(DRIFT),
                    _outside_text(lines),
                    after=lines,
                    known_by=OUTSIDE,
                    earliest=memory.since,
                )
                for name, lines in _since_before(states, memory)
            ]
        what = f"changes of the state in {self.folder}"
        return Collected(tuple(entries), memory.coverage(span, what, problem, blind=blind))

    def put_back(self, entry: Entry) -> PutBack:
        """Say why no step can: its undo would have to describe what nobody has written down."""
        if entry.known_by != OUTSIDE:
            return "a state does not keep former values; plan the former configuration, and apply that"
        by_hand = f"run `{self._by_hand} apply -target='{entry.object}'` in a ticket of kind `command`"
        return f"a step `terraform` refuses drift, since no configuration of its undo describes it; {by_hand}"

    def _states(self, state: Any, context: CollectorContext) -> dict[str, str]:
        try:
            known = resources(state, context.fingerprint)
            version = f"serial {int(state.get('serial') or 0)} of lineage {state.get('lineage') or 'none'}"
        except UNREADABLE as error:
            raise SourceError("invalid", f"{self._by_hand} state pull printed no state. Run it by hand") from error
        return {**known, STATE: version}

    async def _outside(self, context: CollectorContext, environment: dict[str, str]) -> dict[str, str]:
        with tempfile.TemporaryDirectory(prefix="changewindow-plan-") as folder:
            plan = str(Path(folder) / "plan")
            options = ("-refresh-only", "-lock=false", "-input=false", "-no-color", f"-out={plan}")
            await self._run(context, environment, "plan", *options)
            document = await self._json(context, environment, "show", "-json", plan)
        try:
            return drift(document, context.fingerprint)
        except UNREADABLE as error:
            raise SourceError("invalid", f"{self._by_hand} show -json printed no plan. Run it by hand") from error

    async def _json(self, context: CollectorContext, environment: dict[str, str], *arguments: str) -> Any:
        text = await self._run(context, environment, *arguments)
        try:
            return json.loads(text or "{}")
        except (ValueError, RecursionError) as error:
            problem = f"{self._by_hand} {' '.join(arguments[:2])} printed no JSON"
            raise SourceError("invalid", f"{problem}. Run it by hand, and correct its settings") from error

    async def _run(self, context: CollectorContext, environment: dict[str, str], *arguments: str) -> str:
        ran = await context.run(self._called, f"-chdir={self.folder}", *arguments, environment=environment)
        if ran.code:
            complaint = ran.complaint.decode(errors="replace")
            reason = errors_in(complaint) or " ".join(complaint.split())[-300:] or f"exit code {ran.code}"
            problem = f"{self._by_hand} {' '.join(arguments[:2])} failed: {reason}"
            raise SourceError("unreachable", f"{problem}. Run it by hand on this machine")
        return ran.output.decode(errors="replace").strip()

    @property
    def _called(self) -> str:
        names = [self.program] if self.program else list(PROGRAMS)
        return next((name for name in names if shutil.which(name)), names[0])

    @property
    def _by_hand(self) -> str:
        return f"{self._called} -chdir={self.folder}"

    def _entry(self, change: Difference, span: Span) -> Entry | None:
        """Return the entry of a difference; the fingerprints of attributes mean nothing to anybody."""
        at, (before, after) = change.at(span), change.values
        if at is None:
            return None
        entry = partial(Entry, at, earliest=change.earliest)
        if change.object.startswith(DRIFT):
            gone = f"is as the state has it again, {change.when}"
            what = f"{_outside_text(after)}, {change.when}" if after else gone
            return entry(change.object.removeprefix(DRIFT), what, before, after, known_by=OUTSIDE)
        if change.object == STATE:
            is_same = before.split()[-1:] == after.split()[-1:]
            what = f"the state is at {after}, {change.when}" if is_same else f"is another state: {after}, {change.when}"
            return entry(f"state {self.folder}", what, before, after, known_by=NOBODY)
        if change.before is None or change.after is None:
            verb = "came into the state" if change.before is None else "left the state"
            return entry(change.object, f"{verb} {change.when}", known_by=NOBODY, known_as=change.when)
        names = ", ".join(changed_prints(before, after)) or "some attributes"
        what = f"changed in the state: {names}, {change.when}"
        return entry(change.object, what, known_by=NOBODY, known_as=change.when)


def _outside_text(lines: str) -> str:
    names = [line.partition(":")[0] for line in lines.splitlines()]
    return f"was changed outside of the state: {', '.join(names)}"


def _since_before(states: dict[str, str], memory: Memory) -> Iterator[tuple[str, str]]:
    """Yield what was changed outside before the first look: nothing else will ever tell of it."""
    known = {change.object for change in memory.differences}
    yield from ((name, lines) for name, lines in states.items() if name.startswith(DRIFT) and name not in known)
