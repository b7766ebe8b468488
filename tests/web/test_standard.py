"""Standard changes are asked for by a form each, at an address of its own."""

import html
import json
import re
from datetime import datetime
from typing import Any

import pytest

from changewindow.changes.request import Request, take_in
from changewindow.ledger import changes
from support.changes import NOW
from support.pages import VIEWERS, Pages

WINDOW = {"start": "2031-03-19T14:00", "end": "2031-03-19T15:00", "window_zone": "UTC"}
MAX_IDLE = {**WINDOW, "values.max_idle": "16", "reviewer": "bob"}


def conf(text: str) -> dict[str, Any]:
    """Return what the form of a page asks Airflow for, as page.js reads it."""
    form = text.split('data-trigger="request_change"')[1].split("</form>", maxsplit=1)[0]
    plain = {name: html.unescape(value) for name, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}
    typed = {
        name: json.loads(html.unescape(value))
        for name, value in re.findall(r"name=\"(\w+)\" data-json value='([^']*)'", form)
    }
    return plain | typed


def test_each_standard_change_has_its_form(pages: Pages) -> None:
    """With a field for each parameter, its choices and its default; the page Ask leads there."""
    first = pages.get("/ask")
    for name in ("max_idle", "restart"):
        assert f'href="/ask/standard/{name}"' in first
    text = pages.get("/ask/standard/max_idle")
    assert re.findall(r"<option( selected)?>(\w+)", text) == [("", "8"), (" selected", "12"), ("", "16"), ("", "20")]
    assert "Idle connections to keep; the pool opens 20 at most." in text
    assert "Set max_idle of the orders connection pool to 12." in text
    assert "orders connection pool to 16." in pages.get("/ask/standard/max_idle", **{"values.max_idle": "16"})
    assert "data-trigger" not in text
    assert 'name="reviewer" required value="bob"' in pages.get("/ask/standard/restart")


def test_an_opening_is_one_click_away(pages: Pages) -> None:
    """What is chosen already stays."""
    text = html.unescape(pages.get("/ask/standard/max_idle", **{"values.max_idle": "16"}))
    window = "start=2031-03-18+14%3A10&end=2031-03-18+15%3A10&window_zone=UTC"
    assert f'href="/ask/standard/max_idle?values.max_idle=16&{window}"' in text


def test_what_is_filled_in_makes_a_change(pages: Pages) -> None:
    """The form asks for exactly the ticket that the page shows, in the types that request_change takes."""
    text = pages.get("/ask/standard/max_idle", **MAX_IDLE)
    assert "0 findings" in text
    given = conf(text)
    moments = {name: datetime.fromisoformat(given.pop(name)) for name in ("start", "end")}
    assert given == {"standard": "max_idle", "values": {"max_idle": 16}, "zone": "UTC", "reviewer": "bob"}
    taken = take_in(pages.ledger(), pages.policy(), Request("alice", **given, **moments), now=NOW)
    assert taken.change == "CHG-1001"
    data = changes.revision(pages.ledger(), "CHG-1001")
    assert pages.policy().standards.is_inside(data) == "max_idle"
    assert data["parameters"]["max_idle"]["default"] == 16
    assert data["window"] == {"start": "2031-03-19 14:00", "end": "2031-03-19 15:00", "zone": "UTC"}


def test_local_times_are_handed_over_as_moments(pages: Pages) -> None:
    """In the zone of the form, whatever zone the browser is in."""
    given = conf(pages.get("/ask/standard/max_idle", **{**MAX_IDLE, "window_zone": "Europe/Berlin"}))
    assert given["start"] == "2031-03-19T13:00:00+00:00"
    assert given["zone"] == "Europe/Berlin"


def test_the_zone_of_a_window_is_that_of_nothing_else(pages: Pages) -> None:
    """Pages go on in the zone that was chosen for them, and a mistyped one is a finding like any other mistake."""
    pages.viewer = VIEWERS["user"]
    there = {**MAX_IDLE, "window_zone": "Asia/Kathmandu"}
    answer = pages.client.get("/ask/standard/max_idle", params=there)
    assert conf(answer.text)["start"] == "2031-03-19T08:15:00+00:00"
    assert "set-cookie" not in answer.headers
    assert 'name="zone" value="UTC"' in pages.get("/now")
    answer = pages.client.get("/ask/standard/max_idle", params={**there, "window_zone": "Asia/Kathmandoo"})
    text = html.unescape(answer.text)
    assert "unknown zone 'Asia/Kathmandoo'. Did you mean 'Asia/Kathmandu'?" in text
    assert 'name="reviewer" required value="bob"' in text
    assert 'name="start" type="datetime-local" required value="2031-03-19T14:00"' in text


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ("2031-03-30T02:30", "2031-03-30 02:30 does not exist in Europe/Berlin, because clocks go forward then"),
        ("2031-10-26T02:30", "2031-10-26 02:30 occurs twice in Europe/Berlin, because clocks go back then"),
        ("soon", "'soon' is not a time"),
    ],
)
def test_a_time_that_is_no_moment_is_a_finding(pages: Pages, start: str, sentence: str) -> None:
    """Nothing can be asked for then."""
    text = html.unescape(
        pages.get("/ask/standard/max_idle", **{**MAX_IDLE, "start": start, "window_zone": "Europe/Berlin"})
    )
    assert sentence in text
    assert "data-trigger" not in text


def test_a_value_that_is_not_approved_is_refused(pages: Pages) -> None:
    """What is approved stands there, and what to do else."""
    text = html.unescape(pages.get("/ask/standard/max_idle", **{**MAX_IDLE, "values.max_idle": "1"}))
    assert "max_idle = '1' is not approved in advance; approved are 8, 12, 16, 20." in text
    assert "data-trigger" not in text


def test_a_window_that_is_over_is_a_finding(pages: Pages) -> None:
    """The openings say when else."""
    text = pages.get("/ask/standard/max_idle", **{**MAX_IDLE, "start": "2031-03-17T14:00", "end": "2031-03-17T15:00"})
    assert "the window ended 2031-03-17 15:00 UTC" in text
    assert "data-trigger" not in text


def test_an_unknown_standard_change_is_refused(pages: Pages) -> None:
    """The nearest is named."""
    pages.viewer = VIEWERS["user"]
    answer = pages.client.get("/ask/standard/max_idel")
    assert answer.status_code == 400
    assert "There is no standard change &#39;max_idel&#39;. Did you mean &#39;max_idle&#39;?" in answer.text


def test_whoever_may_not_act_checks_and_does_not_ask(pages: Pages) -> None:
    """The page says which right is missing."""
    text = pages.get("/ask/standard/max_idle", viewer="viewer", **MAX_IDLE)
    assert "0 findings" in text
    assert "data-trigger" not in text
    assert "needs the right to trigger the DAG request_change" in text


def test_addresses_with_foreign_words_do_no_harm(pages: Pages) -> None:
    """A word that the form does not know is left out."""
    pages.viewer = VIEWERS["user"]
    answer = pages.client.get("/ask/standard/restart", params={"page": "x", "self": "y", "values.none": "z", **WINDOW})
    assert answer.status_code == 200
    assert "&#39;none&#39; is not a parameter of this standard change." in answer.text
