"""Decides whether a request goes on: by the rules of its route, for each DAG of ours that it acts on."""

from changewindow.errors import LedgerDown
from changewindow.flow.own_dag import OWN_DAGS
from changewindow.flow.server.asked import Asked, Refused
from changewindow.flow.server.facts import Facts, Known
from changewindow.flow.server.routes import TABLE
from changewindow.flow.server.rules import unknown


def judge(asked: Asked, facts: Facts | None = None) -> None:
    """Let a request pass.

    Raises:
        Refused: it may not go on; says why.
    """
    try:
        sentence = _objection(asked, facts or Known())
    except LedgerDown as down:
        raise Refused(503, f"{', '.join(asked.dags) or 'It'} cannot be looked up now: {down}") from down
    if sentence:
        raise Refused(409, sentence)


def _objection(asked: Asked, facts: Facts) -> str | None:
    route = TABLE.get(asked.key)
    if route is None:
        return unknown(asked, facts)
    if route.whole and (sentence := route.whole(asked, facts)):
        return sentence
    for dag in asked.dags:
        rule = route.own if dag in OWN_DAGS else route.change
        if sentence := rule(asked, dag, facts):
            return sentence
    return None
