"""What is declared, told, reviewed and answered as Airflow takes it, and must not count; and what is marked."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from changewindow.cli.airflow_api import RestError, wait_for
from changewindow.flow.own_dag import ASKS, EMERGENCY, RETROACTIVE
from changewindow.ledger import aftercare, changes, events, queries
from changewindow.ledger.payloads import Declared
from support.attack import URGENT, Ground, by_hand
from support.real_airflow import RealAirflow, acts, ticket

AT_ONCE = 8
"""How many runs are tried side by side; the changes that are attacked are watched meanwhile."""
STEP = "{kind: command, run: [uptime], undo: nothing}"
DONE = {**URGENT, "step": STEP, "target": "test/acting", "unwatched_because": "an attack"}
CALL = "{kind: http_call, connection: canary, method: POST, path: /, undo: nothing}"
TEMPLATE = "{{ conn.canary.password }} {{ var.value.canary }} {% raw %} ${x} %(x)s <!channel> <script>alert(1)</script>"
WRITTEN = {"what_happened": "It hung", "why_not_normal": "No time", "what_would_be_normal": "A standard change"}


@dataclass(frozen=True)
class Refused:
    """A form that Airflow takes, and that the task refuses."""

    name: str
    dag: str
    conf: dict[str, Any]
    says: str
    """Stands in the note of its run."""
    task: str


def declared(name: str, says: str, **form: Any) -> Refused:
    """Return an emergency that is refused."""
    return Refused(name, EMERGENCY, {**DONE, **form}, says, "act")


def told(name: str, says: str, **form: str) -> Refused:
    """Return a record that is refused."""
    return Refused(name, "record_change", by_hand(**form), says, "record")


def reviewed(name: str, change: str, says: str, **form: Any) -> Refused:
    """Return a review that is refused."""
    return Refused(name, "review_change", {"change": change, **WRITTEN, **form}, says, "review")


def followed(name: str, change: str, says: str, **form: Any) -> Refused:
    """Return what is said of a follow-up, and is refused."""
    return Refused(name, "follow_up", {"change": change, "about": "1", "reason": "done", **form}, says, "follow_up")


def opened(name: str, change: str, says: str) -> Refused:
    """Return a question that is not opened."""
    return Refused(name, RETROACTIVE, {"change": change}, says, "open")


REFUSED = (
    declared("the commander is a template", "commander: ", commander="{{ conn.canary.password }}"),
    declared("the executor is a template", "executor: ", executor="{{ dag_run.conf }}"),
    declared("the executor calls a room", "executor: ", executor="<!channel>"),
    declared("nothing is done", "nothing is to be done", step=None),
    declared("two things are done", "are given", ticket="summary: x"),
    declared("a ticket is a list", "ticket: ", step=None, ticket="[1, 2]"),
    declared("a ticket is nested 100000 times", "ticket", step=None, ticket="[" * 100_000),
    declared("a ticket is a bomb", "ticket", step=None, ticket="a: &a [x]\nb: [*a, *a]"),
    declared("a ticket has a megabyte", "ticket", step=None, ticket="x" * 999_000),
    declared("a step is no step", "step: ", step="[1]"),
    declared("a step is of no kind", "step: ", step="{kind: os_system, run: [x]}"),
    declared("a step has no undo", "undo", step="{kind: command, run: [uptime]}"),
    declared("a step is a tag of python", "step: ", step="!!python/object/apply:os.system [id]"),
    declared("a step uses another service's connection", "canary", step=CALL, target="test/other"),
    declared("a target goes up", "target: ", target="../../etc"),
    declared("a target is everything", "target: ", target="*/*"),
    declared("nothing shows that it worked", "works_when: ", unwatched_because=None),
    declared("the yes is of no time", "is not a time", agreed_at="yesterday"),
    declared("the yes comes later", "has not come", agreed_at="2036-01-01T00:00:00Z"),
    declared("the yes is of another year", "is long ago", agreed_at="2001-01-01T00:00:00Z"),
    declared("the yes is before all time", "is not a time", agreed_at="0001-01-01T00:00:00+14:00"),
    declared("a workaround is over", "is over", workaround_until="2001-01-01T00:00:00Z"),
    declared("a workaround stays for ever", "too far away", workaround_until="9999-12-31T00:00:00Z"),
    told(
        "what is to be done later is recorded", "has not come", start="2036-01-01T00:00:00Z", end="2036-01-01T01:00:00Z"
    ),
    told("what was done a year long is recorded", "hours allowed", start="2025-01-01T00:00:00Z"),
    told("what was done on everything is recorded", "is no target", targets="*"),
    told("what was done on several environments is recorded", "several environments", targets="test/a, production/a"),
    told("a finding is named by a text", "is no number", findings="1; drop table"),
    reviewed("a change that is approved is reviewed", "$approved", "owes no review"),
    reviewed("a change that waits is reviewed", "$waiting", "owes no review"),
    reviewed("a change that is completed is reviewed", "$done", "owes no review"),
    reviewed("a change that there is not is reviewed", "CHG-999999", "CHG-999999"),
    reviewed("an emergency that acts is reviewed", "$declared", "has not ended"),
    reviewed(
        "the impact comes later",
        "$record",
        "has not come",
        impact_from="2036-01-01T00:00:00Z",
        impact_to="2036-01-01T01:00:00Z",
    ),
    reviewed(
        "the impact ends before it begins",
        "$record",
        "Exchange",
        impact_from="2026-01-02T00:00:00Z",
        impact_to="2026-01-01T01:00:00Z",
    ),
    reviewed("21 follow-ups are asked for", "$record", "20 allowed", follow_ups="a | bob\n" * 21),
    reviewed("a follow-up is a template's", "$record", "is no user name", follow_ups="a | {{ conn.x }}"),
    reviewed("a follow-up is due for ever", "$record", "too far away", follow_ups="a | bob | 9999-12-31"),
    reviewed("a draft takes the place of a standard change", "$record", "already", template="max_idle"),
    followed("a follow-up of what owes nothing is done", "$approved", "owes nothing"),
    followed("a follow-up of a change that there is not is done", "CHG-999999", "CHG-999999"),
    followed("a follow-up that there is not is done", "$record", "has no follow-up 1"),
    followed("a workaround that there is not is gone", "$declared", "has no workaround", about="workaround"),
    followed("a follow-up is moved to the end of time", "$record", "too far away", done=False, due="9999-12-31"),
    followed("a follow-up is neither done nor moved", "$record", "nothing would change", done=False),
    opened("what is approved is asked about afterwards", "$approved", "owes no retroactive approval"),
    opened("what waits is asked about afterwards", "$waiting", "owes no retroactive approval"),
    opened("what there is not is asked about afterwards", "CHG-999999", "CHG-999999"),
    opened("what is refused is asked about afterwards", "$done", "owes no retroactive approval"),
)


@pytest.fixture(scope="module")
def notes(owing: Ground) -> dict[str, tuple[str, str]]:
    """Have mallory try all of it; return state and note of each run. Of what is attacked, nothing has changed then."""
    airflow, mallory = owing.airflow, owing.airflow.clients["mallory"]
    admin = airflow.clients["admin"]
    with suppress(RestError):  # secrets are looked for with one of this name, made anew
        admin.post("/connections", {"connection_id": "canary", "conn_type": "http", "host": owing.probe.url})
    before, ended = owing.guarded(), {}
    for place in range(0, len(REFUSED), AT_ONCE):
        some = REFUSED[place : place + AT_ONCE]
        runs = {each.name: mallory.trigger(each.dag, owing.filled(each.conf)) for each in some}
        for each in some:
            state = airflow.request_ends(runs[each.name], each.dag)
            ended[each.name] = (state, str(airflow.alice.xcom(each.dag, runs[each.name], each.task, "note")))
    assert owing.guarded() == before
    admin.delete("/connections/canary")
    return ended


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: refused.name)
def test_what_a_form_must_not_say_is_refused(notes: dict[str, tuple[str, str]], refused: Refused) -> None:
    """The run is red, and its note says what to do; a stack trace is none."""
    state, note = notes[refused.name]
    assert state == "failed", note
    assert refused.says in note
    assert "Traceback" not in note


def test_what_a_form_does_not_have_is_of_no_meaning(owing: Ground) -> None:
    """Nobody gives the digest, the deadline, what is skipped, or that it is a drill."""
    [event] = events.past(owing.airflow.ledger, owing.names["declared"], Declared)
    assert event.skipped
    assert not event.is_drill
    assert event.due.year < 2099
    assert event.digest == changes.get(owing.airflow.ledger, owing.names["declared"]).digest


def test_a_drill_does_nothing_but_what_the_policy_names(owing: Ground) -> None:
    """Whatever is given to its run."""
    run = owing.airflow.does("emergency_drill", "mallory", **DONE, drill={"target": "production/orders"})
    assert queries.of_origin(owing.airflow.ledger, f"emergency_drill/{run}") is None
    assert owing.airflow.alice.tasks("emergency_drill", run)["act"]["state"] == "skipped"


def record(airflow: RealAirflow, person: str = "mallory", **form: str) -> str:
    """Tell what was done by hand; return the record once its question is open."""
    run = airflow.does("record_change", person, **by_hand(**form))
    change = str(airflow.alice.xcom("record_change", run, "record", "note")).split()[0]
    wait_for(lambda: airflow.bob.asks(RETROACTIVE, f"{ASKS}{change}", "ask"), f"the question of {change}")
    return change


@dataclass(frozen=True)
class Question:
    """The question about a record of mallory's, who clicks."""

    airflow: RealAirflow
    change: str

    @property
    def path(self) -> str:
        """Return the address of its run."""
        return f"/dags/{RETROACTIVE}/dagRuns/{ASKS}{self.change}"

    def mark(self, state: str, task: str = "ask") -> Any:
        """Mark one of its tasks."""
        return self.airflow.clients["mallory"].patch(f"{self.path}/taskInstances/{task}", {"new_state": state})

    def finish(self, state: str) -> Any:
        """Mark its run."""
        return self.airflow.clients["mallory"].patch(self.path, {"state": state})

    def delete(self) -> Any:
        """Mark its run, and delete it."""
        self.finish("failed")
        return self.airflow.clients["admin"].delete(self.path)

    def answer(self) -> Any:
        """Answer it, as who has told what was done."""
        return self.airflow.clients["mallory"].answer(RETROACTIVE, f"{ASKS}{self.change}", "ask", options=["Approve"])


CLICKS: dict[str, Callable[[Question], Any]] = {
    "the question is marked as a success": lambda asked: asked.mark("success"),
    "the question is marked as skipped": lambda asked: asked.mark("skipped"),
    "the question is marked as failed": lambda asked: asked.mark("failed"),
    "its run is marked as a success": lambda asked: asked.finish("success"),
    "its run is marked as failed": lambda asked: asked.finish("failed"),
    "its run is deleted": lambda asked: asked.delete(),
    "who has told it answers": lambda asked: asked.answer(),
}


@pytest.fixture(scope="module")
def clicked(owing: Ground) -> dict[str, str]:
    """Tell something by hand for each way to click, and click; then housekeeping comes by."""
    airflow = owing.airflow
    told = {name: record(airflow, why=f"It hung: {name}") for name in CLICKS}
    for name, click in CLICKS.items():
        with suppress(RestError):  # then nothing has changed
            click(Question(airflow, told[name]))
    airflow.does("housekeeping", "bob")
    return told


@pytest.mark.parametrize("name", CLICKS)
def test_a_click_is_no_retroactive_approval(owing: Ground, clicked: Mapping[str, str], name: str) -> None:
    """It is still owed, and the question is open again."""
    change = clicked[name]
    wait_for(lambda: owing.airflow.bob.asks(RETROACTIVE, f"{ASKS}{change}", "ask"), f"the question of {change}", 240)
    owed = aftercare.of_change(owing.airflow.ledger, change)
    assert owed is not None
    assert owed.is_asked
    assert owed.approval(datetime.now(UTC)) == "owed"


def test_another_spelling_is_no_other_person(owing: Ground) -> None:
    """Who is named as having done it may not approve it, however that was written."""
    change = record(owing.airflow, done_by=" BOB ")
    owing.airflow.answer("bob", f"{ASKS}{change}", "Approve", dag=RETROACTIVE, task="ask")

    def words() -> Any:
        owed = aftercare.of_change(owing.airflow.ledger, change)
        return owed and [(word.person, word.counts) for word in owed.words]

    assert wait_for(words, "the answer to be recorded") == [("bob", False)]


MARKS: dict[str, tuple[str, dict[str, str]]] = {
    "act is marked as a success": ("/taskInstances/act", {"new_state": "success"}),
    "act is marked as failed": ("/taskInstances/act", {"new_state": "failed"}),
    "act is marked as skipped": ("/taskInstances/act", {"new_state": "skipped"}),
    "its run is marked as a success": ("", {"state": "success"}),
    "its run is marked as failed": ("", {"state": "failed"}),
}


@pytest.fixture(scope="module")
def marked(owing: Ground) -> dict[str, tuple[str, Path]]:
    """Declare an emergency for each mark, whose first step takes 25 s, and have mallory mark it while it is applied."""
    airflow, made = owing.airflow, {}
    for place, name in enumerate(MARKS):
        journal = owing.folder / f"marked_{place}"
        data = ticket(journal, seconds=25, watch="1s")
        made[name] = (airflow.alice.trigger(EMERGENCY, {**URGENT, "ticket": json.dumps(data)}), journal)
    acting = {}
    for name, (run, journal) in made.items():
        path, body = MARKS[name]
        wait_for(lambda journal=journal: acts(journal), f"the first step of {run}", 240)
        airflow.clients["mallory"].patch(f"/dags/{EMERGENCY}/dagRuns/{quote(run, safe='')}{path}", body)
        stored = queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}")
        assert stored is not None
        acting[name] = (stored.id, journal)
    return acting


@pytest.mark.parametrize("name", MARKS)
def test_what_was_half_done_is_rolled_back_whatever_is_marked(
    owing: Ground, marked: Mapping[str, tuple[str, Path]], name: str
) -> None:
    """Its own run does so, or housekeeping; no step goes on beside its undo."""
    airflow, (change, journal) = owing.airflow, marked[name]

    def is_over() -> bool:
        airflow.does("housekeeping", "bob")
        return changes.get(airflow.ledger, change).closed_at is not None

    wait_for(is_over, f"the end of {change}", 300)
    assert changes.get(airflow.ledger, change).status in {"rolled_back", "completed"}
    assert acts(journal) in (["apply_1", "undo_1"], ["apply_1"])


def test_templates_are_shown_as_they_are_written(owing: Ground) -> None:
    """In whatever people write of an emergency, a record, a review; nothing of it calls a room."""
    airflow = owing.airflow
    data = {**ticket(owing.folder / "rendered", watch="1s"), "details": TEMPLATE}
    texts = {"broken": TEMPLATE, "incident": TEMPLATE, "agreed_how": TEMPLATE}
    run = airflow.clients["mallory"].trigger(EMERGENCY, {**URGENT, **texts, "ticket": json.dumps(data)})
    told = record(airflow, why=TEMPLATE, done_by=TEMPLATE, incident=TEMPLATE)
    written = dict.fromkeys(WRITTEN, TEMPLATE)
    review = airflow.does("review_change", "bob", change=told, **written, follow_ups=f"{TEMPLATE} | bob")
    assert airflow.bob.run("review_change", review)["state"] == "success"
    airflow.request_ends(run, EMERGENCY)
    change = queries.of_origin(airflow.ledger, f"{EMERGENCY}/{run}")
    assert change is not None
    airflow.ends(change.id, airflow.run_of(change.id))
    for identity in (change.id, told):
        shown = str([event.data for event in events.history(airflow.ledger, identity)])
        assert "conn.canary.password" in shown
        wait_for(lambda name=identity: messages(airflow, name), f"messages about {identity}")
        assert not any("<!channel>" in text or "<script>" in text for text in messages(airflow, identity))


def messages(airflow: RealAirflow, change: str) -> list[str]:
    """Return what the rooms were told of a change."""
    return [body["text"] for body in airflow.posted() if change in body.get("text", "")]
