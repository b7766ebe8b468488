"""Puts a file on a host or on the worker, checked before it is used; undo brings back what was.

The content of the ticket is written beside the file, with the file's owner and mode (or `mode`), checked there by the
program `validate`, and moved over the file in one go; then the program `reload` runs. A link is followed to its file;
a file with several names (hard links) is refused. Somebody else's edit between reading and moving is not overwritten.

Undo brings back the remembered content and mode, or removes the file if there was none, and reloads. It refuses, with
the difference in the log, when the file is neither what apply wrote nor what it was: somebody else has changed it
meanwhile, and only they can say what of it has to stay.

What was in the file is remembered in the record of the change, and the difference is logged. So this is no step for
files with secrets: a file that not everybody on the host may read is refused unless `holds_no_secret` says that
nothing in it is one.

The Airflow Connection is of type SSH, see `ssh_command`; without one the file lies on the worker: for a single worker,
or a volume that all share. Undo on another worker that finds nothing of the new file fails.
"""

import base64
import difflib
import socket
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field

from changewindow.documents.refusal import refusal
from changewindow.documents.types import ConnectionName
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from changewindow.systems.hosts.host import Host
from changewindow.systems.hosts.remote_file import LARGEST, FileState, RemoteFile, digest
from changewindow.systems.place import Sort
from changewindow.systems.process.command import Program, Shell, line_of

EXAMPLE = {
    "name": "Raise the idle connections of the pool",
    "kind": "config_file",
    "connection": "app_1",
    "path": "/etc/myapp/pool.ini",
    "content": "[pool]\nmax_idle = 10\n",
    "validate": ["grep", "-q", "max_idle = [1-9]", "{file}"],
    "reload": ["systemctl", "reload", "myapp"],
}
NEW_MODE = "644"


def _fits(content: str) -> str:
    if (size := len(content.encode())) > LARGEST:
        raise refusal(f"it has {size} bytes, {LARGEST} at most", "Use git_change or ansible for a larger file.")
    return content


class Step(StepBase):
    """A file to write, with what checks and what loads it."""

    kind: Literal["config_file"] = "config_file"
    is_configuration: ClassVar[bool] = True
    why_not_before_approval: ClassVar[str] = "it would start a program, and show a file of the ticket's choosing"
    acts_on: ClassVar[Sort] = "host"

    connection: ConnectionName | None = None
    """The Airflow Connection (SSH) of the host; without it, the file lies on the worker."""
    path: str = Field(pattern=r"^/[^\n]*[^/\n]$")
    """The file, from the root."""
    content: Annotated[str, AfterValidator(_fits)] = Field(max_length=LARGEST)
    """All that is to stand in it."""
    mode: str | None = Field(default=None, pattern="^0?[0-7]{3}$")
    """Its mode, such as "0640"; without it the mode it has, or 0644 for a new one."""
    validate_by: Program | None = Field(default=None, alias="validate")
    """The program that checks the new file before it is used; `{file}` stands for where it lies."""
    reload: Program | None = None
    """The program that makes the file count, after apply and after undo."""
    holds_no_secret: bool = False
    """Says that the file holds no secret, although not everybody on the host may read it."""

    def does(self) -> str:
        """Describe the file, and what loads it."""
        then = f", then {line_of(self.reload)}" if self.reload else ""
        return f"write {self.path} on {self.connection or 'the worker'}{then}"

    def undoes(self) -> str:
        """Describe what is restored."""
        then = f", then {line_of(self.reload)}" if self.reload else ""
        return f"bring back {self.path} on {self.connection or 'the worker'} as it was{then}"

    def missing_prerequisites(self, context: Context) -> list[str]:
        """Return what prevents the file from being remembered, replaced, checked or loaded."""
        file = self._file(context)
        read = file.read()
        missing = self._unfit(file, read)
        if fixed := file.cannot_be_replaced(read.path):
            missing.append(fixed)
        for program in (self.validate_by, self.reload):
            if isinstance(program, tuple) and not file.host.has(program[0]):
                missing.append(
                    f"{file.host.name} has no program {program[0]}. Install it there, or correct the ticket."
                )
        return missing

    def remember(self, context: Context) -> Memory:
        """Return content, mode and owner of the file, or that there is none."""
        file = self._file(context)
        state = file.read()
        if unfit := self._unfit(file, state):
            raise StepFailed(" ".join(unfit))
        worker = {} if self.connection else {"worker": socket.gethostname()}
        return {"path": state.path, "mode": state.mode, "owner": state.owner, **_as_json(state.content), **worker}

    def restored(self, remembered: Memory) -> str:
        """Return which file is as it was; what stands in it is not for messages."""
        before = _content(remembered)
        return f"{remembered['path']}, " + ("which did not exist" if before is None else f"{len(before)} bytes")

    def apply(self, context: Context, remembered: Memory) -> None:
        """Write the new file beside the old one, check it, move it over the old one, reload."""
        file, content = self._file(context, remembered), self.content.encode()
        before = _content(remembered)
        _log_difference(context, before, content, ("before", "after"))
        file.prepare(content, mode=self.mode or remembered["mode"] or NEW_MODE, owner=remembered["owner"])
        if self.validate_by:
            self._check(file, self.validate_by)
        if not file.replace(digest(before), content):
            file.discard()
            raise StepFailed(f"{file.name} was changed by somebody else just now. It was left as it is; ask again.")
        self._reload(file, "The file is in place")

    def undo(self, context: Context, remembered: Memory) -> None:
        """Bring back the old file, unless somebody else has changed it since; reload, also when it is back already."""
        file, before, written = self._file(context, remembered), _content(remembered), self.content.encode()
        file.discard()
        now = file.read()
        self._require_the_same_worker(remembered, is_written=now.content == written != before)
        if not now.is_whole or (now.content, now.mode) != (before, remembered["mode"]):
            if not now.is_whole or now.content not in {before, written}:
                raise self._conflict(context, file, now)
            if before is None:
                was_ours = file.remove(digest(written))
            else:
                file.prepare(before, mode=remembered["mode"], owner=remembered["owner"])
                was_ours = file.replace(digest(now.content), before)
            if not was_ours:
                raise self._conflict(context, file, file.read())
        self._reload(file, "The file is as it was before this step")

    def _require_the_same_worker(self, remembered: Memory, *, is_written: bool) -> None:
        there, here = remembered.get("worker"), socket.gethostname()
        if there not in {None, here} and not is_written:
            raise StepFailed(
                f"{self.path} was to be written on worker {there}, and this is worker {here}, which has nothing of it. "
                f"Look at {there}: if the new content is there, put back what the record of the change holds. Files of "
                "workers are for a single worker; with several, name a host by `connection`."
            )

    def _file(self, context: Context, remembered: Memory | None = None) -> RemoteFile:
        path = remembered["path"] if remembered else self.path
        return RemoteFile(Host(context, self.connection), path, context.mark)

    def _unfit(self, file: RemoteFile, state: FileState) -> list[str]:
        """Return why the file cannot be remembered."""
        unfit = []
        if state.size > LARGEST:
            unfit.append(
                f"{file.name} has {state.size} bytes; {LARGEST} at most can be remembered for undo. "
                "Change it by git_change or ansible instead."
            )
        if state.names > 1:
            unfit.append(
                f"{file.name} is one file with {state.names} names (hard links), and a move would part them. Leave it "
                "one name, or make the others symbolic links."
            )
        if state.mode and not int(state.mode, 8) & 0o004 and not self.holds_no_secret:
            unfit.append(
                f"Not everybody may read {file.name} (mode {state.mode}), so it may hold secrets, which would be "
                "remembered and logged. If it holds none, say `holds_no_secret: true`; otherwise use another kind."
            )
        return unfit

    def _check(self, file: RemoteFile, program: Program) -> None:
        ran = file.host.run(_arguments(program, file.candidate))
        if ran.code:
            file.discard()
            raise StepFailed(
                f"'{line_of(program)}' refused the new {file.name} with exit code {ran.code}; its output is in the log "
                "above. The old one was not touched."
            )

    def _reload(self, file: RemoteFile, outcome: str) -> None:
        if not self.reload:
            return
        ran = file.host.run(_arguments(self.reload, file.path))
        if ran.code:
            raise StepFailed(
                f"'{line_of(self.reload)}' on {file.host.name} ended with exit code {ran.code}; its output is in the "
                f"log above. {outcome}, but may not count yet."
            )

    def _conflict(self, context: Context, file: RemoteFile, now: FileState) -> StepFailed:
        _log_difference(context, self.content.encode(), now.content, ("as this step wrote it", "as it is now"))
        what = "was removed" if now.content is None else "was changed"
        return StepFailed(
            f"{file.name} {what} by somebody else after this step (the difference is in the log). Undo would "
            "destroy that, so the file was left as it is. Agree with them, then restore the previous content by hand; "
            "it is in the record of the change."
        )


def _arguments(program: Program, file: str) -> list[str]:
    if isinstance(program, Shell):
        return ["/bin/sh", "-c", program.shell.replace("{file}", '"$0"'), file]
    return [part.replace("{file}", file) for part in program]


def _as_json(content: bytes | None) -> dict[str, Any]:
    try:
        return {"content": None if content is None else content.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content or b"").decode()}


def _content(remembered: Memory) -> bytes | None:
    if "base64" in remembered:
        return base64.b64decode(remembered["base64"])
    content: str | None = remembered["content"]
    return None if content is None else content.encode()


def _log_difference(context: Context, before: bytes | None, after: bytes | None, names: tuple[str, str]) -> None:
    old, new = ((content or b"").decode(errors="replace").splitlines() for content in (before, after))
    for line in difflib.unified_diff(old, new, *names, lineterm=""):
        context.log(line)
