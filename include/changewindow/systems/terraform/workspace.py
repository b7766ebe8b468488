"""Runs Terraform or OpenTofu in one folder: reads states and plans, applies plans, and explains what fails."""

import json
import os
import pwd
import re
import shlex
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from changewindow.errors import StepFailed
from changewindow.systems.context import Context, Ran
from changewindow.systems.terraform.plan_changes import PlannedChanges
from changewindow.systems.terraform.state_files import Version

T = TypeVar("T")
PROGRAMS = ("tofu", "terraform")
QUIETLY = {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
TO_FILE = 'umask 077; file=$1; shift; "$@" > "$file.new" && mv -f "$file.new" "$file"'
NO_CHANGES, CHANGES = 0, 2
"""Exit codes of `plan -detailed-exitcode`."""
LOCK = re.compile(r"^[│\s]*(ID|Operation|Who|Created):\s+(.+?)\s*$", re.MULTILINE)

OTHER_VERSION = re.compile(r"plan file was created by .*?(\d\S*), but this is (\S+?);")


@dataclass(frozen=True)
class Lock:
    """Who holds the lock of a state."""

    id: str
    who: str
    created: str
    operation: str

    def is_of(self, who: str, begun: datetime, ended: datetime) -> bool:
        """Return whether an account of a host took it within a time; False where the lock does not say when."""
        time = re.match(r"(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d)(\.\d+)? \+0000 UTC", self.created)
        at = datetime.fromisoformat(f"{time[1]}T{time[2]}+00:00") if time else None
        return self.who == who and at is not None and begun <= at <= ended


class Locked(StepFailed):
    """The state is locked; `lock` says by whom."""

    def __init__(self, lock: Lock, unlock: str) -> None:
        self.lock = lock
        super().__init__(
            f"The state has been locked by {lock.who} since {lock.created} ({lock.operation}, lock {lock.id}). Wait "
            f"until they are done. Only if you are certain that they are gone: `{unlock} {lock.id}` on the worker."
        )


@dataclass(frozen=True)
class Workspace:
    """A configuration in a folder of the worker, with the program that applies it."""

    context: Context
    folder: str
    program: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """Return the program that is used: the one that is named, or the first that the worker has.

        Raises:
            StepFailed: the worker has none.
        """
        names = [self.program] if self.program else list(PROGRAMS)
        program = next((name for name in names if shutil.which(name)), None)
        if program is None:
            raise StepFailed(f"The worker has no program {' or '.join(names)}. Install it on every worker.")
        return program

    @property
    def by_hand(self) -> str:
        """Return how a person calls the program for this folder in a shell."""
        return f"{shlex.quote(self.called)} -chdir={shlex.quote(self.folder)}"

    def version(self) -> Version:
        """Return which state is stored now."""
        return self._read(Version.of, "state", "pull")

    def changes(self, plan: Path) -> PlannedChanges:
        """Return what a saved plan does."""
        return PlannedChanges.of(self._read(json.loads, "show", "-json", str(plan)))

    def missing_from_state(self, addresses: Iterable[str]) -> list[str]:
        """Return the addresses at which the stored state has nothing."""
        present = self._text("state", "list").splitlines() if self.version().serial else []
        return sorted(set(addresses) - set(present))

    def show(self, plan: Path) -> None:
        """Log what a saved plan would change."""
        self._checked(self.context.look(self._command("show", str(plan)), environment=self._environment()), "show")

    def plan(self, out: Path, options: Sequence[str], *, patience: str) -> bool:
        """Save a plan that makes what there is match the configuration; return whether it changes anything."""
        arguments = ["-input=false", "-detailed-exitcode", f"-lock-timeout={patience}", f"-out={out}", *options]
        command, environment = self._command("plan", *arguments), self._environment()
        ran = self.context.look(command, environment=environment, answers=(CHANGES,))
        if ran.code not in {NO_CHANGES, CHANGES}:
            raise self._failure("plan", ran)
        return ran.code == CHANGES

    def apply(self, plan: Path, mark: str = "") -> None:
        """Apply a saved plan; the file `mark` exists while the program runs, and stays when the program is killed."""
        command = self._command("apply", "-input=false", "-lock-timeout=30s", str(plan))
        marked = ["sh", "-c", 'touch "$1" && shift && "$@"; code=$?; rm -f "$0"; exit $code', mark, mark, *command]
        arguments = marked if mark else command
        ran = self.context.run(arguments, environment=self._environment(), shown_as=" ".join(command))
        self._checked(ran, "apply")

    def back_up(self, file: str) -> None:
        """Copy the stored state into a file that nobody else may read; a file that is there already is kept."""
        script = f'[ ! -e "$1" ] || exit 0; mkdir -p -m 700 "${{1%/*}}" && {TO_FILE}'
        arguments = ["sh", "-c", script, "sh", file, *self._command("state", "pull")]
        ran = self.context.run(arguments, environment=self._environment(), shown_as=f"copy the state to {file}")
        self._checked(ran, f"state pull > {file}")

    @property
    def unstored(self) -> Path:
        """Return the file in which an apply leaves the state that it could not store."""
        return Path(self.folder) / "errored.tfstate"

    def left(self) -> Version | None:
        """Return which state an apply has left in the folder because it could not store it, if there is one."""
        try:
            return Version.of(self.unstored.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            problem = f"{self.unstored}, which an apply left because it could not store the state, cannot be read"
            raise StepFailed(f"{problem}: {error}. Compare it with what is stored, and store or remove it.") from error

    def store(self, kept_as: str) -> None:
        """Store the state that an apply has left in the folder, and keep the file under another name."""
        script = 'mkdir -p -m 700 "${2%/*}" && file=$1 kept=$2 && shift 2 && "$@" && mv -f "$file" "$kept"'
        command = self._command("state", "push", "-lock-timeout=5s", str(self.unstored))
        arguments = ["sh", "-c", script, "sh", str(self.unstored), kept_as, *command]
        line = f"store the state that apply could not store: {' '.join(command)}"
        ran = self.context.run(arguments, environment=self._environment(), shown_as=line)
        self._checked(ran, "state push")

    def unlock(self, lock: Lock) -> None:
        """Remove a lock."""
        arguments = self._command("force-unlock", "-force", lock.id)
        self._checked(self.context.run(arguments, environment=self._environment()), "force-unlock")

    def past_lock_of(self, who: str, begun: datetime, ended: datetime, *, do: Callable[[], T]) -> T:
        """Do what takes the lock; a lock that an account of a host took within a time and left behind is removed."""
        try:
            return do()
        except Locked as locked:
            if not locked.lock.is_of(who, begun, ended):
                raise
            self.context.log(f"removing the lock that this step's apply has left behind. {locked}")
            self.unlock(locked.lock)
            return do()

    def _read(self, read: Callable[[str], T], *arguments: str) -> T:
        """Return what the program prints, parsed by `read`; it may print something else, such as warnings."""
        text = self._text(*arguments)
        try:
            return read(text)
        except ValueError as error:
            first = next((line for line in text.splitlines() if line.strip()), "nothing")
            problem = f"{self.called} {arguments[0]} in {self.folder} printed no JSON"
            # A line of JSON may hold secrets.
            instead = "" if re.search(r'[{}"]', first) else f": {first.strip()[:200]}"
            raise StepFailed(f"{problem}{instead}. Run it by hand on the worker, and correct its settings.") from error

    def _text(self, *arguments: str) -> str:
        """Return what the program prints, however much; it may hold secrets, so it is kept out of the log."""
        with self.context.temporary_folder() as folder:
            printed = folder / "printed"
            command = self._command(*arguments)
            script, line = ["sh", "-c", TO_FILE, "sh", str(printed), *command], " ".join(command)
            ran = self.context.look(script, environment=self._environment(), quiet=True, shown_as=line)
            self._checked(ran, " ".join(arguments[:2]))
            return printed.read_text(encoding="utf-8")

    def _command(self, *words: str) -> list[str]:
        """Return the arguments of a command; its last word is what it acts on, or the command itself."""
        colours = [words[-1], "-no-color"] if words[-1] in {"pull", "list"} else ["-no-color", words[-1]]
        return [self.called, f"-chdir={self.folder}", *words[:-1], *colours]

    def _environment(self) -> dict[str, str]:
        return {**QUIETLY, **self.environment}

    def _checked(self, ran: Ran, what: str) -> None:
        if ran.code:
            raise self._failure(what, ran)

    def _failure(self, what: str, ran: Ran) -> StepFailed:
        """Return what the program's failure means, with what to do."""
        if "state lock" in ran.output and "Lock Info:" in ran.output:
            fields = dict(LOCK.findall(ran.output.partition("Lock Info:")[2]))
            lock = Lock(*(fields.get(name, "unknown") for name in ("ID", "Who", "Created", "Operation")))
            return Locked(lock, f"{self.by_hand} force-unlock")
        if re.search(r"\binit\b", ran.output) and re.search(r"initiali[sz]|not installed", ran.output):
            return StepFailed(f"{self.folder} is not initialised. Run `{self.by_hand} init` there.")
        if made := OTHER_VERSION.search(" ".join(ran.output.split())):
            versions = f"version {made[1]}, and the worker has {made[2]} of {self.called}"
            return StepFailed(f"The saved plan was made by {versions}. Make a new plan with that one, and ask again.")
        reason = errors_in(ran.output) or f"exit code {ran.code}"
        return StepFailed(f"{self.called} {what} in {self.folder} failed: {reason}. Its output is in the log.")


def errors_in(output: str) -> str:
    """Return the errors that the program has printed, on one line; empty where it has printed none."""
    lines = [line.strip("│ ") for line in output.splitlines()]
    return "; ".join(line.removeprefix("Error: ") for line in lines if line.startswith("Error: "))


def account() -> str:
    """Return the account of this process as the program writes it into its locks: by its user id, not by USER."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return os.environ.get("USER", "")


def as_options(variables: Mapping[str, Any], targets: Sequence[str]) -> list[str]:
    """Return variables and targets as options of the program."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in variables.items()}
    return [*(f"-var={name}={text}" for name, text in texts.items()), *(f"-target={target}" for target in targets)]
