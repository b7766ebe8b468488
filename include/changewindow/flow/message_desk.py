"""What the sender of messages works with in the triggerer: connections fetched beforehand, and Airflow's addresses."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from urllib.parse import quote

from airflow.configuration import conf

from changewindow import settings
from changewindow.changes.buttons import buttons
from changewindow.changes.card_of import card_of
from changewindow.changes.card_text import look_of, rendered
from changewindow.changes.desk import Desk, Shown
from changewindow.changes.thread_lines import lines_after
from changewindow.errors import BadPolicy, UnknownConnection
from changewindow.flow.airflow_connection import connection_in_trigger
from changewindow.flow.fetched_connections import names_in
from changewindow.flow.runtime import now
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.notify import slack
from changewindow.notify.base import ChannelBase, Tools
from changewindow.policy.load import load_policy
from changewindow.policy.manual_change import RECORDED
from changewindow.policy.messages import Messages, named
from changewindow.policy.model import Policy
from changewindow.systems.connection import Connection
from changewindow.ticket.reader import build_ticket

Connections = Mapping[str, Connection]


async def known_in_trigger(policy: Messages) -> Connections:
    """Return the connections of all channels, as far as there are any, by name."""
    used = [channel for rules in policy.rooms.values() for channel in rules.to]
    known = {}
    for name in {*names_in(used), settings.SLACK_CONNECTION}:
        with suppress(UnknownConnection):
            known[name] = await connection_in_trigger(name)
    return known


def desk(ledger: Ledger, policy: Messages, known: Connections, log: Callable[[str], None]) -> Desk:
    """Return what the sender works with now."""
    approvals, usual = cache(_policy), known.get(settings.SLACK_CONNECTION)  # it is read once something is shown
    takes_clicks = usual is not None and bool(usual.extra.get("app_token"))

    def channels(room: str) -> Mapping[str, ChannelBase]:
        given = named(policy.rules(room).to or ((slack.Channel(),) if usual else ()))
        return {name: channel for name, channel in given.items() if channel.kind != "log"}

    def connection(name: str) -> Connection:
        if name not in known:
            raise UnknownConnection(name)
        return known[name]

    def show(change: str, room: str, kind: str) -> Shown:
        rules = policy.rules(room)
        card = card_of(ledger, change, approvals(), now(), links=_links(ledger, change))
        look = look_of(settings.read().templates, rules.templates, zone=rules.zone, ids=policy.ids(kind))
        message = rendered(card, look)
        below = buttons(card, policy, room) if kind == "slack" and takes_clicks else []
        return Shown(card, replace(message, blocks=(*message.blocks, *below)))

    return Desk(
        ledger,
        policy,
        channels,
        tools=lambda channel: Tools(connection, now, ids=policy.ids(channel.kind)),
        show=show,
        room_of=lambda change: _room_of(ledger, change),
        lines=lambda change, after: lines_after(ledger, change, after),
        log=log,
        now=now,
    )


def _room_of(ledger: Ledger, change: str) -> str:
    """Return where the people of a change talk about it; empty for a record, of which a note tells once."""
    if changes.get(ledger, change).status == RECORDED:
        return ""
    return build_ticket(changes.revision(ledger, change)).post_change.notify


def _policy() -> Policy | BadPolicy:
    places = settings.read()
    try:
        return load_policy(places.policy, places.templates)
    except BadPolicy as bad:
        return bad


def _links(ledger: Ledger, change: str) -> dict[str, str]:
    """Return where a change is seen in Airflow."""
    base, run = conf.get("api", "base_url", fallback="").rstrip("/"), changes.get(ledger, change).run
    if not base:
        return {}
    page = f"{base}/dags/{change}"
    return {
        "page": page,
        "actions": f"{base}/required_actions",
        **({"run": f"{page}/runs/{quote(run, safe='')}"} if run else {}),
    }
