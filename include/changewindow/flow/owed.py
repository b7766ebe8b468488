"""What the policy says of what is owed after a change has acted, for the tasks that look after it."""

from changewindow import settings
from changewindow.changes.aftercare_sweep import Rules
from changewindow.errors import BadPolicy, ChangeError
from changewindow.flow.runtime import Run, log
from changewindow.ledger import aftercare, changes
from changewindow.ledger.database import Ledger
from changewindow.policy.aftercare import Aftercare
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.load import load_catalogue, load_emergencies, load_groups
from changewindow.ticket.reader import build_ticket


def emergencies() -> Emergencies:
    """Return the deadlines and people of emergencies; those that hold by default while their file cannot be read."""
    try:
        return load_emergencies(settings.read().policy)
    except BadPolicy as bad:
        log.warning("what holds by default holds now: %s", bad)
        return Emergencies()


def rules() -> Rules:
    """Return the same with the groups that it names."""
    try:
        return Rules(emergencies(), load_groups(settings.read().policy), _owners())
    except BadPolicy as bad:
        log.warning("who belongs to which group is not known: %s", bad)
        return Rules(emergencies())


def _owners() -> dict[str, tuple[str, ...]]:
    """Return the owners of each service; nobody's while the catalogue cannot be read."""
    try:
        services = load_catalogue(settings.read().policy).services
    except BadPolicy as bad:
        log.warning("who owns which service is not known: %s", bad)
        return {}
    return {name: service.owners for name, service in services.items()}


def owed_by(run: Run) -> Aftercare | None:
    """Return what the change of a run owes or has owed, if it owes anything and the ledger says so."""
    try:
        return aftercare.of_change(run.ledger, run.change.id)
    except ChangeError as error:
        log.warning("%s", error)
        return None


def room_of(here: Ledger, owed: Aftercare) -> str:
    """Return where the people of a change talk about it; a record has no room of its own."""
    if owed.because == "record":
        return settings.ROOM
    try:
        return build_ticket(changes.text_of(here, owed.change, owed.digest)).post_change.notify
    except ChangeError as error:
        log.warning("the room of %s is not known: %s", owed.change, error)
        return settings.ROOM
