"""Counts the alerts that fire in Grafana, of the alert rules in a folder or with certain labels.

The address comes from an Airflow Connection of type HTTP, with the token of a service account (role Viewer is enough)
in its password. Grafana's own alert rules are asked, so that silence can be told from a rule that is not there, is
paused, cannot reach its data, or has not been evaluated: none of those is a good answer. What an alert is
called, and its folder, are labels too: `alertname`, `grafana_folder`. A silenced alert fires all the same. The count is
as old as the oldest evaluation among the rules: give the watch a `settle` longer than their interval.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from changewindow.documents.moments import utc
from changewindow.documents.text import nearest
from changewindow.documents.types import ConnectionName, Expression
from changewindow.sources.base import SourceBase
from changewindow.systems import expressions
from changewindow.systems.alert_labels import Matcher, Selection
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import Answer, SourceContext, SourceError

EXAMPLE = {"kind": "grafana", "connection": "grafana", "folder": "Orders", "where": {"severity": "critical|page"}}
PRODUCT = Product(
    "Grafana",
    needs="the token of a service account with the role Viewer, or the permissions alert.rules:read and folders:read",
    takes_login=True,
)
MISSED = 3
"""After this many intervals without an evaluation, a rule is stale."""
SHOWN = 5
Entry = dict[str, Any]


class Source(SourceBase):
    """Alerts that are counted."""

    kind: Literal["grafana"] = "grafana"
    why_not_before_approval: ClassVar[str] = ""
    connection: ConnectionName
    """The Airflow Connection with the address of Grafana."""
    folder: str = ""
    """The folder of the rules, a nested one like `Shop/Orders`; without it, all that the token can see."""
    where: dict[str, Expression] = {}
    """Labels with the regular expression their whole value must match."""

    def description(self) -> str:
        """Return which alerts are counted."""
        labels = ", ".join(f'{name}=~"{expression}"' for name, expression in self.where.items())
        of = f" in folder {self.folder}" if self.folder else ""
        return f"firing alerts {{{labels}}}{of} at {self.connection}"

    def counts(self) -> tuple[Selection, ...]:
        """Return them; the label of a nested folder differs between versions of Grafana, so it tells nothing apart."""
        return (Selection("alerts", tuple(Matcher(name, "=~", value) for name, value in self.where.items())),)

    async def ask(self, context: SourceContext) -> Answer:
        """Count them."""
        api = Api(context, self.connection, PRODUCT)
        body = await api.json("/api/prometheus/grafana/api/v1/rules")
        _check_complete(body)
        rules = [
            (group, rule)
            for group in body["data"]["groups"]
            if self.folder in {"", group["file"]}
            for rule in group["rules"]
            if rule["type"] == "alerting" and self._is_asked(group, rule)
        ]
        if not rules:
            raise SourceError("no_data", self._nothing({str(group["file"]) for group in body["data"]["groups"]}))
        at = min(context.now(), *(_evaluated(group, rule, context.now()) for group, rule in rules))
        firing = [
            alert for _, rule in rules for alert in _alerts(rule) if self._matches(alert["labels"]) and _fires(alert)
        ]
        names = sorted(str(alert["labels"].get("alertname", "without a name")) for alert in firing)
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        return Answer(len(firing), api.at(at), api.query, note=", ".join(names[:SHOWN]) + more)

    def _nothing(self, folders: set[str]) -> str:
        """Return what to do when no rule is among those asked."""
        near = None if self.folder in folders else nearest(self.folder, folders)
        maybe = f" Did you mean the folder '{near}'?" if near else ""
        fault = f"Grafana has no alert rule for {self.description()} that the token can see"
        return f"{fault}.{maybe} Correct the ticket, or give the token access to the folder."

    def _is_asked(self, group: Entry, rule: Entry) -> bool:
        """Return whether a rule is among those asked: by its own labels, or by those of one of its alerts."""
        own = {**(rule.get("labels") or {}), "alertname": rule["name"], "grafana_folder": group["file"]}
        return self._matches(own) or any(self._matches(alert["labels"]) for alert in _alerts(rule))

    def _matches(self, labels: dict[str, str]) -> bool:
        return all(expressions.matches(expression, labels.get(name, "")) for name, expression in self.where.items())


def _check_complete(body: Entry) -> None:
    """Refuse an answer in which rules may be missing.

    Raises:
        SourceError: some are.
    """
    reasons = [str(warning) for warning in body.get("warnings") or ()]
    reasons += ["there are more groups of rules"] if body["data"].get("groupNextToken") else []
    if reasons:
        remedy = "Ask for fewer by the `folder`, or lift the limit of Grafana or of the proxy before it"
        raise SourceError("invalid", f"Grafana's answer is not complete: {'; '.join(reasons)}. {remedy}")


def _alerts(rule: Entry) -> list[Entry]:
    return rule.get("alerts") or []


def _fires(alert: Entry) -> bool:
    """Return whether an alert fires; behind its state Grafana may write a reason, like `Alerting (NoData)`."""
    return str(alert["state"]).split(" ")[0].lower() in {"alerting", "firing", "recovering"}


def _evaluated(group: Entry, rule: Entry, now: datetime) -> datetime:
    """Return when a rule was evaluated last.

    Raises:
        SourceError: it cannot be, or was not for too long.
    """
    name = f"the rule '{rule['name']}' in folder '{group['file']}'"
    states = " ".join(str(alert["state"]).lower() for alert in _alerts(rule))
    if rule["health"] == "error" or "error" in states:
        why = " ".join(str(rule.get("lastError") or "its query fails").split())[:200]
        raise SourceError("unreachable", f"{name} cannot be evaluated: {why}. Is its data source up?")
    if "keeplast" in states:
        raise SourceError("no_data", f"{name} keeps an old state, as it gets no data from its query any more")
    if rule["health"] == "nodata":
        raise SourceError("no_data", f"{name} gets no data from its query, so that it can neither fire nor be good")
    at = utc(rule["lastEvaluation"])
    if rule.get("isPaused") or at.year < 2000:
        raise SourceError("no_data", f"{name} is not evaluated. Is it paused, or new?")
    if now - at > MISSED * timedelta(seconds=group["interval"]):
        fault = f"{name} was evaluated at {at:%H:%M:%S} UTC last, though every {group['interval']:g} s is set"
        raise SourceError("stale", f"{fault}. Is Grafana's alerting at work?")
    return at
