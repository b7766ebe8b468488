"""The page of reports: each number leads to exactly its changes."""

import csv
import html
import re
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from sqlalchemy import event

from changewindow.changes.viewer import Viewer
from changewindow.errors import BadPolicy, LedgerDown
from changewindow.ledger import events
from changewindow.ledger.database import Ledger
from changewindow.ledger.events import Event
from changewindow.ledger.payloads import Drilled
from changewindow.policy.model import Policy
from support import deliveries
from support.changes import NOW
from support.deliveries import DAY, HOUR, MINUTE, by_hand, deployed
from support.pages import VIEWERS, Pages
from support.tickets import golden

ADDRESS = re.compile(r'href="(/reports/changes\?[^"]*)"[^>]*>([\d,]+)')
INERT = ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "javascript:alert(1)")


def words(page: str) -> str:
    """Return what a page says between its heading and its end, a row of a table in a line."""
    main = page[page.index("<h1>") : page.index("</main>")]
    main = re.sub(
        r"<form.*?</form>|\s+", lambda part: "" if part[0].startswith("<form") else " ", main, flags=re.DOTALL
    )
    lines = re.sub(r"</(?:tr|p|h1|h2|li)>", "\n", main)
    text = html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"</t[hd]>", " |", lines)))
    return "\n".join(line for part in text.splitlines() if (line := " ".join(part.split()).removesuffix(" |"))) + "\n"


def listed(page: str) -> set[str]:
    """Return the changes that a page names."""
    return set(re.findall(r"CHG-\d+", page))


@pytest.fixture
def busy(ledger: Ledger) -> Ledger:
    """Return a ledger in which a bit of everything has happened, in two spans of 30 days."""
    for days in (3, 4, 5, 6, 40, 41):
        change = deliveries.asked(ledger, NOW - days * DAY, risk="medium")
        deliveries.said(ledger, change, NOW - days * DAY - HOUR)
        deliveries.started(ledger, change, NOW - days * DAY)
        deliveries.ended(ledger, change, NOW - days * DAY + 20 * MINUTE)
    deployed(ledger, NOW - 2 * DAY, "rolled_back", services=["orders", "shop"], owner="carol")
    deployed(ledger, NOW - 7 * DAY, "rollback_failed", services=["shop"], owner="carol", risk="high")
    deployed(ledger, NOW - 42 * DAY, "rolled_back")
    deliveries.emergency(ledger, NOW - 8 * DAY)
    deliveries.emergency(ledger, NOW - 9 * DAY, is_drill=True)
    by_hand(ledger, NOW - 10 * DAY, incident="PD-1")
    deliveries.ended(ledger, deliveries.asked(ledger, NOW - DAY), NOW - DAY, "missed")
    return ledger


def test_the_page_as_people_read_it(pages: Pages, busy: Ledger) -> None:
    """Every number with its definition, what it counts, and how it stood before."""
    assert busy
    assert words(pages.get("/reports", zone="Europe/Berlin")) == golden("reports.txt")


def test_an_empty_ledger_has_no_numbers(pages: Pages) -> None:
    """No data is neither zero nor everything."""
    text = words(pages.get("/reports"))
    assert "Change fail rate | - the ledger had not begun |" in text
    assert not re.search(r"\d%", text)


def test_each_number_leads_to_exactly_as_many_changes_as_it_says(pages: Pages, busy: Ledger) -> None:
    """Whichever number of the page it is, of a service, of an hour or of all."""
    assert busy
    addresses = ADDRESS.findall(pages.get("/reports", zone="Asia/Tokyo"))
    assert len(addresses) > 40
    for address, count in addresses:
        page = pages.client.get(html.unescape(address)).text
        assert len(listed(page)) == int(count), address
        assert f"<strong>{count} change{'s'[: count != '1']}</strong>" in page


def test_a_number_leads_to_its_changes_tomorrow_too(pages: Pages, ledger: Ledger) -> None:
    """An address names moments, and not how many days ago."""
    change = deployed(ledger, NOW - 30 * DAY + MINUTE)
    address, _ = ADDRESS.findall(pages.get("/reports"))[0]
    pages.now = NOW + DAY
    assert listed(pages.client.get(html.unescape(address)).text) == {change}


def test_the_changes_of_a_number_come_in_parts(pages: Pages, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Oldest first, each once, with a way to the others."""
    monkeypatch.setattr("changewindow.web.pages.reports.PAGE", 2)
    for minutes in range(3):
        deployed(ledger, NOW - DAY + minutes * MINUTE)
    first = pages.get("/reports/changes", of="success")
    assert listed(first) == {"CHG-1001", "CHG-1002"}
    assert "<strong>3 changes</strong>, page 1 of 2" in first
    assert "&amp;at=2&amp;" in first
    assert listed(pages.get("/reports/changes", of="success", at=2)) == {"CHG-1003"}
    assert "No change matches." in pages.get("/reports/changes", of="success", at=3)


def test_a_ledger_of_a_few_minutes_has_no_number_per_week(pages: Pages, ledger: Ledger) -> None:
    """The page says why, and still leads to the changes; the time before says the same."""
    deployed(ledger, NOW - DAY)
    deployed(ledger, NOW - DAY, "rolled_back")
    text = words(pages.get("/reports"))
    assert "Deployment frequency | - less than a week to count in ( 2 changes ) | - the ledger had not begun |" in text
    row = next(row for row in csv.DictReader(StringIO(pages.get("/reports/csv"))) if row["unit"] == "per week")
    assert (row["value"], row["counted"], row["remark"]) == ("-", "2", "less than a week to count in")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"service": "shop"}, {"CHG-1007", "CHG-1008"}),
        ({"owner": "carol", "risk": "high"}, {"CHG-1008"}),
        ({"type": "by hand"}, {"CHG-1012"}),
        ({"service": "none"}, set()),
        ({"environment": "staging"}, set()),
        ({"from": "2031-03-16", "to": "2031-03-16"}, {"CHG-1007"}),
        ({"from": "2031-03-15", "to": "2031-03-16"}, {"CHG-1001", "CHG-1007"}),
        ({"days": "1"}, set()),
    ],
)
def test_what_is_asked_for_is_counted(pages: Pages, busy: Ledger, asked: dict[str, str], expected: set[str]) -> None:
    """Days are whole ones, the last one included."""
    assert busy
    assert listed(pages.get("/reports/changes", of="deployment_frequency", **asked)) == expected


def test_a_day_is_that_of_who_looks(pages: Pages, ledger: Ledger) -> None:
    """What began at 23:30 UTC began the next day in Tokyo."""
    change = deployed(ledger, datetime(2031, 3, 16, 23, 30, tzinfo=UTC))
    day = {"from": "2031-03-17", "to": "2031-03-17", "of": "success"}
    assert listed(pages.get("/reports/changes", **day, zone="Asia/Tokyo")) == {change}
    assert listed(pages.get("/reports/changes", **day, zone="UTC")) == set()


def test_a_day_on_which_clocks_change_is_counted_once(pages: Pages, ledger: Ledger) -> None:
    """In New York 2031-11-02 has 25 hours, of which one comes twice."""
    twice = [datetime(2031, 11, 2, hour, 30, tzinfo=UTC) for hour in (5, 6)]
    for at in (*twice, twice[0] - 2 * HOUR, twice[0] + 24 * HOUR):
        deployed(ledger, at)
    pages.now = twice[0] + 40 * HOUR
    day = {"from": "2031-11-02", "to": "2031-11-02", "of": "success", "zone": "America/New_York"}
    assert listed(pages.get("/reports/changes", **day)) == {"CHG-1001", "CHG-1002"}
    assert listed(pages.get("/reports/changes", **day, hour=1, weekday=6)) == {"CHG-1001", "CHG-1002"}


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"from": "yesterday"}, "`from` is 'yesterday', which is no day such as 2031-03-18. Choose again."),
        ({"from": "2031-03-18", "to": "2031-03-01"}, "Choose an end after the beginning, at most 3660 days later."),
        ({"from": "0001-01-01"}, "Choose a year from 1971 to 8999."),
        ({"to": "9999-12-31"}, "Choose again."),
        ({"days": "-1"}, "`days` is '-1', which is no whole number from 0 to 3660. Choose again."),
        ({"days": "1e9"}, "which is no whole number"),
        ({"weekday": "7"}, "`weekday` is '7', which is no whole number from 0 to 6. Choose again."),
        ({"of": "change_fail"}, "There is no `of` 'change_fail' in the reports. Try 'change_fail_rate'."),
        ({"side": "left"}, "There is no `side` 'left' in the reports."),
    ],
)
def test_what_there_is_not_is_refused(pages: Pages, asked: dict[str, str], sentence: str) -> None:
    """With what to do instead, and the number of the answer."""
    pages.viewer = VIEWERS["viewer"]
    answer = pages.client.get("/reports/changes", params=asked)
    assert answer.status_code == 400
    assert sentence in html.unescape(answer.text)


PATHS = ["/reports", "/reports/csv", "/reports/changes", "/reports/emergencies", "/reports/decisions?level=peer"]


@pytest.mark.parametrize("path", PATHS)
def test_what_somebody_may_not_see_is_not_counted(pages: Pages, busy: Ledger, path: str) -> None:
    """Who may see one change gets the numbers of that one; of none, no number."""
    assert busy
    one = pages.get(path, viewer="who may see one change")
    assert listed(one) <= {"CHG-1001"}
    assert "carol" not in one
    assert "shop" not in one
    assert not listed(pages.get(path, viewer="who may see nothing"))


@pytest.mark.parametrize("path", PATHS)
def test_who_may_see_nothing_cannot_tell_whether_there_is_something(pages: Pages, ledger: Ledger, path: str) -> None:
    """Their page is that of an empty ledger, whatever has happened since."""
    empty = pages.get(path, viewer="who may see nothing")
    deployed(ledger)
    by_hand(ledger)
    assert pages.get(path, viewer="who may see nothing") == empty


def test_who_does_not_see_all_is_told_so(pages: Pages, busy: Ledger) -> None:
    """Their numbers are not those of others."""
    assert busy
    told = "Only the changes that you may see are counted here; others may see different numbers."
    for path in ("/reports", "/reports/emergencies"):
        assert told in pages.get(path, viewer="who may see one change")
        assert told not in pages.get(path, viewer="viewer")
    text = words(pages.get("/reports", viewer="who may see one change", days=90))
    assert "Change fail rate | 0.0% 0 of 1 few |" in text


@pytest.mark.parametrize("text", INERT)
def test_what_people_write_stays_text(pages: Pages, ledger: Ledger, text: str) -> None:
    """Wherever it stands: as an owner, as what is chosen, or in an address."""
    by_hand(ledger, done_by=text)
    deployed(ledger)
    for path in PATHS[:4]:
        pages.viewer = VIEWERS["user"]
        for asked in ({}, {"owner": text, "service": text, "environment": text, "type": text, "risk": text}):
            answer = pages.client.get(path, params=asked)
            assert answer.status_code == 200
            if "html" in answer.headers["Content-Type"]:
                assert text not in answer.text or text.startswith("javascript:")
                assert not re.search(r'(?:href|src|action)="javascript:', answer.text)


def test_a_spreadsheet_runs_nothing_of_the_csv(pages: Pages, ledger: Ledger) -> None:
    """What a cell begins with that would be a formula is text; a dash is no number, and quotes are doubled."""
    by_hand(ledger, done_by='=cmd|"/C calc"!A0')
    rows = list(csv.DictReader(StringIO(pages.get("/reports/csv"))))
    assert {row["name"] for row in rows if row["of"] == "owner"} == {'\'=cmd|"/C calc"!A0'}
    rate = next(row for row in rows if (row["of"], row["metric"]) == ("all", "change_fail_rate"))
    assert (rate["value"], rate["counted"], rate["out_of"], rate["remark"]) == ("-", "0", "0", "no change ran")


def test_the_csv_has_the_numbers_of_the_page(pages: Pages, busy: Ledger) -> None:
    """Of all, of each service and of each owner."""
    assert busy
    pages.viewer = VIEWERS["user"]
    answer = pages.client.get("/reports/csv", params={"days": "30"})
    assert answer.headers["Content-Disposition"] == 'attachment; filename="changes-2031-02-16-2031-03-18.csv"'
    rows = {(row["of"], row["name"], row["metric"]): row for row in csv.DictReader(StringIO(answer.text))}
    failed = rows["all", "", "change_fail_rate"]
    assert [failed[name] for name in ("value", "counted", "out_of", "value_before", "compared")] == [
        *("0.285714", "2", "7", "0.333333", "down")
    ]
    assert rows["service", "shop", "change_fail_rate"]["remark"] == "few changes"
    assert rows["owner", "carol", "deployment_frequency"]["counted"] == "2"


def test_the_emergencies_are_those_of_the_command(pages: Pages, busy: Ledger) -> None:
    """Each figure with its changes, of all services, up to now; a drill is none."""
    assert busy
    text = words(pages.get("/reports/emergencies"))
    assert "emergencies | 1 | CHG-1010" in text
    assert "done by hand and recorded | 1 | CHG-1012" in text
    assert "No drill has gone well yet." in text
    assert "Silent changes are not counted here" in pages.get("/reports/emergencies", viewer="who may see nothing")


def test_a_drill_is_named_to_who_may_see_its_change(pages: Pages, ledger: Ledger) -> None:
    """The right to see the DAG of drills is not that to see each of them."""
    drill = deliveries.emergency(ledger, is_drill=True)
    drilled = Event(drill, "housekeeping", NOW - HOUR, Drilled(good=True, took={"declared": 0.4}))
    events.record(ledger, drilled)
    assert f"Last good drill: {drill}" in words(pages.get("/reports/emergencies"))
    pages.viewer = Viewer("dora", sees_every_dag=False, dags=frozenset({"emergency_drill"}))
    assert drill not in pages.client.get("/reports/emergencies").text


def test_decisions_lead_to_their_changes(pages: Pages, busy: Ledger) -> None:
    """Those of the time and of the level, whoever asks."""
    assert busy
    page = pages.get("/reports")
    address = re.search(r'href="(/reports/decisions[^"]*)">4<', page)
    assert address
    assert listed(pages.client.get(html.unescape(address[1])).text) == {f"CHG-{number}" for number in range(1001, 1005)}
    assert "No decision matches." in pages.get("/reports/decisions", level="nobody")


def test_a_ledger_that_is_down_is_said() -> None:
    """No number is shown then."""

    def down() -> Ledger:
        raise LedgerDown(OSError("no answer"))

    gone = Pages(down)
    assert [gone.status(path) for path in PATHS] == [503] * len(PATHS)


def test_a_policy_that_cannot_be_read_harms_only_what_needs_it(ledger: Ledger) -> None:
    """Emergencies are counted by its rules; deployments need none."""

    def broken() -> Policy:
        raise BadPolicy([])

    pages = Pages(lambda: ledger, broken)
    assert pages.status("/reports") == 200
    assert pages.status("/reports/emergencies") == 503


def test_statements_do_not_grow_with_what_is_shown(pages: Pages, busy: Ledger) -> None:
    """A page of everything asks the database as often as one of nothing."""
    statements: list[str] = []
    event.listen(busy.engine, "before_cursor_execute", lambda *said: statements.append(said[2]))
    pages.get("/reports", days=365)
    assert len([each for each in statements if each.startswith("SELECT")]) <= 8


def test_the_page_stays_small(pages: Pages, ledger: Ledger) -> None:
    """With more services than are shown it says how many there are, and where."""
    for number in range(45):
        deployed(ledger, NOW - DAY - number * timedelta(hours=3), services=[f"service-{number}"])
    page = pages.get("/reports")
    assert "The 40 with the most deployments of 45; the CSV has all." in page
    assert len(page) < 250_000
    names = {row["name"] for row in csv.DictReader(StringIO(pages.get("/reports/csv"))) if row["of"] == "service"}
    assert len(names) == 45
