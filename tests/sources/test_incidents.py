"""The source incidents: how many are open on a service, at servers that speak the APIs of PagerDuty and Opsgenie."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.sources.incidents import EXAMPLE
from servers.product_apis import TOKEN, Desk, opsgenie, pagerduty, serving
from support.ask_source import asked

ORDERS = "4513b7ea-3b91-438f-b7e4-e3e54af9147c"
SERVICES = {"pagerduty": "PORDERS", "opsgenie": ORDERS}


def service(number: str, name: str = "orders", status: str = "active") -> dict[str, Any]:
    """Return a service."""
    return {"id": number, "name": name, "status": status}


def at_pagerduty(number: int, status: str, of: str = "PORDERS", **more: Any) -> dict[str, Any]:
    """Return an incident of PagerDuty."""
    return {"id": f"Q{number}", "title": f"incident {number}", "status": status, "service": {"id": of}, **more}


def at_opsgenie(number: int, status: str, of: str = ORDERS) -> dict[str, Any]:
    """Return an incident of Opsgenie."""
    return {"id": f"i{number}", "message": f"incident {number}", "status": status, "impactedServices": [of]}


def desk(kind: str, open_ones: int) -> Desk:
    """Return a product with so many open incidents, besides some that do not count."""
    if kind == "pagerduty":
        incidents = [at_pagerduty(place, ("triggered", "acknowledged")[place % 2]) for place in range(open_ones)]
        incidents += [at_pagerduty(900, "resolved"), at_pagerduty(901, "triggered", "POTHER")]
        services = [service("PORDERS"), service("POTHER", "orders archive")]
        return pagerduty({"services": services, "incidents": incidents})
    incidents = [at_opsgenie(place, "open") for place in range(open_ones)]
    incidents += [at_opsgenie(900, "closed"), at_opsgenie(901, "resolved"), at_opsgenie(902, "open", "other")]
    return opsgenie({"services": [service(ORDERS), service("other", "archive")], "incidents": incidents})


@pytest.mark.parametrize("count", [0, 1, 250])
@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie"])
async def test_open_incidents_are_counted(kind: str, count: int) -> None:
    """Of this service alone, over all pages; by the name of the service, and by its id."""
    with serving(desk(kind, count)) as product:
        connection = product.connection("pagerduty_default")
        reading = await asked(EXAMPLE, connection)
        by_id = await asked({**EXAMPLE, "service": SERVICES[kind]}, connection)
    assert (reading.value, by_id.value) == (count, count)
    assert ("incident 0" in reading.detail) == (count > 0)


@pytest.mark.parametrize(("ended", "cause"), [(90, None), (30, "stale")])
@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie"])
async def test_an_answer_that_a_cache_has_kept_is_as_old_as_that(kind: str, ended: int, cause: str | None) -> None:
    """What was said before the last step ended, so many seconds ago, knows nothing of it."""
    since = datetime.now(UTC) - timedelta(seconds=ended)
    with serving(desk(kind, 1)) as product:
        product.age = 60
        assert (await asked(EXAMPLE, product.connection("pagerduty_default"), since=since)).cause == cause


async def test_an_incident_that_is_open_for_months_counts() -> None:
    """PagerDuty lists those of the last month only, if it is not told otherwise."""
    incidents = [at_pagerduty(1, "triggered", is_old=True)]
    with serving(pagerduty({"services": [service("PORDERS")], "incidents": incidents})) as product:
        assert (await asked(EXAMPLE, product.connection("pagerduty_default"))).value == 1


MUTE = {
    "maintenance": "'{}' is in maintenance, and PagerDuty opens no incidents for it. End its maintenance window, then",
    "disabled": "'{}' is disabled, and PagerDuty opens no incidents for it. Enable it, then",
}


@pytest.mark.parametrize("wanted", ["orders", "PORDERS"])
@pytest.mark.parametrize("status", MUTE)
async def test_a_service_that_can_have_no_incident_proves_nothing(status: str, wanted: str) -> None:
    """PagerDuty opens none for it, whatever breaks; what was open before is counted all the same."""
    services = [service("PORDERS", status=status)]
    with serving(pagerduty({"services": services, "incidents": []})) as product:
        silent = await asked(
            {**EXAMPLE, "service": wanted}, product.connection("pagerduty_default"), good={"equals": 0}
        )
    with serving(pagerduty({"services": services, "incidents": [at_pagerduty(1, "triggered")]})) as product:
        open_before = await asked({**EXAMPLE, "service": wanted}, product.connection("pagerduty_default"))
    message = f"none is open, which proves nothing: {MUTE[status].format(wanted)} ask again."
    assert (silent.cause, silent.detail) == ("no_data", message)
    assert open_before.value == 1


async def test_a_service_with_open_incidents_says_so_by_its_status_too() -> None:
    """Warning and critical are no silence."""
    for status in ("active", "warning", "critical"):
        with serving(pagerduty({"services": [service("PORDERS", status=status)], "incidents": []})) as product:
            assert (await asked(EXAMPLE, product.connection("pagerduty_default"))).value == 0


@pytest.mark.parametrize(
    ("kind", "wanted", "message"),
    [
        ("pagerduty", "ordrs", "PagerDuty has no service with the name or id 'ordrs' that the token of 'desk' can see"),
        ("pagerduty", "PABSENT", "PagerDuty has no service with the name or id 'PABSENT'"),
        ("opsgenie", "ordrs", "Opsgenie has no service named 'ordrs' that the key of 'desk' can see"),
        ("opsgenie", ORDERS.replace("4", "5"), "Opsgenie has no service with the id '5513b7ea"),
    ],
)
async def test_a_service_that_does_not_exist_is_invalid(kind: str, wanted: str, message: str) -> None:
    """No incidents of nothing would be good for ever."""
    with serving(desk(kind, 0)) as product:
        reading = await asked({**EXAMPLE, "connection": "desk", "service": wanted}, product.connection())
    assert (reading.value, reading.cause) == (None, "invalid")
    assert reading.detail.startswith(message)


@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie"])
async def test_two_services_of_one_name_are_invalid(kind: str) -> None:
    """The ids tell them apart."""
    make = {"pagerduty": pagerduty, "opsgenie": opsgenie}[kind]
    with serving(make({"services": [service("PONE111"), service("PTWO222")], "incidents": []})) as product:
        reading = await asked(EXAMPLE, product.connection("pagerduty_default"))
    assert reading.cause == "invalid"
    assert reading.detail.endswith("has 2 services named 'orders'. Write one id: PONE111, PTWO222.")


@pytest.mark.parametrize("kind", ["pagerduty", "opsgenie"])
async def test_a_refusal_says_which_token_lacks_what(kind: str) -> None:
    """Wrong or expired, without the right, and asked too often are three things; none is good, none shows the token."""
    source = {**EXAMPLE, "connection": "desk"}
    with serving(desk(kind, 0)) as product:
        expired = await asked(source, product.connection(password="s3cret-old-token"))
        product.is_forbidden = True
        forbidden = await asked(source, product.connection())
        product.limit = {"Retry-After": "30"}
        kept: dict[str, Any] = {}
        limited = await asked(source, product.connection(), kept=kept)
        count = len(product.paths)
        quiet = await asked(source, product.connection(), kept=kept)
    assert len(product.paths) == count, "it was asked though it wanted quiet"
    readings = (expired, forbidden, limited, quiet)
    assert {(reading.verdict, reading.cause) for reading in readings} == {("error", "unreachable")}
    assert "does not know the token of the connection 'desk' (401 " in expired.detail
    assert "wrong or expired. Put a new one into its password: " in expired.detail
    assert "the token of the connection 'desk' may not do this at " in forbidden.detail
    assert "Access Denied" in forbidden.detail or "not authorized" in forbidden.detail
    assert "was asked too often and wants quiet until " in limited.detail
    assert quiet.detail == limited.detail
    assert not any("s3cret" in reading.detail for reading in readings)
    assert TOKEN not in str([reading.as_json() for reading in readings])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"password": ""}, "The Airflow Connection 'desk' has no password; it must be a REST API key"),
        ({"kind": "http"}, "The Airflow Connection 'desk' has no type pagerduty or opsgenie."),
    ],
)
async def test_a_connection_that_is_not_complete_says_what_is_missing(changed: dict[str, str], message: str) -> None:
    """The person on call completes it."""
    with serving(desk("pagerduty", 0)) as product:
        reading = await asked({**EXAMPLE, "connection": "desk"}, product.connection(**changed))
    assert reading.cause == "unreachable"
    assert reading.detail.startswith(message)
