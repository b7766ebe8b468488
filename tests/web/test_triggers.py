"""What a form says of the run that it asks for, when all goes well and when Airflow does not answer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Locator, Page, Route

from changewindow.ledger.database import Ledger
from support import browser as browsers
from support.browser import chromium, served, tab
from support.pages import Pages

pytestmark = [browsers.needed, pytest.mark.integration]
Answer = tuple[int, dict[str, str]]
FORM = "#trigger-stop_the_line-stop"


@dataclass
class Airflow:
    """An API that gives the answers of a list, the last one again and again; none is no answer."""

    page: Page
    asked: list[str] = field(default_factory=list)
    """The ids of the runs that were asked for."""
    to_ask: list[Answer | None] = field(default_factory=lambda: [(200, {})])
    to_look: list[Answer | None] = field(default_factory=lambda: [(200, {"state": "success", "note": "stopped"})])

    def __post_init__(self) -> None:
        self.page.route("**/api/v2/dags/stop_the_line/dagRuns", self._ask)
        self.page.route("**/api/v2/dags/stop_the_line/dagRuns/manual__*", self._look)

    def _ask(self, route: Route) -> None:
        self.asked.append(json.loads(route.request.post_data or "null")["dag_run_id"])
        answer(route, self.to_ask)

    def _look(self, route: Route) -> None:
        answer(route, self.to_look)


def answer(route: Route, answers: list[Answer | None]) -> None:
    """Answer with what comes next."""
    now = answers.pop(0) if len(answers) > 1 else answers[0]
    if now is None:
        route.abort()
    else:
        posted = json.loads(route.request.post_data or "{}")
        route.fulfill(status=now[0], json={"dag_run_id": posted.get("dag_run_id"), **now[1]})


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a browser."""
    with chromium() as running:
        yield running


@pytest.fixture
def airflow(browser: Browser, ledger: Ledger) -> Iterator[Airflow]:
    """Open the form that stops the line, filled in."""
    with served(Pages(lambda: ledger).app) as address, tab(browser, address) as (page, _):
        page.goto("now", wait_until="networkidle")
        page.click(f"{FORM} summary")
        page.fill(f"{FORM} textarea", "payments are down")
        yield Airflow(page)


def said(airflow: Airflow, text: str) -> str:
    """Wait until the form says something; return all that it says."""
    status = airflow.page.locator(f"{FORM} [role=status]")
    status.filter(has_text=text).wait_for()
    return status.inner_text()


def button(airflow: Airflow) -> Locator:
    """Return the button of the form."""
    return airflow.page.locator(f"{FORM} button")


def test_what_has_succeeded_is_not_asked_for_again_by_accident(airflow: Airflow) -> None:
    """The button rests until something else is written, or the form was closed; then it is another request."""
    button(airflow).dblclick()
    said(airflow, "success: stopped")
    assert button(airflow).is_disabled()
    airflow.page.fill(f"{FORM} textarea", "payments are down again")
    button(airflow).click()
    said(airflow, "success: stopped")
    assert button(airflow).is_disabled()
    airflow.page.click(f"{FORM} summary")
    airflow.page.click(f"{FORM} summary")
    assert button(airflow).is_enabled()
    assert airflow.page.locator(f"{FORM} [role=status]").inner_text() == ""
    assert len(set(airflow.asked)) == 2


@pytest.mark.parametrize(
    ("lost", "why"),
    [
        (None, "There is no connection to Airflow"),
        ((502, {}), "Airflow answers 502"),
        ((401, {}), "you are logged out; log in to Airflow in another tab"),
    ],
)
def test_a_run_of_which_nothing_is_known_is_asked_after_until_it_is(
    airflow: Airflow, lost: Answer | None, why: str
) -> None:
    """The form says so meanwhile, leads to the run, and asks for nothing twice."""
    airflow.to_look = [lost, (200, {"state": "success", "note": "stopped"})]
    button(airflow).click()
    text = said(airflow, "It was asked for, but what became of it is not known")
    assert why in text
    assert "This page keeps trying. See its run" in text
    assert button(airflow).is_disabled()
    said(airflow, "success: stopped")
    assert len(airflow.asked) == 1


@pytest.mark.parametrize("repeated", [(409, {"detail": "it exists"}), (200, {})])
@pytest.mark.parametrize("lost", [None, (504, {})])
def test_a_request_to_which_no_answer_came_is_repeated_under_its_name(
    airflow: Airflow, lost: Answer | None, repeated: Answer
) -> None:
    """Whether Airflow has it already or not: it happens once."""
    airflow.to_ask = [lost, repeated]
    button(airflow).click()
    assert "Press the button again: it happens once." in said(airflow, "so it is not known whether it was asked for")
    button(airflow).click()
    said(airflow, "success: stopped")
    assert len(airflow.asked) == 2
    assert len(set(airflow.asked)) == 1


@pytest.mark.parametrize(
    ("refused", "text"),
    [
        ((401, {"detail": "Not authenticated"}), "You are logged out, and nothing was asked for."),
        ((403, {"detail": "Forbidden"}), "Airflow does not let you trigger it, and nothing was asked for."),
        ((403, {}), "Airflow does not let you trigger it, and nothing was asked for."),
        ((403, {"detail": "eve may not abort a change"}), "eve may not abort a change"),
        ((400, {"detail": "hours is no number\n\nFailed validating 'type' in schema"}), "hours is no number"),
    ],
)
def test_what_is_refused_says_what_to_do(airflow: Airflow, refused: Answer, text: str) -> None:
    """And can be asked for again at once."""
    airflow.to_ask = [refused]
    button(airflow).click()
    assert "Failed validating" not in said(airflow, text)
    assert button(airflow).is_enabled()


def test_a_run_that_does_not_go_on_says_what_it_waits_for(airflow: Airflow) -> None:
    """Airflow only says that it is queued while its DAG is paused, and that it is running while people are asked."""
    asked = {"hitl_details": [{"assigned_users": [{"name": "alice"}, {"name": "bob"}]}]}
    airflow.page.route("**/api/v2/dags/stop_the_line", lambda route: route.fulfill(json={"is_paused": True}))
    airflow.page.route("**/dagRuns/*/hitlDetails?*", lambda route: route.fulfill(json=asked))
    ended = {"state": "success", "note": "stopped", "end_date": "2031-03-18T14:11:12Z"}
    queued, running = (200, {"state": "queued"}), (200, {"state": "running"})
    airflow.to_look = [queued, queued, queued, running, (200, ended)]
    button(airflow).click()
    said(airflow, "queued: stop_the_line is paused in Airflow, and begins once somebody unpauses it there. See its run")
    said(airflow, "running: it waits for alice or bob to answer under Required Actions in Airflow. See its run")
    said(airflow, "success: stopped (14:11:12). See its run")


def test_a_run_that_has_failed_can_be_asked_for_again(airflow: Airflow) -> None:
    """As another run."""
    airflow.to_look = [(200, {"state": "failed", "note": "you may not"})]
    button(airflow).click()
    said(airflow, "failed: you may not")
    button(airflow).click()
    airflow.page.wait_for_function("() => true")
    said(airflow, "failed: you may not")
    assert len(set(airflow.asked)) == 2


def test_a_rollback_that_went_well_does_not_read_as_failed(airflow: Airflow) -> None:
    """Its run is red, for its change was taken back; its note, written as Markdown, says what it did."""
    mode = "const mode = document.createElement('input'); mode.type = 'hidden'; mode.name = 'mode'; "
    mode += f"mode.value = 'rollback'; document.querySelector('{FORM} form').append(mode);"
    airflow.page.evaluate(f"() => {{ {mode} }}")
    airflow.to_look = [(200, {"state": "failed", "note": "rolled\\_back: payments are down"})]
    button(airflow).click()
    assert said(airflow, "rolled back, as asked: payments are down").startswith("rolled back")
