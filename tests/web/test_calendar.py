"""The calendar page, and the events that a browser draws of it."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from changewindow.errors import BadPolicy
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.policy.model import Policy
from support.changes import NOW
from support.pages import VIEWERS, Pages
from support.tickets import SHIPPED, banner

DAY = "2031-03-18"
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


def submit(ledger: Ledger, start: str, end: str, *, zone: str = "UTC", **fields: Any) -> str:
    """Put a change with a window into the ledger; return its id."""
    data = banner(**fields, window={"zone": zone, "start": start, "end": end})
    return changes.submit(ledger, data, requester="alice", now=NOW - timedelta(days=1)).change


def data(pages: Pages, first: str = DAY, last: str = "2031-03-19", **query: Any) -> dict[str, Any]:
    """Return the events of some days."""
    viewer = query.pop("viewer", "user")
    pages.viewer = VIEWERS[viewer]
    answer = pages.client.get("/calendar/events", params={"from": first, "to": last, **query})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def drawn(pages: Pages, **query: Any) -> list[dict[str, Any]]:
    """Return the changes among the events."""
    return [event for event in data(pages, **query)["events"] if "change" in event["classNames"]]


@pytest.mark.parametrize("view", ["month", "week", "day", "list", "targets"])
def test_each_view_shows_a_change_in_its_table(pages: Pages, view: str) -> None:
    """With its state as a word, its targets, its owner, and the way to its page."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    page = pages.get("/calendar", view=view, date=DAY)
    assert '<a href="/changes/CHG-1001">CHG-1001</a>' in page
    assert '<span class="state state-submitted">submitted</span>' in page
    assert "<td>production/orders</td><td>alice</td>" in page
    assert "2031-03-18 14:00" in page


def test_without_anything_asked_it_shows_the_month_of_today(pages: Pages) -> None:
    """An empty ledger says that nothing is there."""
    page = pages.get("/calendar")
    assert "Calendar: March 2031" in page
    assert "No change that you may see falls into these days." in page


def test_weeks_of_a_month_are_whole(pages: Pages) -> None:
    """From Monday to Sunday, also where another month begins in between."""
    assert "from=2031-02-24&amp;to=2031-04-07" in pages.get("/calendar", date=DAY)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"view": "weak"}, "There is no view &#39;weak&#39;. Try &#39;week&#39;."),
        ({"date": "tomorrow"}, "&#39;tomorrow&#39; is not a day. Write it like 2026-12-24."),
        ({"date": "9999-12-31"}, "9999-12-31 is too far away. Choose a day from 2000 to 2199."),
    ],
)
def test_what_cannot_be_shown_is_said(pages: Pages, query: dict[str, str], sentence: str) -> None:
    """With what to write instead."""
    pages.viewer = VIEWERS["user"]
    answer = pages.client.get("/calendar", params=query)
    assert (answer.status_code, sentence in answer.text) == (400, True)


def test_events_of_too_many_days_are_refused(pages: Pages) -> None:
    """So that nobody asks for all at once; nor for fewer than one day."""
    assert pages.status("/calendar/events", **{"from": "2031-01-01", "to": "2031-03-04"}) == 200
    assert pages.status("/calendar/events", **{"from": "2031-01-01", "to": "2031-03-05"}) == 400
    assert pages.status("/calendar/events", **{"from": DAY, "to": DAY}) == 400


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"service": "orders"}, ["CHG-1001"]),
        ({"environment": "staging"}, ["CHG-1003"]),
        ({"service": "billing", "environment": "production"}, ["CHG-1002"]),
        ({"service": "orders", "environment": "staging"}, []),
        ({"owner": "ALICE"}, ["CHG-1001", "CHG-1003"]),
        ({"service": "%"}, []),
        ({}, ["CHG-1001", "CHG-1002", "CHG-1003"]),
    ],
)
def test_filters_narrow_events_and_table_alike(pages: Pages, query: dict[str, str], expected: list[str]) -> None:
    """They stand in the address, which can be kept."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    submit(pages.ledger(), f"{DAY} 15:00", f"{DAY} 16:00", services=["billing"], owner="dora")
    submit(pages.ledger(), f"{DAY} 16:00", f"{DAY} 17:00", services=["billing"], environment="staging")
    assert [event["id"] for event in drawn(pages, **query)] == expected
    page = pages.get("/calendar", view="day", date=DAY, **query)
    assert [f"CHG-100{number}" for number in (1, 2, 3) if f"CHG-100{number}</a>" in page] == expected


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [("viewer", 2), ("user", 2), ("who may see one change", 1), ("who may see nothing", 0)],
)
def test_nobody_learns_of_changes_that_they_may_not_see(pages: Pages, viewer: str, expected: int) -> None:
    """Not by a name, a target, an owner, or a collision with what they do see."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    submit(pages.ledger(), f"{DAY} 14:30", f"{DAY} 15:30", owner="zoe", services=["orders", "secret-service"])
    found = data(pages, viewer=viewer)
    assert len([event for event in found["events"] if "change" in event["classNames"]]) == expected
    page = pages.get("/calendar", viewer=viewer, date=DAY)
    if expected < 2:
        for word in ("CHG-1002", "zoe", "secret-service", "collides"):
            assert word not in f"{found}"
            assert word not in page


def test_two_changes_on_one_target_at_once_collide(pages: Pages) -> None:
    """Both say so in words; one that is over, one that only touches, and one elsewhere do not."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    submit(pages.ledger(), f"{DAY} 14:59", f"{DAY} 15:30")
    submit(pages.ledger(), f"{DAY} 15:30", f"{DAY} 16:00")
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00", services=["billing"])
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    changes.cancel(pages.ledger(), "CHG-1005", person="alice", reason="no", now=NOW)
    colliding = [event["id"] for event in drawn(pages) if "collides" in event["classNames"]]
    assert colliding == ["CHG-1001", "CHG-1002"]
    page = pages.get("/calendar", view="day", date=DAY)
    assert "CHG-1002 touches production/orders too, 2031-03-18 14:59-15:30 UTC" in page


def test_of_many_collisions_a_few_are_told(pages: Pages) -> None:
    """With how many more there are."""
    for _ in range(6):
        submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    assert drawn(pages)[0]["extendedProps"]["text"].splitlines()[1:] == [
        *(f"CHG-100{number} touches production/orders too, 2031-03-18 14:00-15:00 UTC" for number in (2, 3, 4)),
        "and 2 more",
    ]


def test_what_needs_the_other_collides_too(pages: Pages) -> None:
    """As the catalogue says: orders need the catalogue."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00", services=["catalogue"])
    assert "production/orders needs production/catalogue" in pages.get("/calendar", view="day", date=DAY)


@pytest.mark.parametrize("field", ["summary", "owner", "service"])
def test_what_people_write_is_only_text(pages: Pages, field: str) -> None:
    """In the page, and in what a script reads."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    column = {"summary": "changes SET summary", "owner": "changes SET owner", "service": "touched SET target"}[field]
    with pages.ledger().transaction() as session:
        session.execute(text(f"UPDATE {column} = :text"), {"text": f"production/{HOSTILE}"})
    page = pages.get("/calendar", view="day", date=DAY)
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "&lt;script&gt;alert(1)" in page
    answer = pages.client.get("/calendar/events", params={"from": DAY, "to": "2031-03-19"})
    assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("name", ["service", "environment", "owner", "date", "view", "zone"])
def test_what_is_asked_is_only_text(pages: Pages, name: str) -> None:
    """A link that somebody sends does nothing."""
    pages.viewer = VIEWERS["user"]
    for hostile in (HOSTILE, "javascript:alert(1)"):
        answer = pages.client.get("/calendar", params={name: hostile})
        assert "<script>alert" not in answer.text
        assert "<img" not in answer.text
        assert 'href="javascript' not in answer.text


def test_times_are_local_ones_of_the_chosen_zone(pages: Pages) -> None:
    """Without an offset, for the browser draws them as they are; the exact time stands beside."""
    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    [event] = drawn(pages, zone="Asia/Kolkata")
    assert (event["start"], event["end"]) == ("2031-03-18T19:30:00", "2031-03-18T20:30:00")
    assert event["extendedProps"]["text"] == "2031-03-18 19:30 to 20:30 Asia/Kolkata (14:00 to 15:00 UTC)"
    assert "2031-03-18 19:30" in pages.get("/calendar", view="day", date=DAY, zone="Asia/Kolkata")


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        pytest.param(("2031-03-30 00:30", "2031-03-30 01:30"), "01:30", "03:30", id="an hour is left out"),
        pytest.param(("2031-10-26 00:10", "2031-10-26 00:50"), "02:10", "02:50", id="the first of two equal hours"),
        pytest.param(("2031-10-26 01:10", "2031-10-26 01:50"), "02:10", "02:50", id="the second of them"),
        pytest.param(("2031-10-26 00:50", "2031-10-26 01:10"), "02:50", "03:10", id="from the first into the second"),
    ],
)
def test_the_days_on_which_clocks_change(pages: Pages, window: tuple[str, str], start: str, end: str) -> None:
    """Every change is drawn with a length, and its text says which of two equal hours is meant."""
    submit(pages.ledger(), *window)
    day = window[0][:10]
    last = f"{datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(days=1):%Y-%m-%d}"
    [event] = drawn(pages, first=day, last=last, zone="Europe/Berlin")
    assert (event["start"], event["end"]) == (f"{day}T{start}:00", f"{day}T{end}:00")
    assert f"({window[0][11:]} to {window[1][11:]} UTC)" in event["extendedProps"]["text"]


def test_a_day_ends_when_clocks_of_its_zone_say(pages: Pages) -> None:
    """The day on which clocks go back has 25 hours."""
    submit(pages.ledger(), "2031-10-26 22:30", "2031-10-26 22:45")
    submit(pages.ledger(), "2031-10-26 23:00", "2031-10-26 23:15")
    days = {"first": "2031-10-26", "last": "2031-10-27", "zone": "Europe/Berlin"}
    assert [event["id"] for event in drawn(pages, **days)] == ["CHG-1001"]


def test_in_the_hour_that_clocks_show_twice_times_have_their_offset(pages: Pages) -> None:
    """In tables, too: one that is read a year later says which of the two it was."""
    submit(pages.ledger(), "2031-10-26 00:30", "2031-10-26 01:30")
    page = pages.get("/calendar", view="day", date="2031-10-26", zone="Europe/Berlin")
    assert ">2031-10-26 02:30+02:00</time>" in page
    assert ">2031-10-26 02:30+01:00</time>" in page
    assert len(re.findall(r"\+0\d:00</time>", page)) == 2, "other times have none"


def test_windows_and_freezes_are_shown(pages: Pages) -> None:
    """The shipped policy freezes Friday afternoons and weekends for normal changes."""
    page = pages.get("/calendar", view="week", date=DAY)
    assert "&#39;Friday afternoon&#39;" in page
    assert '<span class="mark freeze">freeze</span>' in page
    assert "every service, normal changes" in page
    titles = [event["title"] for event in data(pages, first="2031-03-17", last="2031-03-24")["events"]]
    assert titles == ["freeze 'Friday afternoon'", "freeze 'Weekend'"]


def test_an_opening_leads_to_asking_for_a_change_in_it(pages: Pages) -> None:
    """With its time in the zone of the page, its service and its environment; none lies in the past."""
    events = data(pages, first="2031-03-17", last="2031-03-24", service="orders", zone="Europe/Berlin")["events"]
    [opening] = [event for event in events if event["classNames"] == ["opening"]]
    assert (opening["start"], opening["end"]) == ("2031-03-18T15:10:00", "2031-03-21T13:00:00")
    asked = (
        "/ask?start=2031-03-18T15%3A10%2B01%3A00&end=2031-03-18T16%3A10%2B01%3A00&zone=Europe%2FBerlin"
        "&service=orders&environment=production"
    )
    assert opening["extendedProps"]["url"] == asked
    page = pages.get("/calendar", view="week", date=DAY, service="orders", zone="Europe/Berlin")
    assert asked.replace("&", "&amp;") in page
    assert "freeze &#39;Friday afternoon&#39; from 2031-03-21 12:00" in page


def test_without_a_service_nothing_is_called_open(pages: Pages) -> None:
    """Whether a change may run depends on what it touches."""
    assert "Choose a service above" in pages.get("/calendar")
    assert [event for event in data(pages)["events"] if event["classNames"] == ["opening"]] == []


def test_targets_are_those_of_changes_and_of_the_chosen_service(pages: Pages) -> None:
    """A freeze stands on each target that it holds for."""
    submit(pages.ledger(), "2031-03-21 14:00", "2031-03-21 15:00", services=["billing"])
    days = {"first": "2031-03-21", "last": "2031-03-22"}
    found = data(pages, **days)
    assert [row["id"] for row in found["resources"]] == ["production/billing"]
    assert found["events"][0]["resourceIds"] == ["production/billing"]
    assert [row["id"] for row in data(pages, **days, service="orders")["resources"]] == [
        "production/orders",
        "staging/orders",
    ]


def test_a_policy_that_cannot_be_read_hides_no_change(pages: Pages) -> None:
    """What it would have said is missing, and that is said."""

    def broken() -> Policy:
        raise BadPolicy(["calendar.yaml:3: no"])

    submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    blind = replace(pages, policy=broken)
    page = blind.get("/calendar", view="day", date=DAY, service="orders")
    assert "Windows, freezes, collisions and openings are missing here." in page
    assert "calendar.yaml:3: no" in page
    assert "CHG-1001" in page
    assert "The policy cannot be read." in data(blind)["problem"]


def test_a_ledger_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """The page and its events are not there then."""
    down = Pages(lambda: Ledger(f"sqlite:///{tmp_path}/none/ledger.db"))
    assert down.status("/calendar") == 503
    assert down.status("/calendar/events", **{"from": DAY, "to": "2031-03-19"}) == 503


def test_more_changes_than_can_be_shown_are_said(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may not see the others does not learn that there are more."""
    monkeypatch.setattr("changewindow.changes.agenda.MOST", 1)
    for _ in range(2):
        submit(pages.ledger(), f"{DAY} 14:00", f"{DAY} 15:00")
    assert data(pages)["is_cut"]
    assert "changes are shown" in pages.get("/calendar", date=DAY)
    assert not data(pages, viewer="who may see one change")["is_cut"]


def test_the_shipped_policy_has_what_these_tests_rely_on() -> None:
    """A service without a window is open."""
    assert SHIPPED.schedule.calendar.default == "open"
