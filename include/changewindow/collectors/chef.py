"""Shows nodes and cookbooks of a Chef Infra Server that are no longer as at the last look.

Of each node its run list, environment, policy and version of Chef are compared, and nodes that came or went are shown;
of each cookbook its newest version. The server keeps no history, so that changes are known from the first look on, to
the time between two looks; what a run of Chef changed on a host it does not know. Nodes whose last run (`ohai_time`)
was long ago are named: Chef has put nothing right there since. The connection's host ends with `/organizations/…`, its
login is a client that may read, its password that client's private key.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName, Duration
from changewindow.systems.chef_server import chef_server
from changewindow.systems.collection import Collected, Entry, Span
from changewindow.systems.measurement import SourceError
from changewindow.systems.remembered import Difference, compared

EXAMPLE = {"kind": "chef", "connection": "chef_server", "service": "orders"}
NODES = 5000
NAMED = 5
COMPARED = ("run_list", "environment", "policy", "revision", "chef")
NOBODY = "the Chef server does not record who changed it; the log of its front end may"
UNREADABLE = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


class Collector(CollectorBase):
    """An organization of a Chef Infra Server."""

    kind: Literal["chef"] = "chef"
    connection: ConnectionName
    """The Airflow Connection of the organization, of type HTTP."""
    stale: Duration = Field(default=timedelta(hours=2), gt=timedelta(0))
    """After how long without a run of Chef a node is named."""

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Ask for nodes and cookbooks, and compare them with the last look."""
        began, blind, lost = context.now(), dict[str, str](), 0
        server = await chef_server(context, self.connection)
        rows, total = await server.nodes(NODES)
        states, late = dict[str, str](), list[str]()
        for row in rows:
            try:
                name, state, ran = _node(row)
            except UNREADABLE:
                lost += 1
                continue
            states[f"node {name}"] = state
            late += [name] if began - ran > self.stale else []
        try:
            states |= {f"cookbook {name}": version for name, version in _cookbooks(await server.cookbooks())}
        except SourceError as error:
            blind["cookbooks"] = f"cookbooks are not seen: {error}"
        is_whole = total <= len(rows) and not lost
        problems = [*blind.values(), *_problems(total - len(rows), lost, sorted(late))]
        memory = compared(
            context.kept,
            states,
            began,
            is_all=True,
            is_unread=lambda name: not is_whole if name.startswith("node ") else bool(blind),
        )
        entries = [_entry(change, at) for change in memory.differences if (at := change.at(span))]
        what = "changes of nodes and cookbooks"
        lost += max(total - len(rows), 0)
        return Collected(tuple(entries), memory.coverage(span, what, *problems, lost=lost, blind=blind))


def _node(row: Any) -> tuple[str, str, datetime]:
    data = row["data"]
    lines = [f"{name}: {_text(data.get(name))}" for name in COMPARED if data.get(name)]
    ran = data.get("ohai_time")
    moment = datetime.fromtimestamp(float(ran), UTC) if ran is not None else datetime.now(UTC)
    return str(data["name"]), "\n".join(lines), moment


def _text(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _cookbooks(listed: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, cookbook in listed.items():
        versions = cookbook.get("versions") if isinstance(cookbook, dict) else None
        if isinstance(versions, list) and versions and isinstance(versions[0], dict):
            yield name, str(versions[0].get("version"))


def _problems(missing: int, lost: int, late: list[str]) -> Iterator[str]:
    if missing > 0:
        yield f"{missing} nodes are not looked at, {NODES} are"
    if lost:
        yield f"{lost} nodes cannot be read"
    if late:
        more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
        yield f"Chef has not run lately on {', '.join(late[:NAMED])}{more}"


def _entry(change: Difference, at: datetime) -> Entry:
    before, after = change.values
    kind = change.object.partition(" ")[0]
    entry = partial(Entry, at, change.object, known_by=NOBODY, earliest=change.earliest)
    if change.before is None or change.after is None:
        verb = "is new" if change.before is None else "is gone"
        return entry(f"{kind} {verb}, {change.when}", before, after)
    if kind == "cookbook":
        return entry(f"its newest version is {after}, changed {change.when}", before, after)
    names = sorted(line.partition(":")[0] for line in {*before.splitlines()} ^ {*after.splitlines()})
    return entry(f"changed: {', '.join(dict.fromkeys(names))}, {change.when}", before, after)
