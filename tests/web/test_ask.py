"""The page on which people ask for a change."""

from collections.abc import Iterator
from typing import Any

import pytest

from changewindow.cli.standalone import ROOT
from changewindow.web.judging import workers
from support.pages import VIEWERS, Pages

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
