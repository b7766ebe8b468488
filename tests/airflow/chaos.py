"""Kills Airflow's processes and its database again and again while changes are carried out; run by `make chaos`.

Changes are begun one after the other, half of them to be found bad. At random moments of their lives, at every stage, a
component is killed with SIGKILL: triggerer, the worker of a task, scheduler, API server, or PostgreSQL itself. A
component of Airflow dies alone, as the kernel kills, or with all its children, as in a container or under systemd. Each
is started again by what supervises it. At the end the story of every change is held against what its steps really did.
CHAOS_KILLS says how often, CHAOS_SEED repeats a run.
"""

import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from changewindow.cli import standalone
from changewindow.cli.airflow_api import ENDED, Client, wait_for
from changewindow.errors import ChangeError
from changewindow.ledger import changes, events
from changewindow.ledger.spool import Spool
from demo.__main__ import _has_form
from servers.airflow_components import OnPostgres, Supervised, log_of, supervised
from servers.postgres import postgres
from support.real_airflow import HEALTH, PROBE, USERS, Probe, RealAirflow, copy_policy, ticket

KILLS = int(os.environ.get("CHAOS_KILLS", "30"))
SEED = int(os.environ.get("CHAOS_SEED") or time.time())
VICTIMS = ("triggerer", "worker", "scheduler", "api-server", "postgres")
COMPONENTS = {"triggerer", "scheduler", "api-server"}
"""What is killed with its children in one half of the cases."""
ALL = "with children "
STAGES = ("preflight", "gate", "apply", "watch", "undo", "close")
HALF = 0.5
TRUE = {"completed", "rolled_back", "rollback_failed", "refused", "missed", "cancelled"}


@dataclass
class Story:
    """One change with what is known of it from outside."""

    change: str
    journal: Path
    path: str
    """What its watch asks for; made bad, the change is to be rolled back."""
    is_bad: bool
    survived: list[str] = field(default_factory=list)
    """What was killed during its life, and at which of its stages."""


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory, probe: Probe) -> Iterator[tuple[RealAirflow, Supervised]]:
    """Start Airflow on PostgreSQL, each component supervised."""
    folder = tmp_path_factory.mktemp("chaos")
    with ExitStack() as stack:
        # Not below pytest's folder, which another pytest that starts closes to all but root.
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        server = stack.enter_context(postgres(data / "server"))
        place = OnPostgres(folder / "airflow", standalone.free_port(), USERS, server)
        probing = json.dumps({"conn_type": "http", "host": probe.url})
        policy = copy_policy(folder / "policy")
        connections = {"CHANGEWINDOW_POLICY": str(policy), f"AIRFLOW_CONN_{PROBE.upper()}": probing}
        made = stack.enter_context(supervised(place, connections))
        wait_for(lambda: standalone.is_healthy(place), "Airflow", 180)
        clients = {user: Client(place.url, user, place.password(user)).log_in() for user in USERS}
        wait_for(lambda: _has_form(clients["alice"]), "the DAGs")
        yield RealAirflow(place, psutil.Process(made.running["scheduler"].pid), clients, connections, policy), made


def test_whatever_is_killed_every_change_ends_in_truth(
    started: tuple[RealAirflow, Supervised], probe: Probe, tmp_path: Path
) -> None:
    """Every outcome is true, every started step is undone or confirmed, no event is lost, every chain verifies."""
    airflow, made = started
    dice = random.Random(SEED)  # noqa: S311  it chooses the moments
    children = random.Random(f"{SEED}, children")  # noqa: S311  all else of an older seed stays what it was
    print(f"\nCHAOS_SEED={SEED}: {KILLS} kills")
    moments = [(victim, at) for at in STAGES for victim in VICTIMS]
    dice.shuffle(moments)
    stories: list[Story] = []
    for number in range(KILLS):
        victim, at = moments[number % len(moments)]
        newest = begin(airflow, tmp_path, number + 1, is_bad=at == "undo" or dice.random() < HALF)
        stories.append(newest)
        reach(airflow, probe, stories, at)
        time.sleep(dice.uniform(0, 1.5))  # the moment within a stage is to be random
        living = [story for story in stories if not is_over(airflow, story.change)]
        with_children = victim in COMPONENTS and children.random() < HALF
        for story in living:
            story.survived.append(f"{victim} {ALL if with_children else ''}at {where(airflow, story.change)}")
        kill(made, victim, dice, with_children=with_children)
        print(
            f"{number + 1:3}. {victim:10} {', '.join(f'{story.change} {story.survived[-1]}' for story in living)}",
            flush=True,
        )
    probe.bad |= {story.path for story in stories if story.is_bad}
    settle(airflow, stories)
    wrong = [
        f"{story.change} ({'; '.join(story.survived)}): {what}" for story in stories for what in lies(airflow, story)
    ]
    outcomes = Counter(changes.get(airflow.ledger, story.change).status for story in stories)
    print(f"{len(stories)} changes, {KILLS} kills, {made.restarts} restarts: {dict(outcomes)}")
    stages = Counter(
        f"{killed.rpartition(' at ')[0]} {killed.rpartition(' at ')[2]}" for s in stories for killed in s.survived
    )
    print("survived:", ", ".join(f"{what} x{count}" for what, count in sorted(stages.items())))
    assert not wrong, "\n".join([*wrong, log_of(airflow.place, "scheduler")])


def reach(airflow: RealAirflow, probe: Probe, stories: list[Story], at: str) -> None:
    """Wait until the newest change is at a stage, or past it; those to be found bad are so once they are watched."""
    newest = stories[-1]

    def is_there() -> bool:
        for story in stories:
            if story.is_bad and story.path not in probe.bad and where(airflow, story.change) == "watch":
                probe.bad.add(story.path)
        return where(airflow, newest.change) == at or is_over(airflow, newest.change)

    wait_for(is_there, f"{newest.change} to be at {at}", 240, 0.1)


def begin(airflow: RealAirflow, folder: Path, number: int, *, is_bad: bool) -> Story:
    """Publish one change."""
    journal, path = folder / f"chaos_{number}", f"/chaos/{number}"
    own = {**HEALTH, "source": {**HEALTH["source"], "path": path}}
    data = ticket(journal, steps=2, seconds=2, watch="15s", validation=[own], preflight={"checks": [HEALTH]})
    data["watch"]["every"] = "1s"
    data["validation"][0]["tolerate"] = {"no_data": 60, "unreachable": 60}
    for step in data["steps"]:
        step["timeout"] = "20s"
    change = patient(lambda: airflow.submit(data))
    patient(lambda: airflow.write(change))
    return Story(change, journal, path, is_bad=is_bad)


def patient(do: Any) -> Any:
    """Do something that needs the database, as soon as there is one."""

    def tried() -> Any:
        try:
            return do()
        except ChangeError:
            return None

    return wait_for(tried, "the database", 60)


def events_of(airflow: RealAirflow, change: str) -> list[Any]:
    """Return the events of a change."""
    history: list[Any] = patient(lambda: events.history(airflow.ledger, change))
    return history


def is_over(airflow: RealAirflow, change: str) -> bool:
    """Return whether a change has its outcome."""
    return patient(lambda: changes.get(airflow.ledger, change)).closed_at is not None


def where(airflow: RealAirflow, change: str) -> str:
    """Return the stage of a change, by its newest event."""
    kind = events_of(airflow, change)[-1].kind
    begun = {"approved": "preflight", "checked": "gate", "started": "apply", "remembered": "apply", "applied": "apply"}
    late = {"watching": "watch", "read": "watch", "watched": "watch", "decided": "watch", "undoing": "undo"}
    return {**begun, **late, "undone": "undo", "verified": "close", "validated": "close"}.get(kind, kind)


def kill(made: Supervised, victim: str, dice: random.Random, *, with_children: bool) -> None:
    """Kill one thing with SIGKILL; PostgreSQL is started again, as the others are by their supervisor."""
    if victim == "postgres":
        made.place.server.stop(signal.SIGKILL)
        time.sleep(dice.uniform(0, 3))  # how long a database is away is random too
        made.place.server.start()
    elif victim == "worker":

        def is_one_killed() -> bool:
            working = made.workers()
            return any(_is_killed(worker) for worker in dice.sample(working, len(working)))

        wait_for(is_one_killed, "a task on a worker", 60, 0.02)
    else:
        made.kill(victim, with_children=with_children)


def _is_killed(process: psutil.Process) -> bool:
    """Kill a process, if it has not ended by itself."""
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def settle(airflow: RealAirflow, stories: list[Story]) -> None:
    """Wait until every change has its outcome and no run is open; housekeeping runs as often as it does by itself."""

    def all_over() -> bool:
        try:
            airflow.clients["bob"].trigger("housekeeping")
            waiting = [story for story in stories if not is_over(airflow, story.change)]
            runs = [run for story in stories for run in airflow.alice.runs(story.change)]
        except (ChangeError, requests.RequestException):
            return False
        return not waiting and all(run["state"] in ENDED for run in runs)

    wait_for(all_over, "the end of all changes", 900, 20)
    Spool(airflow.ledger, airflow.place.home / "changewindow-spool.jsonl").drain()


def lies(airflow: RealAirflow, story: Story) -> Iterator[str]:
    """Return everything in the story of a change that is not so."""
    stored, history = changes.get(airflow.ledger, story.change), events.history(airflow.ledger, story.change)
    events.verify(airflow.ledger, story.change)
    lines = story.journal.read_text().splitlines() if story.journal.exists() else []
    acting = [(line.split()[1], line.split()[2]) for line in lines]
    if stored.status not in TRUE:
        yield f"it is {stored.status}"
    for number in (1, 2):
        acted, undone = (last(acting, f"{what}_{number}", end) for what, end in (("apply", None), ("undo", "end")))
        if acted is None:
            continue
        kinds = {event.kind for event in history if events.data(event).get("step") == number}
        if "remembered" not in kinds:
            yield f"step {number} acted, and no event says so"
        is_back = undone is not None and undone > acted
        if stored.status == "completed" and (is_back or last(acting, f"apply_{number}", "end") is None):
            yield f"completed, though step {number} is not applied"
        if stored.status in {"rolled_back", "refused", "missed", "cancelled"} and not is_back:
            yield f"{stored.status}, though step {number} is not undone"
        if stored.status == "rolled_back" and "undone" not in kinds:
            yield f"step {number} is undone, and no event says so"
    reads = [reading for event in history if event.kind == "read" for reading in events.data(event)["readings"]]
    if stored.status == "completed" and "fail" in {reading["verdict"] for reading in reads}:
        yield "completed, though a reading was bad"
    samples = sorted({reading["sample"] for reading in reads})
    if stored.status == "completed" and samples != list(range(1, len(samples) + 1)):
        yield f"readings are lost: {samples}"


def last(acting: list[tuple[str, str]], name: str, end: str | None) -> int | None:
    """Return the place of the last line of a step in the journal, or None."""
    places = [place for place, (who, what) in enumerate(acting) if who == name and end in {None, what}]
    return places[-1] if places else None
