r"""Shows changes of files in /etc, as etckeeper has committed them with git, and those that nobody has committed yet.

An entry names one file, never its content. Who: etckeeper commits as root for the user who called it by sudo or owns
the terminal; what its daily commit, or the one before a run of apt, has swept up was edited by somebody unknown at
some time since the commit before. A file that is not committed counts at its ctime, which no program can choose; when
it is committed as a look has seen it, that is no other change, and counts at the same time.

On a host, /etc/.git belongs to root. Where the account of the connection is not root, write `sudo: true` here, and give
it these two commands and no others, as a file in /etc/sudoers.d:

    changewindow ALL=(root) NOPASSWD: \
      /usr/bin/git --no-optional-locks -C /etc log --max-count\=1000 -z --numstat --no-renames --no-ext-diff \
        --no-textconv --format\=%x1e%H%x00%ct%x00%an%x00%ae%x00%s, \
      /usr/bin/git --no-optional-locks -C /etc status --porcelain\=v1 -z --untracked-files\=all --no-renames
"""

import posixpath
import re
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.hosts.etckeeper_commits import COMMITS, LOG, Commit, commits_in, in_their_order
from changewindow.systems.hosts.machine import Line, Machine, latest, machine
from changewindow.systems.hosts.told_edits import REMOVED, ToldEdits
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "etckeeper", "connection": "web_3", "sudo": True}
FILES = 50
"""How many files of a commit, and of what is not committed, have an entry of their own."""
LONGEST = 300
"""Characters of a path that is asked for its time."""
GIT = ("git", "--no-optional-locks", "-C")
STATUS = ("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames")
SWEPT_UP = ("daily autocommit", "saving uncommitted changes in ")
"""How the subjects of commits begin that etckeeper makes of whatever it finds."""
METADATA = ".etckeeper"
BY_SUDO = "commit author of etckeeper: who called it by sudo or owns the terminal, not verified"
BY_ROOT = "etckeeper saw no user behind root"
BY_NOBODY = "swept up by an automatic commit of etckeeper; whoever edited it before is not recorded"
NOT_COMMITTED = "not committed, so etckeeper does not know who"
STATES = {"?": "new", "A": "new", "D": REMOVED}
Edits = Mapping[tuple[str, str], datetime]
"""When a file of a commit was edited, where that was told before."""
OF_COMMIT = re.compile(r"^\+[0-9-]+ -[0-9-]+, commit ([0-9a-f]{12})\b")
PLAIN_PATH = re.compile(r"/[A-Za-z0-9_./@+-]+")
"""A path that needs no quotes in a shell."""


@dataclass(frozen=True)
class _Differing:
    """The files that are not as they were committed."""

    files: Mapping[str, tuple[str, datetime, datetime]]
    """How each differs, with its ctime and mtime."""
    unseen: Sequence[str]
    """Those of which nobody can say when they were edited."""
    told: ToldEdits
    """What an earlier look has told."""
    as_told: Collection[str]
    """Those of them that nobody has edited since, and that are committed now."""

    def told_with(self, committed: Collection[str]) -> ToldEdits:
        """Return what is told now, with edits that are committed and may be asked for again."""
        edits = {path: (state, at) for path, (state, at, _) in self.files.items()}
        return ToldEdits({**{path: self.told.edits[path] for path in committed}, **edits})


class Collector(CollectorBase):
    """The /etc of a host."""

    kind: Literal["etckeeper"] = "etckeeper"
    looks_at: ClassVar[Sort] = "host"
    connection: ConnectionName | None = None
    """The SSH connection of the host; without it, this machine."""
    folder: str = Field(default="/etc", pattern="^/")
    """What etckeeper keeps."""
    sudo: bool = False
    """Whether git runs as root by sudo; see above."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return what runs as root."""
        return tuple((*GIT, self.folder, *asked) for asked in (LOG, STATUS)) if self.sudo else ()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the newest commits, and what is not committed."""
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.by_sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        by_now = latest(span, ahead)
        read, broken = commits_in(await self._git(on, LOG))
        commits = in_their_order(read, by_now)
        if not commits:
            raise SourceError(
                "unreachable", f"{self.folder} of {on.name} has no commit yet. Run 'etckeeper commit' there"
            )
        differing = await self._differing(on, ToldEdits.of(context.kept.get("told")))
        newest = self._newest(commits, differing.as_told)
        edits = {(commit.id, path): differing.told.edits[path][1] for path, commit in newest.items()}
        entries = [entry for commit in commits for entry in self._of(commit, on.name, by_now, edits)]
        entries += [_uncommitted(f"{on.name}:{path}", *known) for path, known in differing.files.items()]
        recent = [path for path, commit in newest.items() if commit.at - ahead >= span.since]
        context.kept["told"] = differing.told_with(recent).kept
        seen = _coverage(commits, span, ahead)
        reasons = [seen.why, f"{broken} commits cannot be read" if broken else "", _unseen(differing.unseen)]
        why = "; ".join(filter(None, reasons))
        return Collected(tuple(entries), replace(seen, lost=broken + len(differing.unseen), why=why))

    def put_back(self, entry: Entry) -> PutBack:
        """Write the file as the commit before has it; its owner and mode stay, and undo has a copy of the edit."""
        path = f"/{entry.object.partition(':/')[2]}"
        folder = posixpath.normpath(self.folder)
        if posixpath.normpath(path) != path or not path.startswith(f"{folder}/"):
            return f"it lies outside {folder}; restore it by hand"
        commit = OF_COMMIT.search(entry.what)
        if not PLAIN_PATH.fullmatch(path) or entry.what.startswith(REMOVED):
            return "etckeeper keeps owner and mode apart from the content; restore it by hand with `etckeeper vcs`"
        where = {"kind": "command"}
        if self.connection:
            where = {"kind": "ssh_command", "connection": "<airflow_connection>" if self.sudo else self.connection}
        if entry.what.startswith("new"):
            run, undo = f"mv {path} {path}.undo", f"if [ -e {path}.undo ]; then mv {path}.undo {path}; fi"
        else:
            kept = f"{f'{commit[1]}^' if commit else 'HEAD'}:{posixpath.relpath(path, self.folder)}"
            show = f"git -C {shlex.quote(self.folder)} show {kept} > {path}.before && cp -p {path} {path}.undo"
            run = f"umask 077 && {show} && cat {path}.before > {path} && rm {path}.before"
            undo = f"if [ -e {path}.undo ]; then cat {path}.undo > {path} && rm {path}.undo; fi"
        return [{"name": f"Put {path} back", **where, "run": {"shell": run}, "undo": {"shell": undo}}]

    async def _differing(self, on: Machine, told: ToldEdits) -> "_Differing":
        """Return what is not committed now."""
        states = _states(await self._git(on, STATUS))
        changed = {self._path(path): state for path, state in states[:FILES] if len(path) <= LONGEST}
        asked = {path: posixpath.dirname(path) if state == REMOVED else path for path, state in changed.items()}
        known = await on.changed(sorted({*asked.values(), *told.edits})) if asked or told.edits else {}
        seen = {path: known[inode] for path, inode in asked.items() if inode in known}
        return _Differing(
            {path: (changed[path], *told.first(path, changed[path], moments)) for path, moments in seen.items()},
            [path for path, _ in states if self._path(path) not in seen],
            told,
            {path for path in told.edits.keys() - changed if told.is_as_told(path, known.get(path, (None,))[0])},
        )

    async def _git(self, on: Machine, asked: Sequence[str]) -> bytes:
        return await on.read(*GIT, self.folder, *asked)

    def _path(self, path: str) -> str:
        return posixpath.join(self.folder, path)

    def _newest(self, commits: Sequence[Commit], paths: Collection[str]) -> dict[str, Commit]:
        """Return the newest commit of each of these files that has one."""
        newest: dict[str, Commit] = {}
        for commit in commits:
            for path in {self._path(path) for path, _ in commit.files} & {*paths}:
                newest.setdefault(path, commit)
        return newest

    def _of(self, commit: Commit, host: str, by_now: datetime, edits: Edits) -> Iterator[Entry]:
        """Yield an entry for each of its files; a commit from the future was not made later than now.

        An edit that was told before it was committed stays the edit that it was.
        """
        by, known_by = _author(commit)
        made, subject = min(commit.at, by_now), commit.subject[:LONGEST]
        new, named = partial(Entry, by=by, known_by=known_by), f"commit {commit.id[:12]}{commit.dated}"
        for path, lines in commit.files[:FILES]:
            meant = "owner or mode of files in it" if path == METADATA else lines
            file = self.folder if path == METADATA else self._path(path)
            edited = edits.get((commit.id, file))
            at = min(edited, made) if edited else made
            what = f"{meant}, {named}{f' of {made:%F %T} UTC' if edited else ''}: {subject}"
            again = {"known_as": _edit_of(edited)} if edited else {"earliest": commit.earliest}
            yield new(at, f"{host}:{file}", what, **again)
        if len(commit.files) > FILES:
            more = len(commit.files) - FILES
            yield new(made, f"{host}:{self.folder}", f"{more} more files, {named}: {subject}", earliest=commit.earliest)


def _uncommitted(name: str, state: str, at: datetime, dated: datetime) -> Entry:
    moment = "" if abs(at - dated) < timedelta(seconds=2) or state == REMOVED else f" (dated {dated:%F %T} UTC)"
    what = "removed before this time" if state == REMOVED else state
    return Entry(at, name, f"{what}{moment}, not committed", known_by=NOT_COMMITTED, known_as=_edit_of(at))


def _edit_of(at: datetime) -> str:
    """Return by what an edit is known again once it is committed."""
    return f"edit of {at:%F %T}"


def _author(commit: Commit) -> tuple[str, str]:
    if commit.subject.startswith(SWEPT_UP):
        return "", BY_NOBODY
    return commit.author, BY_ROOT if commit.author.startswith("root <") else BY_SUDO


def _states(printed: bytes) -> list[tuple[str, str]]:
    """Return each path that differs from the newest commit, and how."""
    lines = [line for line in printed.decode(errors="surrogateescape").split("\0") if line[2:3] == " "]
    return [(line[3:], next((STATES[sign] for sign in line[:2] if sign in STATES), "changed")) for line in lines]


def _coverage(commits: list[Commit], span: Span, ahead: timedelta) -> Coverage:
    oldest, why = min(commit.at for commit in commits) - ahead, ""
    if oldest > span.since:
        cause = f"the newest {COMMITS} commits are read" if len(commits) >= COMMITS else "etckeeper began then"
        why = f"nothing is known of before {oldest:%F %H:%M} UTC: {cause}"
    return Coverage(min(max(oldest, span.since), span.until), span.until, clock_off=ahead, why=why)


def _unseen(paths: Sequence[str]) -> str:
    named = ", ".join(path[:LONGEST] for path in paths[:5])
    return f"{len(paths)} files are not committed, and when they changed cannot be read: {named}" if paths else ""
