"""Says which alerts a query of metrics may count: one that cannot be read for certain may count all of them.

Besides what Prometheus knows, VictoriaMetrics lets names be escaped, and matchers be joined by `or`.
"""

import re

from changewindow.systems.alert_labels import Matcher, Selection, parsed

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
STRING = r""""(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`"""
TOKENS = rf"(?:\s|#[^\n]*)+|(?P<string>{STRING})|(?P<name>{NAME})|(?P<sign>.)"
TOKEN = re.compile(TOKENS, re.DOTALL)
MATCHER = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|=|!=|!~)\s*("(?:[^"\\]|\\.)*")')
NAME_FIRST = rf'\s*(?:__name__\s*=\s*)?"({NAME})"\s*(?:,|$)'
NAMED = re.compile(NAME_FIRST)
"""What gives the metric inside of the braces: `{__name__="up", job="a"}` or `{"up", job="a"}`."""
QUOTED = re.compile(r'(?:\{|__name__\s*=)\s*"([a-zA-Z_:][a-zA-Z0-9_:]*)"')
"""The name of a metric in quotes."""
WORD = re.compile(r"[\w.-]+")
OF_ALERTS = re.compile(r"(?<![a-z])alerts?(?![a-z])|alertmanager|amtool", re.IGNORECASE)
"""What stands in a word that speaks of alerts."""
OPERATORS = {"and", "or", "unless", "atan2", "bool", "group_left", "group_right"}
"""Names that may stand before a selector that begins with a brace."""
ALERTS = re.compile(r"(ALERTS(_FOR_STATE)?|GRAFANA_ALERTS)")
"""Metrics with the labels of each alert."""
OF_PRODUCTS = re.compile(r"(?!\w*received)\w*(alertmanager|grafana_alerting)_\w*(alerts|notif)\w*")
"""Metrics that count what is not silenced, by labels of their own."""
NOT_OF_ALERTS = {"__name__", "alertstate", "grafana_alertstate"}
"""Labels that only the metrics have: what a silence says of them tells no alerts apart."""
KNOWN = re.compile(r"[^\\]|\\[\\\"n]")
"""What a string is made of where it means the same to everything that reads matchers."""
ALL = (Selection("alerts"),)


def in_promql(query: str) -> tuple[Selection, ...]:
    """Return the alerts that a query of metrics may count; none for one that reads something else."""
    selections: list[Selection] = []
    metric, begins = "", -1  # what stands before a brace, and where the text in the brace begins
    for token in TOKEN.finditer(query):
        name, sign = token["name"], token["sign"]
        if sign == "\\":
            return ALL
        if sign == "}":
            selections += _selected(metric, query[begins : token.start()])
            metric, begins = "", -1
        elif begins < 0 and sign == "{":
            begins = token.end()
        elif begins < 0 and (name or sign or token["string"]):
            selections += _selected(metric, "")
            metric = name if name and name.lower() not in OPERATORS else ""
    return (*selections, *_selected(metric, query[begins:] if begins >= 0 else ""))


def recording_rules(query: str) -> tuple[str, ...]:
    """Return the metrics of a query that are named as recording rules are: what they read stands somewhere else."""
    names = [name for name in QUOTED.findall(query) if ":" in name]
    is_range = False
    for token in TOKEN.finditer(query):
        is_range = token["sign"] == "[" or (is_range and token["sign"] != "]")
        if token["name"] and ":" in token["name"] and not is_range:  # a subquery has a colon in its brackets
            names.append(token["name"])
    return tuple(dict.fromkeys(names))


def mentioned_alerts(text: str) -> str:
    """Return the word by which a statement or a command line speaks of alerts; empty if it does not."""
    return next((word for word in WORD.findall(text) if OF_ALERTS.search(word)), "")


def _selected(metric: str, labels: str) -> tuple[Selection, ...]:
    """Return which alerts a metric with labels in braces may count; without a name, the labels may give it."""
    given = NAMED.match(labels) if not metric else None
    if given and _of_promql(labels[given.end() :]) is not None:
        metric = given[1]
    if OF_PRODUCTS.fullmatch(metric):
        return ALL
    if (metric and not ALERTS.fullmatch(metric)) or not (metric or labels):
        return ()
    return (Selection("alerts", _of_promql(labels[given.end() :] if given else labels) or ()),)


def _of_promql(labels: str) -> tuple[Matcher, ...] | None:
    """Return the matchers of alerts in braces; None where something else stands between them, such as `or`."""
    if MATCHER.sub("", labels).replace(",", "").strip() or KNOWN.sub("", labels):
        return None
    matchers = (parsed("".join(parts)) for parts in MATCHER.findall(labels))
    return tuple(matcher for matcher in matchers if matcher.label not in NOT_OF_ALERTS)
