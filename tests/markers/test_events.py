"""The markers pagerduty and datadog: what people have written calls nobody, and is read as text."""

import pytest

from changewindow.markers import datadog, pagerduty
from changewindow.systems.connection import Connection
from changewindow.systems.http.api import Product
from changewindow.systems.measurement import SourceError
from servers.marker_apis import telling
from support.marked import BEGAN, ended, tell
from support.recording_server import Reply

HOSTILE = "@pagerduty-orders @all %%% # big %%%% mail alice@example.org"


async def test_datadog_notifies_nobody_and_reads_no_markdown() -> None:
    """An `@` with a name behind it would page, three `%` would begin Markdown."""
    with telling("datadog") as tool:
        number = await tell({"kind": "datadog", "connection": "tool"}, ended("rolled_back", HOSTILE), tool.connection())
    (event,) = tool.entries.values()
    assert number == "event 1"
    assert event["text"].endswith("@ pagerduty-orders @ all % %% # big % % %% mail alice@ example.org")
    assert "%%%" not in event["text"]


@pytest.mark.parametrize(
    ("outcome", "level"),
    [
        ("completed", "success"),
        ("rolled_back", "warning"),
        ("rollback_failed", "error"),
        ("refused", "info"),
        ("cancelled", "info"),
    ],
)
async def test_datadog_knows_how_bad_an_outcome_is(outcome: str, level: str) -> None:
    """The events of one change are grouped."""
    with telling("datadog") as tool:
        await tell({"kind": "datadog", "connection": "tool"}, ended(outcome), tool.connection())
    (event,) = tool.entries.values()
    assert (event["alert_type"], event["aggregation_key"]) == (level, "CHG-1042")
    assert event["tags"] == [
        *("source:changewindow", "change:CHG-1042", "service:orders", "service:catalogue"),
        *("env:production", f"outcome:{outcome}"),
    ]


async def test_pagerduty_says_what_happens_in_a_line() -> None:
    """All else is in the details."""
    with telling("pagerduty") as tool:
        await tell({"kind": "pagerduty", "connection": "tool"}, BEGAN, tool.connection())
    (event,) = tool.entries.values()
    assert (event["summary"], event["source"]) == ("CHG-1042 began: Switch the banner on.", "Change Windows")
    assert event["custom_details"]["services"] == ["orders", "catalogue"]


async def test_a_key_that_pagerduty_does_not_know_is_said_with_where_to_correct_it() -> None:
    """Its reasons are in a list beside its message."""
    with telling("pagerduty") as tool, pytest.raises(SourceError) as failed:
        await tell({"kind": "pagerduty", "connection": "tool"}, BEGAN, tool.connection(password="too-short"))
    assert str(failed.value) == (
        "PagerDuty does not understand the question (400 Event object is invalid 'routing_key' is invalid). "
        "Correct markers.yaml, or the connection 'tool'."
    )


@pytest.mark.parametrize("kind", ["pagerduty", "datadog"])
async def test_a_page_in_place_of_an_answer_is_no_success(kind: str) -> None:
    """As a proxy sends that wants a login."""
    with telling(kind) as tool:
        tool.server.otherwise = Reply(200, "<html>log in</html>")
        with pytest.raises(SourceError, match=r"has answered\. Correct the host of the connection 'tool'"):
            await tell({"kind": kind, "connection": "tool"}, BEGAN, tool.connection())


@pytest.mark.parametrize(
    ("product", "host", "expected"),
    [
        (pagerduty.PRODUCT, "", "https://events.pagerduty.com"),
        (pagerduty.PRODUCT, "events.eu.pagerduty.com", "https://events.eu.pagerduty.com"),
        (datadog.PRODUCT, "", "https://api.datadoghq.com"),
        (datadog.PRODUCT, "api.us3.datadoghq.com", "https://api.us3.datadoghq.com"),
        (datadog.PRODUCT, "https://api.datadoghq.eu", "https://api.datadoghq.eu"),
    ],
)
def test_the_host_chooses_the_region(product: Product, host: str, expected: str) -> None:
    """Keys never go out unencrypted unless somebody says so."""
    assert product.located(Connection("tool", "http", host=host)).base_url == expected
