"""Takes in what terminals have kept while the ledger was down; what was altered is set aside, and said."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from changewindow.changes.recording import Teller, enter
from changewindow.errors import ChangeError, LedgerDown
from changewindow.ledger import journal as files
from changewindow.ledger import taking_in
from changewindow.ledger.database import Ledger
from changewindow.ledger.journal import Journal, Line
from changewindow.ledger.taking_in import CLOSED, DECLARED, Taken
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.finding_rights import WhyNot
from changewindow.policy.manual_change import ManualChange

RECORDED = "recorded"
"""What the only line of a record is."""
NOBODY_KNOWS = "line {} of its journal is not as it was written, so nobody knows how it ended. Look at its targets"


@dataclass(frozen=True)
class Ingestion:
    """Where what terminals have kept goes."""

    ledger: Ledger
    now: Callable[[], datetime]
    why_not: WhyNot
    """Why findings are not theirs to close who tell of what was done by hand."""
    owes: Emergencies
    """By when what is owed afterwards is due."""
    takes_over: bool = False
    """Whether what a process has left that died goes to those who roll it back; otherwise a person has to."""


@dataclass(frozen=True)
class TakenIn:
    """What has become of the journals of a host, as sentences for people."""

    news: tuple[str, ...] = ()
    """What was taken in, or set aside: said once."""
    kept: tuple[str, ...] = ()
    """What stays where it is until somebody does something about it: said each time."""

    def __add__(self, other: "TakenIn") -> "TakenIn":
        return TakenIn(self.news + other.news, self.kept + other.kept)


def folder_of(spool: Path) -> Path:
    """Return the folder of the journals, beside the spool."""
    return spool.with_suffix(".journals")


def take_in_all(ingestion: Ingestion, folder: Path) -> TakenIn:
    """Take in every journal of a folder that no process has open; one that cannot be taken in stops no other.

    Raises:
        LedgerDown: none was; all of them stay kept.
    """
    taken = TakenIn()
    for path in files.journals(folder) if folder.is_dir() else []:
        try:
            journal = Journal.take(path, ingestion.ledger.seal)
            taken += TakenIn() if journal is None else _take_in(ingestion, journal)
        except LedgerDown as down:
            if not taken.news:
                raise
            return taken + TakenIn(kept=(f"{path} and those after it stay kept: {down}",))  # the news are said once
        except OSError as error:
            sentence = f"{path} cannot be read ({error.strerror}). Take it in as the account that owns it"
            taken += TakenIn(kept=(sentence,))
        except (ChangeError, ValueError) as error:
            taken += TakenIn(kept=(f"{path} cannot be taken in, and stays kept: {error}",))
    return taken


def _take_in(ingestion: Ingestion, journal: Journal) -> TakenIn:
    """Take in one journal."""
    suffix: str | None = None
    try:
        if journal.strange:
            return TakenIn(kept=(f"{journal.path} stays kept: its line {journal.altered} {journal.strange}",))
        if not journal.lines:
            suffix = files.REFUSED if journal.altered else ""
            return TakenIn((_set_aside(journal, 1),) if journal.altered else ())
        first = journal.lines[0]
        if first.what == RECORDED:
            sentence = _record(ingestion, journal, first)
        elif first.what != DECLARED:
            suffix = files.REFUSED
            return TakenIn((_set_aside(journal, 1),))
        else:
            sentence = _emergency(ingestion, journal)
        if sentence:
            suffix = files.REFUSED if journal.altered else ""
            return TakenIn((sentence, *([_set_aside(journal, journal.altered)] if journal.altered else [])))
        died = f"{journal.path}: the process that carried it out died. End it with `changewindow emergency --resume`"
        return TakenIn(kept=(died,))
    finally:
        journal.close(suffix=suffix)


def _record(ingestion: Ingestion, journal: Journal, line: Line) -> str:
    manual, person = ManualChange.model_validate(line.data["manual"]), str(line.data["person"])
    teller = Teller(person, ingestion.why_not)
    owes, origin = ingestion.owes.deadlines(line.at), f"terminal/{journal.identity}"
    outcome = enter(ingestion.ledger, manual, teller, now=line.at, origin=origin, owes=owes)
    return f"{outcome.change} is recorded, not approved: told by {person}, {line.at:%Y-%m-%d %H:%M} UTC"


def _emergency(ingestion: Ingestion, journal: Journal) -> str:
    """Take in an emergency; return a sentence, or nothing where a person has to end it first."""
    lines = list(journal.lines)
    is_closed = any(line.what == CLOSED for line in lines)
    if journal.altered and not is_closed:
        reason = NOBODY_KNOWS.format(journal.altered)
        lines.append(Line(CLOSED, lines[-1].at, {"outcome": "rollback_failed", "reason": reason}))
    elif not is_closed and not ingestion.takes_over:
        return ""
    taken = taking_in.take_in(ingestion.ledger, lines, now=ingestion.now(), is_alive=False)
    return _sentence(taken, lines)


def _sentence(taken: Taken, lines: list[Line]) -> str:
    person, at = lines[0].data["person"], lines[0].at
    begun = f"{taken.change} was declared an emergency by {person} from a terminal, {at:%Y-%m-%d %H:%M} UTC"
    ended = next((line for line in lines if line.what == CLOSED), None)
    if not taken.is_ours:
        there = f", and had ended there as {ended.data['outcome']}" if ended else ""
        return f"{begun}; another run has taken it over{there}. It is {taken.status} now{left_text(taken.left)}"
    if ended is None:
        return f"{begun}; the process that carried it out died, and it is rolled back"
    return f"{begun}: {ended.data['outcome']}, {ended.data['reason']}"


def left_text(steps: tuple[int, ...]) -> str:
    """Return what is to be done about steps that whoever has taken over may not know of; empty where there are none."""
    if not steps:
        return ""
    listed = f"step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}"
    return f". It had begun {listed} while it was cut off, and whether that was undone is not known: look now"


def _set_aside(journal: Journal, number: int) -> str:
    where = journal.path.with_suffix(files.REFUSED)
    return f"line {number} of {journal.path} is not as it was written: nothing from there on is taken, see {where}"
