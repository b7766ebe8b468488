"""Takes in what was kept on this host while the ledger was down, for every command that finds it answering again."""

from collections.abc import Sequence
from datetime import UTC, datetime

from changewindow import settings
from changewindow.changes.direct_ingestion import Ingestion, folder_of, take_in_all
from changewindow.errors import BadPolicy, ChangeError
from changewindow.ledger.database import Ledger
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.finding_rights import WhyNot, nobody, objection_to_closing
from changewindow.policy.model import Policy


def take_in_now(ledger: Ledger, rules: Policy | BadPolicy) -> list[str]:
    """Take in what was kept; return a sentence for each thing, also for what could not be taken in."""
    owes = Emergencies() if isinstance(rules, BadPolicy) else rules.emergencies
    ingestion = Ingestion(ledger, lambda: datetime.now(UTC), _why_not(rules), owes)
    try:
        taken = take_in_all(ingestion, folder_of(settings.read().spool))
    except (ChangeError, ValueError, OSError) as error:
        return [f"what was kept on this host cannot be taken in now; it stays kept. {error}"]
    return [*taken.news, *taken.kept]


def _why_not(rules: Policy | BadPolicy) -> WhyNot:
    """Return why findings are not theirs to close who have told of something by hand."""
    if isinstance(rules, BadPolicy):
        return nobody

    def why_not(person: str, services: Sequence[str]) -> str:
        wrong = objection_to_closing(rules, person, services)
        return wrong.sentence if wrong else ""

    return why_not
