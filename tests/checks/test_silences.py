"""A change silences none of the alerts that it is judged by: which tickets are refused, and which are not."""

from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.checks.silences_spare_the_watch import check
from changewindow.systems.alert_labels import Matcher, parsed
from changewindow.systems.alerts_in_promql import in_promql
from support.tickets import FACTS, ticket

ORDERS = 'service="orders"'
WARNING, PAGE = 'severity="warning"', 'severity="page"'
ID, OTHER = "9d0c7a2e-53f1-4c3b-9a53-0f8f6f1c2b7d", "0a0c7a2e-53f1-4c3b-9a53-0f8f6f1c2b7d"


def alertmanager(*matchers: str, connection: str = "alerts") -> dict[str, Any]:
    """Return a silence in Alertmanager, or what a source counts there."""
    return {"kind": "alertmanager", "connection": connection, "matchers": list(matchers)}


def grafana(*matchers: str, connection: str = "grafana") -> dict[str, Any]:
    """Return a silence in Grafana."""
    return {"kind": "grafana", "connection": connection, "matchers": list(matchers)}


def rules(**where: str) -> dict[str, Any]:
    """Return a source that counts alerts of Grafana's rules."""
    return {"kind": "grafana", "connection": "grafana", "where": where}


def prometheus(query: str) -> dict[str, Any]:
    """Return a source that asks a query."""
    return {"kind": "prometheus", "connection": "prometheus", "query": query}


def pagerduty(*services: str) -> dict[str, Any]:
    """Return a maintenance window."""
    return {"kind": "pagerduty", "connection": "pagers", "services": list(services)}


def opsgenie(integration: str = ID) -> dict[str, Any]:
    """Return a maintenance."""
    return {"kind": "opsgenie", "connection": "pagers", "integrations": [integration]}


def incidents(service: str) -> dict[str, Any]:
    """Return a source that counts incidents."""
    return {"kind": "incidents", "connection": "pagers", "service": service}


def http(path: str, connection: str = "shop") -> dict[str, Any]:
    """Return a source that sends a request."""
    return {"kind": "http", "connection": connection, "path": path}


def sql(query: str) -> dict[str, Any]:
    """Return a source that asks a database."""
    return {"kind": "sql", "connection": "orders", "query": query}


def command(*run: str) -> dict[str, Any]:
    """Return a source that runs a program."""
    return {"kind": "command", "run": list(run)}


def found(silence: dict[str, Any], source: dict[str, Any], at: str = "watch", **more: Any) -> list[tuple[bool, str]]:
    """Return what the check has against a silence beside a condition, as `is it a warning` and its sentence."""
    condition = {"name": "counted", "source": source, "pass": {"equals": 0}, **more}
    parts: dict[str, Any] = {
        "watch": {"watch": {"for": "1m", "conditions": [condition]}},
        "validation": {"validation": [condition]},
        "verify": {"rollback": {"estimate": "1m", "verify": [condition]}},
        "preflight": {"preflight": {"checks": [condition]}},
    }
    asked = ticket(silence=[silence], **parts[at])
    return [(finding.is_warning, finding.sentence) for finding in check(asked, FACTS)]


REFUSED = [
    pytest.param(alertmanager(ORDERS), alertmanager(ORDERS), id="the very alerts that the watch counts"),
    pytest.param(alertmanager(ORDERS, WARNING), alertmanager(ORDERS), id="a part of what the watch counts"),
    pytest.param(alertmanager(ORDERS), alertmanager(ORDERS, PAGE), id="more than what the watch counts"),
    pytest.param(
        alertmanager(ORDERS), alertmanager(ORDERS, connection="other"), id="the same under another name of a connection"
    ),
    pytest.param(alertmanager(ORDERS), alertmanager(PAGE), id="labels that an alert may have both"),
    pytest.param(alertmanager(ORDERS), alertmanager('service=~"or.*"'), id="a value that an expression matches"),
    pytest.param(
        alertmanager(ORDERS, 'severity=~"info|warning"'),
        alertmanager(ORDERS, 'severity=~"critical|page"'),
        id="two expressions, of which nobody proves that they share no value",
    ),
    pytest.param(
        alertmanager(ORDERS, 'severity!="page"'), alertmanager(ORDERS, 'severity!="warning"'), id="two exceptions"
    ),
    pytest.param(alertmanager(ORDERS), alertmanager('service!~"("'), id="an expression that cannot be read"),
    pytest.param(alertmanager(ORDERS), rules(service="orders"), id="rules of Grafana with the same label"),
    pytest.param(grafana(ORDERS), rules(), id="all rules of Grafana"),
    pytest.param(grafana(ORDERS), alertmanager(ORDERS), id="what Grafana may have sent to Alertmanager"),
    pytest.param(
        alertmanager(ORDERS), prometheus('sum(ALERTS{service="orders",alertstate="firing"})'), id="alerts in Prometheus"
    ),
    pytest.param(alertmanager(ORDERS), prometheus("count(ALERTS)"), id="all alerts in Prometheus"),
    pytest.param(
        alertmanager(ORDERS), prometheus('count({__name__=~"ALERT.*"})'), id="a metric that is named by an expression"
    ),
    pytest.param(
        alertmanager(ORDERS), prometheus('count(ALERTS{service="a" or service="orders"})'), id="matchers with an or"
    ),
    pytest.param(
        alertmanager(ORDERS),
        {"kind": "openmetrics", "connection": "shop", "metric": "alertmanager_alerts"},
        id="Alertmanager's own metrics",
    ),
    pytest.param(alertmanager(ORDERS), prometheus('count({service="orders"})'), id="every metric with a label"),
    pytest.param(alertmanager(ORDERS), prometheus('up or {"__name__"=~"ALE.*"}'), id="the label of the name in quotes"),
    pytest.param(alertmanager(ORDERS), prometheus(r'{__name__="\x41LERTS"}'), id="a name that is written by escapes"),
    pytest.param(alertmanager(ORDERS), prometheus(r"sum(\x41LERTS)"), id="the same without quotes"),
    pytest.param(alertmanager(ORDERS), prometheus('{__name__ # "up"\n=~"A.*"}'), id="a comment before the operator"),
    pytest.param(
        alertmanager(ORDERS), prometheus('{__name__="up" or __name__="ALERTS"}'), id="a harmless name, or another one"
    ),
    pytest.param(
        alertmanager(ORDERS, PAGE),
        prometheus(r'ALERTS{service="orders",severity="\x70age"}'),
        id="a value that is written by escapes",
    ),
    pytest.param(
        alertmanager(ORDERS, 'alertstate!="firing"'),
        prometheus('ALERTS{service="orders",alertstate="firing"}'),
        id="a label that no alert has",
    ),
    pytest.param(
        alertmanager(ORDERS, 'state!="active"'),
        prometheus('alertmanager_alerts{state="active"}'),
        id="a label of Alertmanager's metrics, which no alert has",
    ),
    pytest.param(alertmanager(ORDERS), prometheus("alertmanager_marked_alerts"), id="alerts that Alertmanager marks"),
    pytest.param(
        alertmanager(ORDERS), prometheus("rate(alertmanager_notifications_total[1m])"), id="what Alertmanager sends"
    ),
    pytest.param(grafana(ORDERS), prometheus("grafana_alerting_alertmanager_alerts"), id="Grafana's own metrics"),
    pytest.param(grafana(ORDERS), prometheus('GRAFANA_ALERTS{service="orders"}'), id="Grafana's alerts in Prometheus"),
    pytest.param(alertmanager(ORDERS), http("/api/v2/alerts?active=true"), id="the list of alerts by HTTP"),
    pytest.param(alertmanager(ORDERS), http("/api/v2/%61lerts"), id="the same with an escaped letter"),
    pytest.param(alertmanager(ORDERS), http("/api//v2/./alerts"), id="the same with more slashes"),
    pytest.param(alertmanager(ORDERS), http("/api/v1/query?query=count(ALERTS)"), id="a query by HTTP"),
    pytest.param(alertmanager(ORDERS), http("/federate?match[]=%41LERTS"), id="federation by HTTP"),
    pytest.param(alertmanager(ORDERS), http("/health", "alerts"), id="whatever else is asked by the same connection"),
    pytest.param(pagerduty("PF9KMXH"), incidents("PF9KMXH"), id="the incidents of a service in maintenance"),
    pytest.param(pagerduty("PF9KMXH"), incidents("orders"), id="incidents of a service by its name"),
    pytest.param(pagerduty("PF9KMXH", "PA1B2C3"), incidents("PA1B2C3"), id="one of two services in maintenance"),
    pytest.param(pagerduty("PF9KMXH"), incidents("PAYMENT"), id="a name that looks like an id"),
    pytest.param(opsgenie(), incidents("orders"), id="incidents of Opsgenie, whose integrations nobody knows"),
    pytest.param(opsgenie(), incidents(OTHER), id="incidents by an id, which is no integration's"),
]


@pytest.mark.parametrize("at", ["watch", "validation", "verify"])
@pytest.mark.parametrize(("silence", "source"), REFUSED)
def test_what_the_change_is_judged_by_is_not_silenced(silence: dict[str, Any], source: dict[str, Any], at: str) -> None:
    """Wherever the condition stands, unless nothing can be both."""
    assert [is_warning for is_warning, _ in found(silence, source, at)][:1] == [False]


@pytest.mark.parametrize(
    ("silence", "source"),
    [
        pytest.param(alertmanager(ORDERS, WARNING), alertmanager(ORDERS, PAGE), id="another value of one label"),
        pytest.param(
            alertmanager(ORDERS, WARNING),
            alertmanager(ORDERS, 'severity=~"critical|page"'),
            id="a value that the expression does not match",
        ),
        pytest.param(
            alertmanager(ORDERS, 'alertname="Slow"'),
            alertmanager(ORDERS, 'alertname!="Slow"'),
            id="the one that the condition leaves out",
        ),
        pytest.param(
            alertmanager(ORDERS, 'team!=""'), alertmanager('team=""'), id="those with a label and those without"
        ),
        pytest.param(grafana(ORDERS, WARNING), rules(severity="page"), id="rules of Grafana with another label"),
        pytest.param(
            alertmanager(ORDERS, WARNING), prometheus('ALERTS{severity="page"}'), id="other alerts in Prometheus"
        ),
        pytest.param(
            alertmanager(ORDERS), prometheus("sum(rate(http_requests_total[1m]))"), id="a query that reads no alerts"
        ),
        pytest.param(
            alertmanager(ORDERS),
            prometheus('sum by (job) (up{job="ALERTS"}) / on() group_left {"ups", job="a"} or {__name__="up"}'),
            id="names of other metrics, however they are given",
        ),
        pytest.param(
            alertmanager(ORDERS, WARNING),
            prometheus(r"""{severity="page"} or ALERTS{alertname=~"a\\.b",severity="page"}"""),
            id="every metric with another label",
        ),
        pytest.param(
            alertmanager(ORDERS), prometheus("alertmanager_alerts_received_total"), id="what Alertmanager receives"
        ),
        pytest.param(alertmanager(ORDERS), http("/api/v1/query?query=up"), id="a query by HTTP that reads no alerts"),
        pytest.param(alertmanager(ORDERS), http("/health"), id="a request to the service itself"),
        pytest.param(pagerduty("PF9KMXH"), incidents("PA1B2C3"), id="incidents of another service by its id"),
    ],
)
def test_what_nothing_judges_by_may_be_silenced(silence: dict[str, Any], source: dict[str, Any]) -> None:
    """Alerts that the change disturbs, and that say nothing about whether it is good."""
    assert found(silence, source) == []


UNSEEN = [
    pytest.param(prometheus("orders:alerts:firing > 0"), "orders:alerts:firing", id="a recording rule"),
    pytest.param(
        prometheus('max_over_time(a:b[5m:1m]) + {__name__="c:d"} + {"e:f"} + x{g="h:i"} # j:k'),
        "c:d, e:f, a:b",
        id="names of recording rules, and what looks like them",
    ),
    pytest.param(http("/api/v1/query?query=orders:alerts:sum"), "orders:alerts:sum", id="a recording rule by HTTP"),
    pytest.param({"kind": "openmetrics", "connection": "shop", "metric": "a:b"}, "a:b", id="one of a federation"),
    pytest.param(sql("SELECT count(*) FROM alert_instance"), "alert_instance", id="a table of alerts"),
    pytest.param(sql("SELECT sum(firing) FROM grafana.alerts AS a"), "grafana.alerts", id="one of a schema"),
    pytest.param(command("promtool", "query", "instant", "sum(ALERTS)"), "ALERTS", id="a query by a program"),
    pytest.param(command("amtool", "query"), "amtool", id="the program of Alertmanager"),
    pytest.param(command("/opt/count-alerts.sh"), "count-alerts.sh", id="a program that is named so"),
]


@pytest.mark.parametrize(("source", "named"), UNSEEN)
def test_what_may_count_alerts_and_cannot_be_seen_through_is_a_warning(source: dict[str, Any], named: str) -> None:
    """It names what nobody here can see."""
    told = f"the condition 'counted' reads {named}, and what that counts cannot be seen here"
    assert found(alertmanager(ORDERS), source) == [(True, told)]
    assert found(pagerduty("PF9KMXH"), source) == []


@pytest.mark.parametrize(
    "source",
    [
        sql("SELECT count(*) FROM orders WHERE note = 'alerted'"),
        sql("SELECT 1 FROM salerts"),
        command("cat", "/proc/loadavg"),
        prometheus("rate(http_requests_total[5m:1m])"),
    ],
    ids=["a word that begins like it", "one that ends like it", "any program", "a subquery"],
)
def test_other_statements_and_programs_are_no_warning(source: dict[str, Any]) -> None:
    """Else nobody would read it any more."""
    assert found(alertmanager(ORDERS), source) == []


def test_a_control_group_counts_too() -> None:
    """It is asked for alerts as the source is."""
    compare = {"by": "difference", "control": alertmanager(ORDERS)}
    findings = found(alertmanager(ORDERS), http("/health"), **{"pass": {"below": 1}, "compare": compare})
    assert [is_warning for is_warning, _ in findings] == [False]


def test_the_preflight_is_over_when_alerts_are_silenced() -> None:
    """It may count what is silenced later."""
    assert found(alertmanager(ORDERS), alertmanager(ORDERS), "preflight") == []


def test_incidents_that_silenced_alerts_would_open_are_a_warning() -> None:
    """Which alerts open which incidents nobody knows here; the approver reads that they may be missing."""
    [(is_warning, sentence)] = found(alertmanager(ORDERS), incidents("orders"))
    assert is_warning
    assert sentence == "what is silenced opens no incidents, which the condition 'counted' counts"


def test_alerts_of_other_services_are_a_warning() -> None:
    """A matcher that names none of the services of the change silences others too."""
    [(is_warning, sentence)] = found(alertmanager(WARNING), http("/health"))
    assert is_warning
    assert sentence == "no matcher names orders, so that alerts of other services may be silenced too"


def test_the_finding_says_what_to_do() -> None:
    """At the place of the silence."""
    condition = {"name": "Pages", "source": alertmanager(ORDERS), "pass": {"equals": 0}}
    [finding] = check(ticket(silence=[alertmanager(ORDERS)], validation=[condition]), FACTS)
    assert finding.place == ("silence", 0)
    assert finding.reason == (
        "it may silence what the condition 'Pages' counts: alerts that the change is judged by. Give both the same "
        'label with different values, like severity="warning" and severity="page". [silences_spare_the_watch]'
    )


@pytest.mark.parametrize(
    ("matchers", "sentence"),
    [
        pytest.param(['alertname=~".+"'], "no matcher names one value", id="every alert that has a name"),
        pytest.param(['service!="payments"'], "no matcher names one value", id="all but those of one service"),
        pytest.param(['service=~"orders"'], "no matcher names one value", id="an expression alone"),
        pytest.param(['service=""'], 'service="" means every alert that has no label service', id="a missing label"),
        pytest.param([ORDERS, "team="], 'team="" means every alert', id="a label without its value"),
        pytest.param(["service\n='orders'", ORDERS], "match pattern", id="two lines with single quotes"),
        pytest.param([ORDERS, 'team\n="shop"'], "an end of line", id="two lines"),
        pytest.param([ORDERS, 'team="\u202eshop"'], "a sign that nobody sees", id="a sign that turns the text around"),
        pytest.param(['service="orders",team="shop"'], "closes nothing", id="two in one text"),
        pytest.param(['service="orders'], "closes nothing", id="a quote that is not closed"),
        pytest.param([], "at least 1 item", id="nothing at all"),
        pytest.param(["service='orders'"], "match pattern", id="single quotes"),
    ],
)
@pytest.mark.parametrize("silence", [alertmanager, grafana])
def test_matchers_that_are_too_wide_are_refused(silence: Any, matchers: list[str], sentence: str) -> None:
    """Nobody can foresee what they silence."""
    with pytest.raises(ValidationError, match=sentence):
        ticket(silence=[silence(*matchers)])


@pytest.mark.parametrize(
    ("text", "matcher"),
    [
        ('service="orders"', Matcher("service", "=", "orders")),
        ("  severity =~  critical|page ", Matcher("severity", "=~", "critical|page")),
        (r'path="a\"b\\c\nd"', Matcher("path", "=", 'a"b\\c\nd')),
        (r'path=~"\d+"', Matcher("path", "=~", r"\d+")),
        ('team!=""', Matcher("team", "!=", "")),
    ],
)
def test_a_matcher_is_read_as_alertmanager_reads_it(text: str, matcher: Matcher) -> None:
    """With and without quotes."""
    assert parsed(text) == matcher


def test_a_query_may_read_alerts_in_several_places() -> None:
    """Each is compared by itself."""
    selections = in_promql('ALERTS{a="1"} unless on(x) ALERTS_FOR_STATE{b!~"2"} + MY_ALERTS{c="3"}')
    assert [selection.matchers for selection in selections] == [(Matcher("a", "=", "1"),), (Matcher("b", "!~", "2"),)]
