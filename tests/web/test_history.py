"""The page of every change: what is found, for whom, page by page, and what is taken along as CSV."""

import csv
import io
import re
from datetime import timedelta
from typing import Any

import pytest

from changewindow.cli.output import CHANGES
from changewindow.documents import csv_text
from changewindow.errors import LedgerDown
from changewindow.ledger import changes, search
from changewindow.ledger.database import Ledger
from changewindow.ledger.search import Wanted
from support.busy import HOSTILE, STATES
from support.changes import NOW
from support.ledgers import on_postgres
from support.pages import VIEWERS, Pages
from support.tickets import banner

EVERY = set(STATES.values())


def shown(text: str) -> list[str]:
    """Return the changes in the rows of a page, in their order."""
    return re.findall(r'<th scope="row"><a href="[^"]*">(CHG-\d+)</a>', text)


def table(pages: Pages, viewer: str = "user", **query: Any) -> list[dict[str, str]]:
    """Return the rows of a download."""
    return list(csv.DictReader(io.StringIO(pages.get("/history.csv", viewer=viewer, **query))))


def test_every_change_is_shown_the_newest_first(busy_pages: Pages) -> None:
    """With its state, window, targets, reason, people, and what it owes."""
    text = busy_pages.get("/history")
    assert shown(text) == sorted(EVERY, key=lambda name: -int(name[4:]))
    assert "rollback_failed: p99 latency" in text
    assert "production/orders" in text
    assert "asked for by alice" in text
    assert "approved by bob" in text
    assert "not approved; done by" in text
    assert "Owes: review by 2031-03-19 14:10 UTC" in text
    assert "The list is what the rows of the ledger say." in text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"state": "rolled_back"}, {"rolled_back"}),
        ({"state": "failed"}, {"rolled_back", "rollback_failed"}),
        ({"state": "failed", "ended": "60h"}, {"rolled_back"}),
        ({"service": "search"}, {"rollback_failed"}),
        ({"service": "production/search"}, {"rollback_failed"}),
        ({"environment": "staging"}, set()),
        ({"q": "P99 LATENCY", "state": "missed"}, {"missed"}),
        ({"q": "hg-1005"}, {"rolled_back"}),
        ({"q": "100%"}, set()),
        ({"requester": "Bob"}, {"recorded"}),
        ({"person": "nobody"}, set()),
        ({"state": "failed", "ended": "2031-03-15", "ended_until": "2031-03-15"}, {"rollback_failed"}),
        ({"state": "failed", "ended": "2031-03-16", "ended_until": "2031-03-16T14:30"}, set()),
        ({"until": "2031-03-13"}, {"missed", "rejected"}),
        ({"until": "2031-03-12"}, {"rejected"}),
        ({"asked": "2031-03-13", "until": "2031-03-13"}, {"missed"}),
        ({"type": "emergency"}, {"emergency"}),
        ({"type": "standard"}, set()),
        ({"risk": "high"}, set()),
        ({"risk": "medium", "type": "normal", "state": "missed"}, {"missed"}),
    ],
)
def test_changes_are_looked_for(busy_pages: Pages, query: dict[str, str], found: set[str]) -> None:
    """By text, state, place, people and time; the download has the same ones."""
    expected = {STATES[name] for name in found}
    assert set(shown(busy_pages.get("/history", **query))) == expected
    assert {row["change"] for row in table(busy_pages, **query)} == expected


def test_an_exact_id_leads_to_its_change(busy_pages: Pages) -> None:
    """In whatever case; of one that there is not, or that who looks may not see, nothing is found."""
    answer = busy_pages.client.get("/history", params={"q": "chg-1004"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/changes/CHG-1004")
    assert "No change that you may see matches" in busy_pages.get("/history", q="CHG-4711")
    assert "No change that you may see matches" in busy_pages.get(
        "/history", q="CHG-1004", viewer="who may see one change"
    )


def test_a_day_is_one_of_the_zone_of_the_page(pages: Pages) -> None:
    """Also on the day on which clocks change; `until` has the whole day."""
    ledger = pages.ledger()
    at = NOW.replace(month=3, day=30, hour=0, minute=0)  # in Berlin 23 hours long
    for minutes in (-61, -60, 22 * 60 - 1, 22 * 60):
        changes.submit(ledger, banner(summary=f"at {minutes}"), requester="alice", now=at + timedelta(minutes=minutes))
    days = {"since": "2031-03-30", "until": "2031-03-30", "zone": "Europe/Berlin"}
    assert shown(pages.get("/history", **days)) == ["CHG-1003", "CHG-1002"]
    assert shown(pages.get("/history", since="2031-03-30T22:00", zone="UTC")) == ["CHG-1004"]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"since": "yesterday"}, "Last event since: &#39;yesterday&#39; is no time. Write a day like 2031-03-18"),
        ({"state": "broken"}, "There is no state &#39;broken&#39;. Choose from open, failed, not_done, submitted"),
        ({"type": "big"}, "There is no type &#39;big&#39;. Choose from normal, standard, emergency."),
        ({"risk": "huge"}, "There is no risk &#39;huge&#39;. Choose from low, medium, high."),
        ({"before": "51"}, "Before: &#39;51&#39; is no change. Write one like CHG-1042."),
        ({"until": "9999-12-31"}, "Requested up to: &#39;9999-12-31&#39; is no time."),
    ],
)
def test_what_is_no_search_is_refused(pages: Pages, query: dict[str, str], sentence: str) -> None:
    """With what is wrong and how it is written."""
    for address in ("/history", "/history.csv"):
        answer = pages.client.get(address, params=query)
        assert answer.status_code == 400
        assert sentence in answer.text


def test_a_link_to_a_search_finds_the_same_elsewhere(busy_pages: Pages) -> None:
    """A day is one of the zone in which it was asked for, whatever zone the reader has chosen."""
    asked = {"ended": "2031-03-16", "ended_until": "2031-03-16"}
    text = busy_pages.get("/history", **asked, zone="Pacific/Kiritimati")
    [link] = re.findall(r'<a href="([^"]*)">Link to this search', text)
    reader = Pages(busy_pages.ledger)
    assert shown(reader.client.get(link.replace("&amp;", "&")).text) == shown(text)
    assert shown(text) != shown(reader.get("/history", **asked, zone="UTC"))
    assert '"/history?state=completed">Link to this search' in reader.get("/history", state="completed")


def test_a_long_history_has_pages(pages: Pages) -> None:
    """Each change stands on one of them, and the search goes on with them; a download has all at once."""
    for number in range(103):
        changes.submit(pages.ledger(), banner(summary=f"Number {number}."), requester="alice", now=NOW)
    text, seen = pages.get("/history", requester="alice"), []
    for _ in range(3):
        seen += shown(text)
        links = re.findall(r'href="([^"]*)">Earlier changes', text)
        text = pages.client.get(links[0].replace("&amp;", "&")).text if links else ""
    assert seen == [f"CHG-{number}" for number in range(1103, 1000, -1)]
    assert len(table(pages)) == 103


def test_a_download_goes_on_from_part_to_part(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """No change is missing or twice where a part ends."""
    monkeypatch.setattr("changewindow.web.pages.history.AT_ONCE", 2)
    for _ in range(5):
        changes.submit(pages.ledger(), banner(), requester="alice", now=NOW)
    assert [row["change"] for row in table(pages)] == [f"CHG-{number}" for number in range(1005, 1000, -1)]


def test_a_download_names_what_programs_are_told(busy_pages: Pages) -> None:
    """The fields are those of `changewindow history --json`; lists have semicolons, times are UTC."""
    answer = busy_pages.client.get("/history.csv", params={"state": "completed"})
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="changes-2031-03-18.csv"'
    [row] = list(csv.DictReader(io.StringIO(answer.text)))
    assert all(f'"{name}"' in CHANGES for name in row)
    assert row["opens"] == "2031-03-17T14:10:00+00:00"
    assert row["targets"] == "production/orders"
    assert "\r\n" in answer.text


def test_a_download_is_sent_many_lines_at_a_time() -> None:
    """A server sends each text by itself, which takes longer than to make its line."""
    texts = list(csv_text.lines([number, "a"] for number in range(1_000)))
    assert len(texts) <= 10
    assert "".join(texts).splitlines() == [f"{number},a" for number in range(1_000)]
    assert list(csv_text.lines([])) == []


@pytest.mark.parametrize("begin", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_spreadsheet_computes_nothing(begin: str) -> None:
    """What begins like a formula begins with an apostrophe instead; quotes and umlauts stay what they are."""
    text = f'{begin} "größe", 1'
    [line] = csv_text.lines([[text, [text], "größe", None]])
    assert next(csv.reader(io.StringIO(line, newline=""))) == [f"'{text}", f"'{text}", "größe", ""]


def test_a_download_computes_nothing(pages: Pages) -> None:
    """Whatever somebody wrote into a ticket."""
    changes.submit(pages.ledger(), banner(summary="=HYPERLINK(1)"), requester="@eve", now=NOW)
    [row] = table(pages)
    assert (row["summary"], row["requester"]) == ("'=HYPERLINK(1)", "'@eve")


@pytest.mark.parametrize(
    ("viewer", "expected"),
    [("viewer", EVERY), ("who may see one change", {"CHG-1001"}), ("who may see nothing", set())],
)
def test_each_sees_what_airflow_shows_them(busy_pages: Pages, viewer: str, expected: set[str]) -> None:
    """On the page and in the download; services of others are not offered either."""
    text = busy_pages.get("/history", viewer=viewer)
    assert set(shown(text)) == expected
    assert {row["change"] for row in table(busy_pages, viewer=viewer)} == expected
    assert ('<option value="search">' in text) == (viewer == "viewer")


def test_nobody_takes_anything_along(busy_pages: Pages) -> None:
    """Without a log-in there is no file."""
    assert busy_pages.status("/history.csv", viewer=None) == 401


def test_what_is_looked_for_is_shown_as_text(pages: Pages) -> None:
    """A search cannot become a part of the page."""
    text = pages.get("/history", q=HOSTILE, service=HOSTILE)
    assert "<script>window" not in text
    assert "<img" not in text


def test_while_the_ledger_is_down_nothing_is_downloaded(pages: Pages) -> None:
    """No file that looks whole."""

    def down() -> Ledger:
        raise LedgerDown("it is stopped")

    broken = Pages(down, viewer=VIEWERS["user"])
    assert broken.status("/history.csv") == 503
    assert broken.status("/history") == 503


def test_somebody_may_see_more_changes_than_a_statement_has_variables(busy_ledger: Ledger) -> None:
    """Those are found, and no other."""
    numbers = frozenset(range(1005, 60_000))
    found = search.find(busy_ledger, Wanted(numbers=numbers))
    assert {each.change.id for each in found} == {name for name in EVERY if int(name[4:]) >= 1005}
    assert search.find(busy_ledger, Wanted(numbers=frozenset())) == []
    assert search.targets(busy_ledger, frozenset()) == []


@pytest.mark.parametrize("page", ["/history", "/findings", "/what-changed"])
def test_what_no_database_takes_is_left_out_of_a_search(page: str) -> None:
    """PostgreSQL refuses NUL in any text."""
    pages = Pages(on_postgres)
    assert pages.status(page, q="a\0b", service="\0", collector="\0", person="\0eve") == 200


@pytest.mark.parametrize("text", ["\uff1d1+1", "\ufeff=1", "-1", "x;=1", "x; @1"])
def test_a_cell_begins_no_formula_in_any_spreadsheet(text: str) -> None:
    """Also in wide signs, and where a semicolon begins a cell."""
    begin, semicolon, rest = text.rpartition(";")
    assert csv_text.cell(text) == f"{begin}{semicolon}'{rest}"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        *(("\t=1", "'=1"), ("\u00a0\x0b=1", "'=1"), ("\r\n=1", "'=1"), ("=\n1", "'= 1"), ("a\n=1", "a =1")),
        *(("a;\r\n@1", "a;' @1"), ("May not:\n  - a\n  - b\n", "May not: - a - b")),
    ],
)
def test_a_cell_is_one_line(text: str, line: str) -> None:
    """A line of it may not become a row, and begin a formula there."""
    assert csv_text.cell(text) == line


@pytest.mark.parametrize("text", ["CHG-1001", "p99 = 3; was 2", "a - b", ""])
def test_a_cell_that_begins_no_formula_stays_as_it_is(text: str) -> None:
    """Nobody has to take a sign away again."""
    assert csv_text.cell(text) == text
