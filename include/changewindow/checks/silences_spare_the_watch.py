"""No alert that the change is judged by is silenced: its silences and its conditions have none in common."""

from collections.abc import Iterator

from changewindow.documents.findings import Finding, Place
from changewindow.policy.check import Facts
from changewindow.silences.base import SilenceBase
from changewindow.sources.base import SourceBase
from changewindow.ticket.model import Ticket
from changewindow.ticket.named_connections import named_connections
from changewindow.watch.condition import Condition

CODE = "silences_spare_the_watch"


def check(ticket: Ticket, facts: Facts | None = None) -> list[Finding]:
    """Find silences that may cover what a condition counts, and warn of those that may hide more than is meant."""
    del facts
    findings = []
    for number, silence in enumerate(ticket.silence):
        place = ("silence", number)
        for condition in (*ticket.conditions, *ticket.rollback.verify):
            findings += list(_of_condition(silence, condition, place))[:1]
        findings += _of_services(silence, ticket.services, place)
    return findings


def _of_condition(silence: SilenceBase, condition: Condition, place: Place) -> Iterator[Finding]:
    """Yield why a condition could be blind for what is silenced, the worst first."""
    counted = [selection for source in condition.sources for selection in source.counts()]
    if any(not mine.excludes(selection) for mine in silence.covers() for selection in counted):
        sentence = f"it may silence what the condition '{condition.title}' counts: alerts that the change is judged by"
        yield Finding(CODE, sentence, _remedy(silence), place)
    if any(_asks(source, silence.connection) and not source.counts() for source in condition.sources):
        sentence = f"the condition '{condition.title}' asks {silence.connection} too, and nobody can say for what"
        yield Finding(CODE, sentence, "Ask in a way that can be compared, or silence less.", place)
    if any(mine.of == "alerts" and other.of == "incidents" for mine in silence.covers() for other in counted):
        sentence = f"what is silenced opens no incidents, which the condition '{condition.title}' counts"
        remedy = "Make sure that it judges by other alerts too."
        yield Finding(CODE, sentence, remedy, place, is_warning=True)
    unseen = ", ".join(filter(None, (source.unseen() for source in condition.sources)))
    if unseen and any(mine.of == "alerts" for mine in silence.covers()):
        sentence = f"the condition '{condition.title}' reads {unseen}, and what that counts cannot be seen here"
        remedy = "If it counts alerts that are silenced, judge by something else, or silence less."
        yield Finding(CODE, sentence, remedy, place, is_warning=True)


def _remedy(silence: SilenceBase) -> str:
    if any(selection.matchers for selection in silence.covers() if selection.of == "alerts"):
        return 'Give both the same label with different values, like severity="warning" and severity="page".'
    return "Remove the silence, or judge by something else."


def _asks(source: SourceBase, connection: str) -> bool:
    return any(use.name == connection for use in named_connections(source))


def _of_services(silence: SilenceBase, services: tuple[str, ...], place: Place) -> Iterator[Finding]:
    """Warn of matchers that name none of the services: what others are to be told may be silenced with it."""
    narrow = [matcher for selection in silence.covers() for matcher in selection.matchers if matcher.is_narrow]
    is_of_alerts = any(selection.of == "alerts" for selection in silence.covers())
    if is_of_alerts and not {matcher.value for matcher in narrow} & {*services}:
        sentence = f"no matcher names {' or '.join(services)}, so that alerts of other services may be silenced too"
        yield Finding(CODE, sentence, f'Add one like `service="{services[0]}"`.', place, is_warning=True)
