"""Moments within texts are in the zone of who looks."""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from changewindow.web.local_times import local
from support.busy import STATES
from support.changes import NOW
from support.pages import Pages

BERLIN = "Europe/Berlin"


@pytest.mark.parametrize(
    ("zone", "text", "shown"),
    [
        ("UTC", "by 2031-03-18 14:10 UTC", "by 2031-03-18 14:10 UTC"),
        (BERLIN, "by 2031-03-18 14:10 UTC, bob", "by 2031-03-18 15:10 CET, bob"),
        (BERLIN, "by 2031-07-18 23:10 UTC.", "by 2031-07-19 01:10 CEST."),
        (BERLIN, "at 2031-03-18 14:10:05 UTC", "at 2031-03-18 15:10:05 CET"),
        ("America/Sao_Paulo", "by 2031-03-18 14:10 UTC", "by 2031-03-18 11:10 UTC-03"),
        ("Asia/Kathmandu", "by 2031-03-18 14:10 UTC", "by 2031-03-18 19:55 UTC+0545"),
        (BERLIN, "2031-03-18 14:00-15:00 UTC", "2031-03-18 15:00-16:00 CET"),
        (BERLIN, "2031-03-18 22:30-23:30 UTC", "2031-03-18 23:30 to 2031-03-19 00:30 CET"),
        (BERLIN, "from 2031-03-18 14:00 to 15:00 UTC", "from 2031-03-18 15:00 to 16:00 CET"),
        (BERLIN, "2031-03-18 12:00 to 2031-03-19 00:00 UTC", "2031-03-18 13:00 to 2031-03-19 01:00 CET"),
        (BERLIN, "2031-03-18 23:30 to 2031-03-19 00:30 UTC", "2031-03-19 00:30 to 01:30 CET"),
        (BERLIN, "2031-03-30 00:30 to 01:30 UTC", "2031-03-30 01:30 CET to 03:30 CEST"),
        (
            BERLIN,
            "between 2031-03-18 14:00:00 and 2031-03-18 14:15:00 UTC",
            "between 2031-03-18 15:00:00 and 15:15:00 CET",
        ),
        (BERLIN, "2031-13-18 14:10 UTC", "2031-13-18 14:10 UTC"),
        (BERLIN, "0001-01-01 00:00 UTC and 14:10 UTC", "0001-01-01 00:53 LMT and 14:10 UTC"),
        ("America/New_York", "0001-01-01 00:00 UTC", "0001-01-01 00:00 UTC"),
        (BERLIN, "2031-03-18 15:00 Europe/Berlin (14:00 UTC)", "2031-03-18 15:00 Europe/Berlin (14:00 UTC)"),
        (BERLIN, "build 12031-03-18 14:10 UTC", "build 12031-03-18 14:10 UTC"),
    ],
)
def test_moments_in_utc_are_shown_in_a_zone(zone: str, text: str, shown: str) -> None:
    """With its name then; what says no day, or is in a zone of its own, stays as it is."""
    assert local(text, ZoneInfo(zone)) == shown


PAGES = ("/now", "/what-changed", "/findings", "/calendar", "/reports/emergencies", "/history")
OF_TASKS = re.compile(r'<td class="lines">.*?</td>|<pre.*?</pre>', re.DOTALL)
"""What tasks are for is of the plan, which has the zone of its ticket, as texts have."""


@pytest.mark.parametrize("path", [*PAGES, *(f"/changes/{change}" for change in STATES.values())])
def test_no_page_shows_times_of_utc_to_who_has_another_zone(busy_pages: Pages, path: str) -> None:
    """Whatever sentence they stand in, of the policy, the gate, an event or what is owed."""
    busy_pages.now = NOW + timedelta(days=30)
    of_page = {"/what-changed": {"since": "31d"}, "/findings": {"state": "any"}}.get(path, {})
    text = busy_pages.client.get(path, params={"zone": BERLIN, **of_page}).text
    assert "Europe/Berlin" in text
    assert re.findall(r".{60}[0-9]{2}:[0-9]{2} UTC", OF_TASKS.sub("", text)) == []


def test_a_sentence_of_the_gate_is_in_the_zone_of_who_looks(busy_pages: Pages) -> None:
    """With its remedy told apart as in UTC."""
    text = busy_pages.get(f"/changes/{STATES['approved']}", zone=BERLIN)
    assert "the window opens 2031-03-18 18:10 CET" in text
    assert "<em>Wait for it.</em>" in text
