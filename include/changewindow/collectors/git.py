"""Shows commits on branches of a repository, with their files, and history that was rewritten.

Each look fetches into a mirror in the collector's folder; the first one fetches everything, and may take longer than
`within` allows. Dates and authors are what whoever committed has claimed; no commit counts as later than it arrived.
Since git keeps no record of pushes, two things are known only from the mirror's first fetch on, and only to the time
between two fetches: that older commits arrived, and that a force push has taken commits away.

Anybody who may push may name a step of a change in a commit. So what is in it is compared with what the step announced:
in the newest 20 of such commits, with up to 20 files of 1 MiB. A merge that needs `merge=union` cannot be compared.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext, PutBack
from changewindow.documents.moments import utc
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import NOW, Collected, Coverage, Entry, Span
from changewindow.systems.git.access import access
from changewindow.systems.git.commit_content import CommitContent, brought_by, content_of
from changewindow.systems.git.history import NOT_VERIFIED, Commit
from changewindow.systems.git.mirror import NEVER, Mirror, Move, locked
from changewindow.systems.git.refs import Branch
from changewindow.systems.measurement import SourceError
from changewindow.systems.place import Sort

EXAMPLE = {"kind": "git", "connection": "orders_config", "service": "orders", "branches": ["main"]}
COMMITS = 1000
"""How many of a branch are looked at, the newest."""
NAMED = 20
"""How many that are gone are named, and how many that name a step of ours are read."""
HEAD = re.compile("[0-9a-f]{40,64}")
GONE = "history was rewritten: the newest commit of the last look is not in the repository any more, nor is the mirror"
NOBODY = "git does not record who pushed; the server's audit log may"


class Collector(CollectorBase):
    """Branches of a repository."""

    kind: Literal["git"] = "git"
    looks_at: ClassVar[Sort] = "repository"
    connection: ConnectionName
    """The Airflow Connection of the repository, as for the step `git_change`."""
    branches: tuple[Branch, ...] = Field(default=("main",), min_length=1)
    """The branches that count, such as those that are deployed."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Fetch, and read commits and the mirror's own record of where the branches were."""
        with tempfile.TemporaryDirectory(prefix="changewindow-git-") as keys:
            address, environment = access(await context.connection(self.connection), Path(keys))
            folder = context.folder / sha256(address.encode()).hexdigest()[:16]
            mirror = Mirror(folder, partial(context.read, environment=environment))
            async with locked(context.folder):
                await self._fetch(mirror, address)
                hole = await _since_earlier(mirror, context.kept, self.branches)
                looks = [await self._branch(branch, mirror, span) for branch in self.branches]
                heads = {branch: await mirror.head(branch) for branch in self.branches}
        context.kept.clear()
        context.kept.update(mirror=folder.name, looked=mirror.fetched.isoformat(), heads=heads)
        entries = tuple(entry for of_branch, _ in looks for entry in of_branch)
        coverage = _coverage(mirror.begun(), span, max(since for _, since in looks))
        if hole:
            reasons = (GONE, coverage.why)
            coverage = replace(coverage, holes=(hole,), why="; ".join(filter(None, reasons)))
        return Collected(entries, coverage)

    def put_back(self, entry: Entry) -> PutBack:
        """Revert the commit."""
        if not entry.what.startswith("commit "):
            return f"history was rewritten; whoever may force a push restores {entry.before[:12]} by hand"
        if not entry.before:
            return "it is the first commit, and nothing was there before"
        branch = entry.object.removeprefix(f"{self.connection}:")
        name = f"Revert {entry.after[:12]} on {branch}"
        step = {"kind": "git_change", "connection": self.connection, "revert": entry.after, "into": branch}
        return [{"name": name, **step}]

    async def _fetch(self, mirror: Mirror, address: str) -> None:
        try:
            await mirror.fetch(address, self.branches)
        except SourceError as error:
            remedy = f"Check `branches`, and the connection {self.connection}"
            raise SourceError(error.cause, f"{address} cannot be fetched: {error}. {remedy}") from error

    async def _branch(self, branch: str, mirror: Mirror, span: Span) -> tuple[list[Entry], datetime]:
        """Return what happened to a branch, and from when on that is known."""
        name = f"{self.connection}:{branch}"
        moves = [_moved(move, mirror, span) for move in await mirror.moves(branch)]
        within = [move for move in moves if move.at in span]
        new = {move: await mirror.log(f"{move.old}..{move.new}", COMMITS) for move in within}
        arrived = {commit.id: move.at for move, added in new.items() for commit in added}
        already = max((move.at for move in moves if move.at < span.since), default=_begun(mirror, span))
        commits = await mirror.log(f"refs/heads/{branch}", COMMITS)
        times = {commit.id: _at(commit, arrived.get(commit.id), already, span) for commit in commits}
        ours = await _ours(mirror, [commit for commit in commits if times[commit.id] in span], times)
        pushed = [_pushed(name, commit, *ours.get(commit.id, (times[commit.id], None))) for commit in commits]
        gone = [(move, await mirror.log(f"{move.new}..{move.old}", COMMITS)) for move in within]
        oldest = min((commit.committed for commit in commits), default=span.since)
        return (
            pushed + [_rewritten(name, move, lost) for move, lost in gone if lost],
            oldest if len(commits) >= COMMITS else span.since,
        )


async def _ours(
    mirror: Mirror, commits: Sequence[Commit], times: Mapping[str, datetime]
) -> dict[str, tuple[datetime, CommitContent]]:
    """Return what is in commits that name one of our steps; what came with a merge counts when the merge was made."""
    known = {}
    for commit in [commit for commit in commits if commit.steps][:NAMED]:
        if content := await content_of(mirror, commit):
            brought = await brought_by(mirror, commit, COMMITS) if content.merged else [commit.id]
            known.update(dict.fromkeys(brought, (times[commit.id], content)))
    return known


async def _since_earlier(mirror: Mirror, kept: Mapping[str, Any], branches: Sequence[str]) -> Span | None:
    """Let a mirror that was just made, as on another machine, go on from the last look; return what it cannot know."""
    if mirror.fetched_before != NEVER or kept.get("mirror") != mirror.folder.name:
        return None
    heads = {branch: str(head) for branch, head in kept.get("heads", {}).items() if branch in branches}
    known = [HEAD.fullmatch(head) is not None and await mirror.begin_at(branch, head) for branch, head in heads.items()]
    return None if all(known) else Span(utc(kept.get("looked")), mirror.fetched)


def _begun(mirror: Mirror, span: Span) -> datetime:
    """Return when the mirror was made, which may just have happened for a span that reached up to now."""
    begun = mirror.begun()
    return min(begun, span.until) if begun - span.until < NOW else begun


def _moved(move: Move, mirror: Mirror, span: Span) -> Move:
    """Return a move at the end of a span that reaches up to now if this very look has seen it: it was before that."""
    is_new = move.at >= mirror.fetched and mirror.fetched_before < span.until
    return replace(move, at=min(move.at, span.until)) if is_new else move


def _coverage(begun: datetime, span: Span, since: datetime) -> Coverage:
    reasons = []
    if since > span.since:
        reasons.append(f"of a branch the newest {COMMITS} commits are looked at")
    if begun > span.since:
        moment = f"{begun:%Y-%m-%d %H:%M} UTC, when the mirror was made"
        reasons.append(f"force pushes, and pushes of commits with older dates, are only known from {moment}")
    return Coverage(max(since, span.since), span.until, clock_off=timedelta(0), why="; ".join(reasons))


def _at(commit: Commit, arrived: datetime | None, already: datetime, span: Span) -> datetime:
    """Return when a commit counts: when it was made, or when it came if it came in the span and claims another time."""
    if arrived is None:
        return min(commit.committed, already)
    return commit.committed if span.since <= commit.committed <= arrived else arrived


def _pushed(name: str, commit: Commit, at: datetime, content: CommitContent | None) -> Entry:
    dated = "" if at == commit.committed else f" (dated {commit.committed:%Y-%m-%d %H:%M} UTC)"
    what = f"commit {commit.id[:12]}{dated}: {commit.text}"
    return Entry(at, name, what, commit.parent, commit.id, commit.by, NOT_VERIFIED, commit=content)


def _rewritten(name: str, move: Move, gone: Sequence[Commit]) -> Entry:
    named = "; ".join(f"{commit.id[:12]} {commit.subject} ({commit.by})" for commit in gone[:NAMED])
    what = f"history was rewritten: {len(gone)} commits are gone, by a force push before this time: {named}"
    return Entry(move.at, name, what, move.old, move.new, known_by=NOBODY)
