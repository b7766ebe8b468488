"""Tells other tools of what a run does, as message tasks tell people: it never fails, and nothing waits for it."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from changewindow import settings
from changewindow.changes.marking import Marked, mark_all
from changewindow.changes.run_memory import UNREADABLE
from changewindow.flow.fetched_connections import among, fetched
from changewindow.flow.runtime import Run, log
from changewindow.flow.secrecy import SECRETS
from changewindow.ledger.payloads import MarkerFailed, MarkerSent
from changewindow.markers.base import MARKERS, MarkerBase, Moment
from changewindow.policy.markers import load_markers


def mark(run: Run, moment_of: Callable[[], Moment | None]) -> None:
    """Tell the tools of markers.yaml of a moment, if it is one; what goes wrong is in the log and in the record."""
    try:
        loaded = load_markers(settings.read().policy)
        is_empty = loaded.model is not None and not loaded.model.markers
        moment = None if is_empty else moment_of()
        if moment is None:
            return
        if loaded.model is None:
            _tell_nobody(run, moment, "; ".join(finding.text(MARKERS) for finding in loaded.findings))
        else:
            _tell(run, moment, loaded.model.markers)
    except Exception as error:  # noqa: BLE001  no change fails for a marker
        log.warning("other tools were not told, and the change goes on: %s", error)


def _tell_nobody(run: Run, moment: Moment, wrong: str) -> None:
    reason = f"markers.yaml cannot be read. Correct it: {wrong}"
    log.warning("other tools were not told, and the change goes on: %s", reason)
    run.note(MarkerFailed(marker=MARKERS, tool="other tools", moment=moment.kind, reason=reason))


def _tell(run: Run, moment: Moment, markers: Mapping[str, MarkerBase]) -> None:
    sent = _sent(run)
    last = {event.marker: event for event in sent if event.run == run.id}
    known = {name for name, event in last.items() if _covers(event, moment)}
    # Who was told of the beginning is told of the end, whatever markers.yaml says meanwhile.
    begun = {event.marker for event in sent} if moment.has_ended else set()
    wanted = {
        name: marker
        for name, marker in markers.items()
        if name not in known and (name in begun or marker.concerns(moment))
    }
    connections = among(fetched(wanted.values()), MARKERS)
    clean = replace(moment, summary=SECRETS.line(moment.summary), reason=SECRETS.line(moment.reason))
    for marked in mark_all(wanted, clean, connections):
        if marked.failure:
            log.warning("'%s' was not told, and the change goes on: %s", marked.name, marked.failure)
        run.note(_event(markers[marked.name], marked, moment))


def _event(marker: MarkerBase, marked: Marked, moment: Moment) -> MarkerSent | MarkerFailed:
    tool = type(marker).__module__.rpartition(".")[2]
    if marked.failure:
        return MarkerFailed(marker=marked.name, tool=tool, moment=moment.kind, reason=marked.failure)
    reference = SECRETS.line(marked.reference)
    return MarkerSent(marker=marked.name, tool=tool, moment=moment.kind, reference=reference, ended_as=moment.outcome)


def _covers(last: MarkerSent, moment: Moment) -> bool:
    """Return whether a tool that was last told of this knows of a moment; an end of another outcome is news."""
    if last.moment != "ended":
        return last.moment == moment.kind
    return not moment.has_ended or last.ended_as in {"", moment.outcome}


def _sent(run: Run) -> list[MarkerSent]:
    """Return what tools know of the change, as far as the ledger says: tasks may run again."""
    try:
        return run.past(MarkerSent)
    except UNREADABLE as error:
        log.warning("%s", error)
        return []
