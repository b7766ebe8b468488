r"""Shows files that OSSEC or Wazuh has seen changed, as the alerts of its server say.

An alert counts when it was raised. A change that a scan has noticed, and not the realtime watch, happened at some time
since the scan before. Who is known only from Wazuh's who-data. Checksums and contents are not shown. Prefer Wazuh's
alerts.json: alerts.log quotes what was changed in files, and that may look like an alert.

An agent that was disconnected has seen nothing meanwhile. The server begins a new file each midnight, so nothing is
known of before its first alert.

The account has to be in the group `ossec` or `wazuh` of the server. Where it is not, write `sudo: true` here, and give
it this command for the file in `alerts`, as a file in /etc/sudoers.d:

    changewindow ALL=(root) NOPASSWD: /usr/bin/tail -c 8388608 -- /var/ossec/logs/alerts/alerts.json
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.documents.types import ConnectionName
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.hosts.file_alerts import FLOODED, Alert, of_json, of_log
from changewindow.systems.hosts.machine import Line, machine
from changewindow.systems.measurement import SourceError

EXAMPLE = {"kind": "ossec", "connection": "wazuh_server", "agents": ["web-3"]}
MOST = 8 << 20
"""Bytes of the alerts, the newest."""
BY_LOGIN, BY_USER = "login user of Wazuh's who-data", "user of Wazuh's who-data, whom the program ran as"
NOBODY = "the alert has no who-data, which only Wazuh has"
AT_ONCE = ("realtime", "whodata")


class Collector(CollectorBase):
    """The alerts of a server of OSSEC or Wazuh."""

    kind: Literal["ossec"] = "ossec"
    connection: ConnectionName | None = None
    """The SSH connection of the server; without it, this machine."""
    alerts: str = Field(default="/var/ossec/logs/alerts/alerts.json", pattern=r"^/[^\x00]*\.(json|log)$")
    """Wazuh's alerts.json, or alerts.log."""
    agents: tuple[str, ...] = ()
    """Names of the agents whose files count; without them, all."""
    sudo: bool = False
    """Whether tail runs as root by sudo; see above."""

    @property
    def by_sudo(self) -> tuple[Line, ...]:
        """Return what runs as root."""
        return (("tail", "-c", str(MOST), "--", self.alerts),) if self.sudo else ()

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the newest alerts."""
        on = await machine(context.connection, context.run, self.connection, by_sudo=self.by_sudo, kind=self.kind)
        ahead = await context.clock_off(self.connection)
        text = (await on.read("tail", "-c", str(MOST), "--", self.alerts)).decode(errors="replace")
        if len(text) >= MOST - 4:
            text = text.partition("\n")[2]
        read = list(of_json(text) if self.alerts.endswith(".json") else of_log(text))
        alerts = sorted((alert for alert in read if alert), key=lambda alert: alert.at)
        if not alerts:
            missing = f"{self.alerts} on {on.name} has no alert yet, so nobody knows since when it is written"
            raise SourceError("no_data", f"{missing}. Ask for it again after the first one, or correct `alerts`")
        entries = tuple(_entry(alert) for alert in alerts if alert.path and self._counts(alert.agent))
        return Collected(entries, self._coverage(alerts, span, ahead, broken=len(read) - len(alerts)))

    def _counts(self, agent: str) -> bool:
        """Return whether an agent counts; the server adds its address to its name."""
        return not self.agents or any(
            agent == name or agent.startswith((f"{name}-", f"{name}>")) for name in self.agents
        )

    def _coverage(self, alerts: Sequence[Alert], span: Span, ahead: timedelta, *, broken: int) -> Coverage:
        since, flooded = alerts[0].at - ahead, sum(alert.rule in FLOODED for alert in alerts)
        silent = self._silent(alerts, span, ahead)
        scans = any(alert.path and alert.mode not in AT_ONCE for alert in alerts)
        reasons = [
            f"nothing is known of before {since:%F %H:%M} UTC, the first alert there" if since > span.since else "",
            f"{broken} alerts cannot be read" if broken else "",
            f"the queue of an agent was full {flooded} times" if flooded else "",
            f"an agent was disconnected {len(silent)} times" if silent else "",
            "what a scan notices has happened before" if scans else "",
        ]
        return Coverage(
            min(max(since, span.since), span.until),
            span.until,
            silent,
            broken + flooded,
            clock_off=ahead,
            why="; ".join(filter(None, reasons)),
        )

    def _silent(self, alerts: Sequence[Alert], span: Span, ahead: timedelta) -> tuple[Span, ...]:
        """Return when an agent that counts was not connected."""
        gone: dict[str, datetime] = {}
        silent = []
        for alert in (alert for alert in alerts if alert.state and self._counts(alert.agent)):
            if alert.state != "started":
                gone.setdefault(alert.agent, alert.at - ahead)
            elif alert.agent in gone:
                silent.append(Span(gone.pop(alert.agent), alert.at - ahead))
        return (*silent, *(Span(since, span.until) for since in gone.values() if since < span.until))


def _entry(alert: Alert) -> Entry:
    by, known_by = next(
        ((who, how) for who, how in ((alert.login, BY_LOGIN), (alert.user, BY_USER)) if who), ("", NOBODY)
    )
    noticed = "" if alert.mode in AT_ONCE else ", noticed by a scan"
    program = f" by {alert.program}" if alert.program else ""
    what = f"{alert.done}{program}{noticed}{f': {alert.attributes}' if alert.attributes else ''}"
    return Entry(alert.at, f"{alert.agent}:{alert.path}", what, alert.before, alert.after, by, known_by)
