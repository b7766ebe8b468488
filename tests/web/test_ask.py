"""The page on which people ask for a change."""

import html
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.changes.viewer import Viewer
from changewindow.cli.standalone import ROOT
from changewindow.documents.yaml_writing import written
from changewindow.errors import LedgerDown
from changewindow.ledger.database import Ledger
from changewindow.policy.load import load_policy
from changewindow.web.judging import UNSEEN, workers
from support.changes import approved
from support.pages import FILES, VIEWERS, Pages
from support.tickets import banner

RELEASE = (ROOT / "include/tickets/release.yaml").read_text(encoding="utf-8")
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture(scope="module", autouse=True)
def _ended() -> Iterator[None]:
    """End what has judged."""
    yield
    workers().end()


def judged(pages: Pages, text: str, *, viewer: str = "user", **query: Any) -> dict[str, Any]:
    """Return what is said of a ticket to somebody."""
    pages.viewer = VIEWERS[viewer]
    answer = pages.client.post("/ask/judge", content=text.encode(), headers=YAML, params=query)
    assert answer.status_code == 200, answer.text
    facts: dict[str, Any] = answer.json()
    return facts


def sentences(facts: dict[str, Any]) -> list[str]:
    """Return each finding with its place in the text."""
    return [
        f"{each['line']}:{each['column']} {each['severity']} {each['who']}: {each['sentence']}"
        for each in facts["findings"]
    ]


def test_a_good_ticket_has_a_plan_and_openings(pages: Pages) -> None:
    """The plan is that of the command line; each opening has a window that may stand in the ticket."""
    facts = judged(pages, RELEASE)
    assert facts["findings"] == []
    assert facts["plan"]["head"][2] == "window 2031-03-18 14:00-15:00 UTC, owner alice, reviewer bob"
    assert "apply_1" in [node["id"] for node in facts["plan"]["nodes"]]
    assert facts["scope"] == "orders in production, normal changes that need 4m"
    assert facts["openings"][0]["window"] == {"start": "2031-03-18 14:10", "end": "2031-03-18 15:10", "zone": "UTC"}


def test_every_finding_has_its_line_and_column(pages: Pages) -> None:
    """Also where several fields stand in one line."""
    text = RELEASE.replace("risk: medium", "risk: mediun").replace("kind: http, connection", "kind: http, conection", 1)
    assert sentences(judged(pages, text))[:2] == [
        "9:1 error ticket: 'mediun' is not allowed",
        "30:28 error ticket: unknown field 'conection'",
    ]


def test_yaml_that_expands_is_refused(pages: Pages) -> None:
    """An alias costs nothing to write, and may stand for a billion values."""
    facts = judged(pages, "a: &a [x, x]\nb: &b [*a, *a]\n")
    assert sentences(facts) == ["1:1 error yaml: anchors and aliases (& and *) are not allowed"]
    assert facts["plan"] is None


def test_what_would_take_too_long_is_a_finding(pages: Pages, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same person is judged afterwards, whatever time it may take on a machine like this."""
    with monkeypatch.context() as hurry:
        hurry.setattr(workers(), "within", 0.2)
        facts = judged(pages, "- a\n" * 240_000)
    assert sentences(facts) == ["1:1 error limits: it takes longer than 0.2 s, or too much memory"]
    assert judged(pages, RELEASE)["findings"] == []


def test_more_than_may_be_sent_is_not_read(pages: Pages) -> None:
    """The limit is that of Airflow's API for DAGs of ours."""
    answer = pages.client.post("/ask/judge", content=b"#" * (2 * 2**20 + 1), headers=YAML)
    assert answer.status_code == 400
    assert answer.json() == {"detail": "The text is larger than the 2,097,152 bytes that are read here. Send less."}


def test_what_is_no_text_is_refused(pages: Pages) -> None:
    """The byte is named."""
    answer = pages.client.post("/ask/judge", content=b"a: \xff", headers=YAML)
    assert answer.json() == {"detail": "line 1: byte 3 (0xff) is not UTF-8. Save the file as UTF-8."}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Sec-Fetch-Site": "none"},
        {"Cookie": "_token=a"},
    ],
    ids=str,
)
def test_other_sites_have_nothing_judged(pages: Pages, headers: dict[str, str]) -> None:
    """Neither from the editor's address nor from the form's."""
    for path in ("/ask/judge", "/ask"):
        answer = pages.client.post(path, content=RELEASE.encode(), headers={**YAML, **headers})
        assert answer.status_code == 403
        assert "a page of another site" in answer.text


def test_our_own_pages_have(pages: Pages) -> None:
    """A browser says so, in one way or the other; a program has a token, which no site can make a browser send."""
    browsers = {"Sec-Fetch-Site": "same-origin", "Cookie": "a=b"}, {"Origin": "http://testserver", "Cookie": "a=b"}
    for headers in (*browsers, {"Authorization": "Bearer a"}):
        assert pages.client.post("/ask/judge", content=b"a: 1", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/ask", "/ask/schema", "/ask/standard/restart"])
def test_without_the_right_to_see_requests_there_is_no_page(pages: Pages, path: str) -> None:
    """Nor is anything judged."""
    assert pages.status(path, viewer="who may see nothing") == 403
    assert pages.client.post("/ask/judge", content=b"a: 1").status_code == 403
    assert pages.client.post("/ask", content=b"ticket=a").status_code == 403


def test_whoever_may_not_act_writes_and_does_not_ask(pages: Pages) -> None:
    """Connections are not named to them, either."""
    text = pages.get("/ask", viewer="viewer")
    assert 'data-trigger="request_change"' not in text
    assert "Asking for it needs the right to trigger the DAG request_change." in text
    assert "orders_config" not in text
    assert "orders_config" in pages.get("/ask")


def test_only_changes_that_are_shown_are_named(pages: Pages) -> None:
    """An overlap with another one is found when somebody asks; until then nobody learns of it."""
    approved(pages.ledger(), banner())
    text = written(banner())
    assert any("CHG-1001 touches production/orders too" in line for line in sentences(judged(pages, text)))
    pages.viewer = Viewer("olga", sees_every_dag=False, dags=frozenset({"request_change"}), may_act=True)
    facts = pages.client.post("/ask/judge", content=text.encode()).json()
    assert "CHG-1001" not in str(facts)
    assert [finding for finding in facts["findings"] if finding["who"] == "no_overlap"] == []
    assert facts["remarks"] == [UNSEEN]


def test_a_change_gets_a_new_text(pages: Pages) -> None:
    """The page begins with its newest one, and does not take it for an overlap with itself."""
    approved(pages.ledger(), banner())
    text = pages.get("/ask", change="CHG-1001")
    assert "A new text for CHG-1001" in text
    assert "summary: Switch the banner on." in text
    assert 'name="change" value="CHG-1001"' in text
    facts = judged(pages, written(banner()), change="CHG-1001")
    assert [finding for finding in facts["findings"] if finding["who"] == "no_overlap"] == []


def test_a_change_that_is_not_shown_is_as_one_that_there_is_not(pages: Pages) -> None:
    """Neither its text nor that it exists is told."""
    approved(pages.ledger(), banner())
    pages.viewer = Viewer("olga", sees_every_dag=False, dags=frozenset({"request_change"}), may_act=True)
    for change in ("CHG-1001", "CHG-4711"):
        assert pages.client.get("/ask", params={"change": change}).status_code == 404
        assert pages.client.post("/ask/judge", params={"change": change}, content=b"a: 1").status_code == 400
        assert pages.client.post("/ask", data={"ticket": "a: 1", "change": change}).status_code == 404


def test_an_opening_of_the_calendar_is_filled_in(pages: Pages) -> None:
    """Local times are meant in the zone; with an offset they are turned into it."""
    there = {"service": "orders", "environment": "staging", "zone": "Europe/Berlin", "end": "2031-03-19T16:00"}
    for start in ("2031-03-19T14:00", "2031-03-19T13:00+00:00"):
        text = pages.get("/ask", start=start, **there)
        assert "services: [orders]" in text
        assert "  start: 2031-03-19 14:00 " in text
        assert "  end: 2031-03-19 16:00\n" in text
        assert "  zone: Europe/Berlin" in text
        assert "owner: alice" in text


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2031-10-26T02:15+02:00", "2031-10-26T02:45+02:00", ("2031-10-26 00:15", "2031-10-26 00:45", "UTC")),
        ("2031-10-26T02:15+01:00", "2031-10-26T02:45+01:00", ("2031-10-26 01:15", "2031-10-26 01:45", "UTC")),
        ("2031-10-26T01:15+02:00", "2031-10-26T02:15+02:00", ("2031-10-25 23:15", "2031-10-26 00:15", "UTC")),
        ("2031-10-26T01:15+02:00", "2031-10-26T03:15+01:00", ("2031-10-26 01:15", "2031-10-26 03:15", "Europe/Berlin")),
        ("2031-10-26T02:15", "2031-10-26T02:45", ("2031-10-26 02:15", "2031-10-26 02:45", "Europe/Berlin")),
    ],
)
def test_an_opening_in_the_hour_that_is_shown_twice_is_written_in_utc(
    pages: Pages, start: str, end: str, expected: tuple[str, str, str]
) -> None:
    """In the forms of standard changes, too; without an offset nobody guesses, and the checks refuse it."""
    text = pages.get("/ask", start=start, end=end, zone="Europe/Berlin")
    assert re.findall(r"^  (?:start|end|zone): (.*?)(?:  .*)?$", text, re.MULTILINE) == list(expected)
    [address] = re.findall(r'href="(/ask/standard/restart[^"]*)"', text)
    form = pages.client.get(html.unescape(address)).text
    fields = [
        re.findall(f'name="{name}"[^>]* required value="([^"]*)"', form) for name in ("start", "end", "window_zone")
    ]
    assert fields == [[text.replace(" ", "T")] for text in expected]


def test_times_with_an_offset_bring_their_zone(pages: Pages) -> None:
    """A ticket in UTC does not get the local times of the zone that was chosen before."""
    pages.get("/now", zone="Europe/Berlin")
    text = pages.get("/ask", start="2031-03-19T13:00+00:00")
    assert "  start: 2031-03-19 14:00 " in text
    assert "  zone: Europe/Berlin" in text


@pytest.mark.parametrize("start", ["soon", "2031-02-30T10:00", "9999-12-31T23:59-23:00"])
def test_a_time_that_is_none_is_refused(pages: Pages, start: str) -> None:
    """The page says how one is written."""
    pages.viewer = VIEWERS["user"]
    answer = pages.client.get("/ask", params={"start": start})
    assert answer.status_code == 400
    assert "is no time. Write it like 2031-03-18T14:00." in answer.text


ATTACK = '"></textarea><script>alert(1)</script><img src=x onerror=alert(1)>'


def test_what_stands_in_addresses_and_texts_does_nothing(pages: Pages) -> None:
    """It is shown as it is written."""
    query = {"service": ATTACK, "environment": ATTACK, "values.instance": ATTACK, "reviewer": ATTACK}
    window = {"start": "2031-03-19T14:00", "end": "2031-03-19T15:00"}
    texts = [pages.get("/ask", **query), pages.get("/ask/standard/restart", **query, **window)]
    texts.append(pages.client.post("/ask", data={"ticket": f"summary: '{ATTACK}'\n{ATTACK}: 1"}).text)
    for text in texts:
        assert "<script>alert" not in text
        assert "<img" not in text
        assert text.count("</textarea>") <= 1


def test_without_scripts_the_form_says_the_same(pages: Pages) -> None:
    """The text stays where it was written."""
    pages.viewer = VIEWERS["user"]
    text = pages.client.post("/ask", data={"ticket": RELEASE.replace("risk: medium", "risk: mediun")}).text
    assert "1 finding" in text
    assert "&#39;mediun&#39; is not allowed" in text
    assert "risk: mediun" in text
    assert "For orders in production, normal changes:" in text
    good = pages.client.post("/ask", data={"ticket": RELEASE}).text
    assert "0 findings" in good
    assert "git merge release/v2.15.0 into main of orders_config, push" in good


def test_a_policy_that_cannot_be_read_is_told(pages: Pages, tmp_path: Path) -> None:
    """The ticket alone is judged all the same."""
    broken = tmp_path / "policy"
    shutil.copytree(FILES[0], broken)
    (broken / "services.yaml").write_text("services: [", encoding="utf-8")
    there = Pages(pages.ledger, policy=lambda: load_policy(broken, FILES[1]), policy_files=(broken, FILES[1]))
    assert "The policy cannot be read." in there.get("/ask")
    facts = judged(there, RELEASE.replace("risk: medium", "risk: mediun"))
    assert sentences(facts) == ["9:1 error ticket: 'mediun' is not allowed"]
    assert facts["remarks"][0].startswith("Judged without the policy. The policy cannot be read.")
    assert there.status("/ask/standard/restart") == 503
    (broken / "services.yaml").write_text((FILES[0] / "services.yaml").read_text("utf-8"), encoding="utf-8")
    assert judged(there, RELEASE)["remarks"] == []


def test_a_ledger_that_is_down_is_told() -> None:
    """Whatever does not need it is judged."""

    def down() -> Ledger:
        raise LedgerDown("connection refused")

    facts = judged(Pages(down), RELEASE)
    assert facts["findings"] == []
    assert facts["remarks"][0].startswith("Other changes were not looked at. The ledger does not answer")


def test_a_form_with_a_million_fields_is_refused(pages: Pages) -> None:
    """To read all of them took seconds in which the server answered nobody."""
    pages.viewer = VIEWERS["user"]
    answer = pages.client.post("/ask", content=b"a&" * 1_000_000)
    assert answer.status_code == 400
    assert "more than 10 fields" in answer.text
