"""The calendar feed of a user: made and revoked by them alone, fetched by a token alone."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import icalendar
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from changewindow.changes.viewer import Viewer
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from support.changes import NOW
from support.pages import VIEWERS, Pages
from support.tampering import tamper
from support.tickets import banner

OURS = {
    "Origin": "https://airflow.example.com",
    "Sec-Fetch-Site": "same-origin",
}
"""What a browser sends with a form of our own page."""
SOON = NOW + timedelta(days=1)


def submit(ledger: Ledger, start: datetime = SOON, **fields: object) -> str:
    """Put a change of an hour into the ledger; return its id."""
    times = {"start": f"{start:%Y-%m-%d %H:%M}", "end": f"{start + timedelta(hours=1):%Y-%m-%d %H:%M}"}
    data = banner(**fields, window={"zone": "UTC", **times})
    return changes.submit(ledger, data, requester="alice", now=NOW - timedelta(days=1)).change


def send(pages: Pages, path: str, viewer: str | None = "user", **headers: str) -> httpx.Response:
    """Press a button of the page."""
    pages.viewer = VIEWERS[viewer] if viewer else None
    given = {name: value for name, value in {**OURS, **headers}.items() if value}
    return pages.client.post(path, headers=given, follow_redirects=False)


def made(pages: Pages, viewer: str = "user", query: str = "") -> str:
    """Make a feed; return the path of its address."""
    answer = send(pages, f"/calendar/feed{query}", viewer)
    assert answer.status_code == 200, answer.text
    [address] = re.findall(r'value="https://airflow.example.com(/[^"]+)"', answer.text)
    return str(address).replace("&amp;", "&")


def fetched(pages: Pages, path: str) -> httpx.Response:
    """Fetch a feed as a calendar program does: nobody is logged in."""
    pages.viewer = None
    return pages.client.get(path, headers={"Cookie": ""})


def events(pages: Pages, path: str) -> list[icalendar.Event]:
    """Return the events of a feed, read by a calendar program."""
    answer = fetched(pages, path)
    assert answer.status_code == 200, answer.text
    return list(icalendar.Calendar.from_ical(answer.text).walk("VEVENT"))


def test_a_feed_is_what_a_calendar_program_reads(pages: Pages) -> None:
    """With a UID that stays, a state, times in UTC, and the way to the page of the change."""
    submit(pages.ledger(), summary="Switch the banner on; now, for all.")
    [event] = events(pages, made(pages))
    assert event["UID"] == "CHG-1001-20310317T141000000000Z@change-windows"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (SOON, SOON + timedelta(hours=1))
    assert str(event["DTSTART"].to_ical(), "ascii").endswith("Z")
    assert event["SUMMARY"] == "CHG-1001 submitted: Switch the banner on; now, for all."
    assert event["STATUS"] == "TENTATIVE"
    assert event["LAST-MODIFIED"].dt == event["DTSTAMP"].dt == NOW - timedelta(days=1)
    assert event["URL"] == "http://testserver/changes/CHG-1001"
    assert "Targets: production/orders" in event["DESCRIPTION"]


def test_what_changes_keeps_its_uid_and_says_when(pages: Pages) -> None:
    """A program moves the entry that it has."""
    submit(pages.ledger())
    path = made(pages)
    [before] = events(pages, path)
    changes.cancel(pages.ledger(), "CHG-1001", person="alice", reason="no", now=NOW)
    [after] = events(pages, path)
    assert after["UID"] == before["UID"]
    assert (after["STATUS"], after["LAST-MODIFIED"].dt) == ("CANCELLED", NOW)
    assert after["SEQUENCE"] > before["SEQUENCE"]


def test_the_same_is_written_in_the_same_way(pages: Pages) -> None:
    """At another moment, too."""
    submit(pages.ledger())
    path = made(pages)
    first = fetched(pages, path).content
    pages.now += timedelta(minutes=5)
    assert fetched(pages, path).content == first


def test_a_feed_holds_a_month_past_and_half_a_year_ahead(pages: Pages) -> None:
    """An empty one is a calendar, too."""
    path = made(pages)
    assert events(pages, path) == []
    for days in (-32, -29, 179, 181):
        submit(pages.ledger(), NOW + timedelta(days=days))
    assert [event["SUMMARY"][:8] for event in events(pages, path)] == ["CHG-1002", "CHG-1003"]


def test_what_is_to_come_is_never_left_out_for_what_is_over(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy month leaves room for the next one."""
    monkeypatch.setattr("changewindow.changes.calendar_feed.MOST", 2)
    for days in (-3, -2, -1, 1):
        submit(pages.ledger(), NOW + timedelta(days=days))
    assert [event["SUMMARY"][:8] for event in events(pages, made(pages))] == ["CHG-1001", "CHG-1004"]


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [("viewer", 2), ("user", 2), ("who may see one change", 1), ("who may see nothing", 0)],
)
def test_a_feed_holds_what_its_user_may_see(pages: Pages, viewer: str, expected: int) -> None:
    """And of nothing else a word."""
    for owner in ("alice", "zoe"):
        submit(pages.ledger(), owner=owner)
    path = made(pages, viewer)
    assert len(events(pages, path)) == expected
    assert ("zoe" in fetched(pages, path).text) == (expected == 2)


def test_rights_that_are_taken_away_count_at_once(pages: Pages) -> None:
    """A feed holds what its user may see now, and nothing when Airflow knows them no more."""
    submit(pages.ledger())
    path = made(pages)
    pages.known["alice"] = Viewer("alice", sees_every_dag=False)
    assert events(pages, path) == []
    del pages.known["alice"]
    assert fetched(pages, path).status_code == 404


def test_filters_of_the_page_hold_in_its_feed(pages: Pages) -> None:
    """They stand in the address."""
    submit(pages.ledger())
    submit(pages.ledger(), services=["billing"])
    path = made(pages, query="?service=billing")
    assert path.endswith(".ics?service=billing")
    assert [event["SUMMARY"][:8] for event in events(pages, path)] == ["CHG-1002"]


def test_what_people_write_stays_in_its_field(pages: Pages) -> None:
    """No line of it begins a property or another event."""
    submit(pages.ledger(), summary="a\\;b,c:d BEGIN:VEVENT")
    hostile = "a\r\nEND:VEVENT\r\nBEGIN:VEVENT\nATTACH:http://evil"
    tamper(pages.ledger())
    with pages.ledger().transaction() as session:
        session.connection().exec_driver_sql("UPDATE changes SET summary = ?, reason = ?", (hostile, hostile))
    [event] = events(pages, made(pages))
    assert "ATTACH" not in event
    assert "END:VEVENT" in event["SUMMARY"]


@pytest.mark.parametrize("token", ["x", "..", "%00", "é", "a" * 5000, "%2e%2e%2fstatic%2fpage"])
def test_an_unknown_token_opens_nothing(pages: Pages, token: str) -> None:
    """Nor is there anything to learn; whoever is logged in gets no further."""
    made(pages)
    assert fetched(pages, f"/feed/{token}.ics").status_code == 404
    pages.viewer = VIEWERS["user"]
    assert pages.client.get(f"/feed/{token}.ics").status_code == 404


def test_a_revoked_feed_is_as_one_that_never_was(pages: Pages) -> None:
    """So is one that was replaced; the answers are the same, letter by letter."""
    first = made(pages)
    second = made(pages)
    answer = send(pages, "/calendar/feed/revoke")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/calendar#subscribe")
    answers = [fetched(pages, path) for path in (first, second, "/feed/none.ics")]
    assert [answer.status_code for answer in answers] == [404] * 3
    assert len({answer.text for answer in answers}) == 1
    assert "There is no feed at this address, or it was revoked." in answers[0].text


def test_nobody_revokes_the_feed_of_somebody_else(pages: Pages) -> None:
    """Each button is about one's own."""
    path = made(pages)
    send(pages, "/calendar/feed/revoke", "viewer")
    assert fetched(pages, path).status_code == 200


def test_nobody_keeps_a_feed_on_the_way(pages: Pages) -> None:
    """No cache, no search engine, and no site that a link in it leads to."""
    for path in (made(pages), "/feed/none.ics"):
        headers = fetched(pages, path).headers
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Robots-Tag"] == "noindex"
        assert "Set-Cookie" not in headers
    assert fetched(pages, made(pages)).headers["Content-Type"].startswith("text/calendar")


def test_the_address_is_shown_once(pages: Pages) -> None:
    """The calendar says since when there is one; the page that shows it is kept nowhere."""
    pages.viewer = VIEWERS["user"]
    assert "You have none." in pages.get("/calendar")
    answer = send(pages, "/calendar/feed")
    assert answer.headers["Cache-Control"] == "no-store"
    [token] = re.findall(r"/feed/([\w-]{43})\.ics", answer.text)
    page = pages.get("/calendar")
    assert token not in page
    assert 'You have one since <time datetime="2031-03-18T14:10:00+00:00">2031-03-18 14:10</time>' in page
    assert "Revoke the address" in page
    assert "You have none." in pages.get("/calendar", viewer="viewer")


@pytest.mark.parametrize("path", ["/calendar/feed", "/calendar/feed/revoke"])
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, id="of another site"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, id="of a neighbour"),
        pytest.param({"Sec-Fetch-Site": "none"}, id="typed"),
        pytest.param({"Sec-Fetch-Site": "", "Origin": "https://evil.example"}, id="of another site over plain HTTP"),
        pytest.param({"Sec-Fetch-Site": "", "Origin": "http://testserver.evil.example"}, id="of a similar name"),
        pytest.param({"Sec-Fetch-Site": "", "Origin": "null"}, id="of a sandbox"),
        pytest.param({"Sec-Fetch-Site": "", "Origin": "", "Cookie": "_token=a"}, id="that says neither, with a cookie"),
    ],
)
def test_only_forms_of_our_own_pages_act(pages: Pages, path: str, headers: dict[str, str]) -> None:
    """Another site cannot, with the cookies of who looks; what there was stays."""
    feed = made(pages)
    answer = send(pages, path, **headers)
    assert answer.status_code == 403
    assert "was sent by a page of another site, so nothing was done" in answer.text
    assert fetched(pages, feed).status_code == 200


@pytest.mark.parametrize("origin", ["", "null"])
def test_an_address_is_made_for_a_browser_alone(pages: Pages, origin: str) -> None:
    """Nobody else says under which address people see the pages; a program with a token may still revoke it."""
    feed = made(pages)
    program = {"Sec-Fetch-Site": "", "Origin": "", "Authorization": "Bearer a"}
    assert send(pages, "/calendar/feed", Origin=origin).status_code == 403
    assert send(pages, "/calendar/feed", **program).status_code == 403
    assert send(pages, "/calendar/feed/revoke", **program).status_code == 303
    assert fetched(pages, feed).status_code == 404


def test_over_plain_http_the_host_is_compared(pages: Pages) -> None:
    """Browsers do not say there whether the site is the same."""
    answer = send(pages, "/calendar/feed", **{"Sec-Fetch-Site": "", "Origin": "http://testserver"})
    assert answer.status_code == 200
    assert 'value="http://testserver/feed/' in answer.text


def test_behind_a_proxy_the_address_begins_with_its_path(pages: Pages) -> None:
    """So do the links in the feed."""
    below = Pages(pages.ledger, base="/ops")
    submit(pages.ledger())
    path = made(below)
    assert path.startswith("/ops/feed/")
    [event] = events(below, path.removeprefix("/ops"))
    assert event["URL"] == "http://testserver/ops/changes/CHG-1001"


def test_links_lead_to_where_airflow_has_mounted_the_pages(pages: Pages) -> None:
    """Whoever clicks an entry in their calendar program reaches the page of its change."""
    submit(pages.ledger())
    mounted = TestClient(Starlette(routes=[Mount("/change-windows", pages.app)]), root_path="/ops")
    [event] = icalendar.Calendar.from_ical(mounted.get(f"/ops/change-windows{made(pages)}").text).walk("VEVENT")
    assert event["URL"] == "http://testserver/ops/change-windows/changes/CHG-1001"


def test_where_airflow_cannot_say_later_who_looks_there_are_no_feeds(pages: Pages) -> None:
    """The page says so, and the button that somebody keeps from before does nothing."""
    pages.viewer = replace(VIEWERS["user"], identity="")
    assert "There are no feeds here" in pages.client.get("/calendar").text
    answer = pages.client.post("/calendar/feed", headers=OURS)
    assert answer.status_code == 400
    assert "cannot say later what you may see" in answer.text


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("base", ["", "/ops"])
def test_the_token_reaches_neither_the_access_log_nor_a_page(pages: Pages, base: str, method: str) -> None:
    """Airflow writes the path from the request after the answer; whatever is asked, and however it is mistyped."""
    logged: list[str] = []

    async def logging(scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Message) -> None:
            logged.append(scope["path"])
            await send(message)

        await below.app(scope, receive, noting)

    token = made(pages).removeprefix("/feed/").removesuffix(".ics")
    below = Pages(pages.ledger, base=base)
    client = TestClient(logging, root_path=base, raise_server_exceptions=False)
    for path in (f"{token}.ics", "unknown-token.ics", token, f"{token}.ics/", f"{token}.ics/a", f"{token}.ICS"):
        answer = client.request(method, f"/feed/{path}", follow_redirects=False)
        assert token not in answer.text
    assert {path.removeprefix(base) for path in logged} == {"/feed/....ics"}
    for path in ("/x//feed/", "/Feed/"):
        assert token not in client.request(method, f"{path}{token}.ics", follow_redirects=False).text
    assert token not in str(logged)
    client.request(method, "/calendar/feed/revoke", follow_redirects=False)
    assert logged[-1].removeprefix(base) == "/calendar/feed/revoke"


def test_a_ledger_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """A program tries again later, and does not empty its calendar."""
    down = Pages(lambda: Ledger(f"sqlite:///{tmp_path}/none/ledger.db"))
    assert down.client.get("/feed/token.ics").status_code == 503


def test_a_feed_needs_no_policy(pages: Pages) -> None:
    """Changes are shown, whatever is wrong with the calendar's own files."""
    submit(pages.ledger())
    assert len(events(replace(pages, policy=lambda: pytest.fail("it was read")), made(pages))) == 1


def test_what_was_done_within_a_moment_has_no_end(pages: Pages) -> None:
    """RFC 5545 allows none that is not later than the start."""
    submit(pages.ledger())
    with pages.ledger().transaction() as session:
        session.connection().exec_driver_sql("UPDATE changes SET closes = opens")
    [event] = events(pages, made(pages))
    assert "DTEND" not in event


def test_a_feed_names_no_change_that_its_user_may_not_see(pages: Pages, ledger: Ledger) -> None:
    """Not even where another one was in the way."""
    change = submit(ledger)
    reason = "CHG-1001 may not act.\n  - production/orders is held by CHG-1002. Wait."
    changes.close(ledger, change, run=None, outcome="refused", reason=reason, now=NOW)
    path = made(pages, "who may see one change")
    assert "CHG-1002" not in fetched(pages, path).text
    assert "CHG-1002" in fetched(pages, made(pages)).text.replace("\r\n ", "")
