"""What the policy says of what is owed after a change has acted, for the tasks that look after it."""

from changewindow import settings
from changewindow.changes.aftercare_sweep import Rules
from changewindow.errors import BadPolicy
from changewindow.flow.runtime import log
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.load import load_emergencies, load_groups


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
        return Rules(emergencies(), load_groups(settings.read().policy))
    except BadPolicy as bad:
        log.warning("who belongs to which group is not known: %s", bad)
        return Rules(emergencies())
