"""Authors of tickets: what a text may not say, how much it may ask for, and what runs before it is approved."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from changewindow.cli.airflow_api import ENDED, wait_for
from changewindow.ledger import queries
from support.attack import Ground, later
from support.real_airflow import HEALTH, PROBE, ticket

Made = dict[str, Any]
EMPTY_STEP = {"kind": "command", "run": ["true"], "undo": "nothing", "timeout": "10s"}


@dataclass(frozen=True)
class Text:
    """One ticket that must not become a change."""

    name: str
    write: Callable[[Made], Made | str]
    """Makes it of a good ticket."""
    says: str = ""
    """What its author is told, besides that it is refused."""


def with_step(**step: Any) -> Callable[[Made], Made]:
    """Return what adds a step to a ticket."""
    return lambda made: {**made, "steps": [*made["steps"], {"name": "another", "timeout": "10s", **step}]}


def with_condition(**condition: Any) -> Callable[[Made], Made]:
    """Return what adds a condition to the watch of a ticket."""
    return lambda made: {**made, "validation": [{**HEALTH, "name": "another", **condition}]}


def with_source(**source: Any) -> Callable[[Made], Made]:
    """Return what adds a condition with this source to a ticket."""
    return with_condition(source=source)


def changed(**fields: Any) -> Callable[[Made], Made]:
    """Return what changes fields of a ticket."""
    return lambda made: {**made, **fields}


def followed_by(text: str) -> Callable[[Made], str]:
    """Return what adds lines of YAML to a ticket."""
    return lambda made: "\n".join(f"{name}: {json.dumps(value)}" for name, value in made.items()) + f"\n{text}\n"


def matching(expression: str) -> Callable[[Made], Made]:
    """Return what adds a condition with a regular expression to a ticket."""
    return with_condition(**{"pass": {"matches": expression}})


YAML = (
    Text("a bomb of anchors", followed_by("details: &a [x, x]\nnotes: [*a, *a, *a]"), "anchors and aliases"),
    Text("an object of python", followed_by('details: !!python/object/apply:os.system ["id"]'), "tag"),
    Text("a tag of its own", followed_by("details: !secret x"), "tag"),
    Text("brackets 10000 deep", followed_by("details: " + "[" * 10_000 + "]" * 10_000), "nested deeper"),
    Text("a second document", followed_by("---\nsummary: the other one"), "second document"),
    Text("a field that comes twice", followed_by("summary: what is shown second"), "written twice"),
    Text("a merge of two mappings", followed_by("details: {<<: {a: b}}")),
    Text("a number without end", followed_by(f"risk: {'9' * 5000}")),
    Text("an escape sequence of a terminal", changed(summary="\x1b]0;owned\x07"), "control character"),
    Text("an escape sequence in an escape", followed_by('details: "\\x1b[2J"'), "control character"),
    Text("a zero byte in an escape", followed_by('details: "\\0"'), "control character"),
    Text("a text that turns direction", changed(summary="approve \u202egnihton\u202c"), ""),
    Text("a text with an invisible isolate", changed(summary="a\u2066b\u2069c"), ""),
    Text("a delete character", changed(summary="a\x7fb"), "control character"),
    Text("half a character", lambda made: json.dumps({**made, "summary": "\ud800"})),
    Text("no mapping at all", lambda _: "just words"),
    Text("nothing but a comment", lambda _: "# nothing"),
    Text("a text of half a million characters in a summary", changed(summary="x" * 500_000)),
)
"""How it is written."""

FIELDS = (
    Text("a requester of its own", changed(requester="bob"), "unknown field"),
    Text("approvals of its own", changed(approvals=[{"person": "bob", "yes": True}]), "unknown field"),
    Text("a digest of its own", changed(digest="0" * 64), "unknown field"),
    Text("a state of its own", changed(status="approved"), "unknown field"),
    Text("a kind by its path", with_step(kind="../command", run=["true"], undo="nothing")),
    Text("a kind that is a module", with_step(kind="base"), ""),
    Text("a kind in another package", with_step(kind="os.system")),
    Text(
        "a window that is over", changed(window={"start": "2020-01-01 00:00", "end": "2020-01-01 01:00", "zone": "UTC"})
    ),
    Text(
        "a window that ends before it begins",
        changed(window={"start": "2036-01-02 00:00", "end": "2036-01-01 01:00", "zone": "UTC"}),
    ),
    Text("a window in a zone by its path", changed(window={**later(), "zone": "../../etc/passwd"})),
    Text("a watch of no time", changed(watch={"for": "0s", "every": "1s"})),
    Text("a watch that asks without pause", changed(watch={"for": "1m", "every": "1ms"})),
    Text("a step without end", with_step(**{**EMPTY_STEP, "timeout": "999999d"})),
    Text("a service with a path", changed(services=["../../x"])),
    Text("a service with a line", changed(services=["a\nb"])),
    Text("an environment with a mark of shells", changed(environment="$(id)")),
    Text(
        "a parameter that runs code",
        changed(parameters={"{{ 1 }}": {"type": "string", "default": "a", "allowed": ["a"]}}),
    ),
    Text(
        "a value that is not allowed",
        changed(parameters={"size": {"type": "integer", "default": 9, "allowed": [1, 2]}}),
    ),
    Text("a secret by its value", with_step(**EMPTY_STEP, secrets={"TOKEN": "no connection of this name"})),
)
"""What it says."""

LIMITS = (
    Text(
        "8000 steps",
        lambda made: {**made, "steps": [{**EMPTY_STEP, "name": f"step {n}"} for n in range(8000)]},
        "steps",
    ),
    Text(
        "500 conditions",
        lambda made: {**made, "validation": [{**HEALTH, "name": f"check {n}"} for n in range(500)]},
        "conditions",
    ),
    Text(
        "20 parameters of 50 values",
        changed(parameters={f"p{n}": {"type": "integer", "default": 0, "allowed": list(range(50))} for n in range(20)}),
        "combinations",
    ),
    Text("1000 services", changed(services=[f"service-{n}" for n in range(1000)])),
    Text("an expression that looks behind", matching("(?<=a)b")),
    Text("an expression that looks ahead", matching("(?=(a+)+)b")),
    Text("an expression that refers back", matching(r"(a)\1")),
    Text("an expression of atoms", matching("(?>a+)b")),
    Text("an expression that counts to a billion", matching("a{1000000000}")),
    Text("an expression of 100000 groups", matching("(" * 100_000 + "a" + ")" * 100_000)),
)
"""How much it asks for."""

REACH = (
    Text(
        "a step with the connection of the ledger",
        with_step(kind="sql", connection="changewindow_ledger", statements=["delete from events"], undo="nothing"),
    ),
    Text(
        "a condition with the connection of the ledger",
        with_source(kind="sql", connection="changewindow_ledger", query="select 1"),
        "own",
    ),
    Text(
        "a condition with the connection of slack",
        with_source(kind="http", connection="slack_api_default", path="/", read="status"),
        "own",
    ),
    Text(
        "a connection in capitals", with_source(kind="http", connection="CHANGEWINDOW_LEDGER", path="/", read="status")
    ),
    Text(
        "a connection that is not listed",
        with_source(kind="http", connection="elsewhere", path="/", read="status"),
        "not listed",
    ),
    Text(
        "a connection of another environment",
        with_source(kind="http", connection="orders", path="/", read="status"),
        "serves",
    ),
    Text("a connection by a template", with_source(kind="http", connection="{{ params.x }}", path="/", read="status")),
    Text(
        "an address in the place of a path",
        with_source(kind="http", connection=PROBE, path="http://169.254.169.254/latest", read="status"),
    ),
    Text("a path with an account", with_source(kind="http", connection=PROBE, path="@169.254.169.254/", read="status")),
    Text(
        "a path with a header inside", with_source(kind="http", connection=PROBE, path="/x\r\nX-Evil: 1", read="status")
    ),
    Text(
        "a branch that is an option of git",
        with_step(kind="git_change", connection="orders_config", merge="--upload-pack=id", into="main"),
    ),
    Text(
        "a file outside of the repository",
        with_step(kind="git_change", connection="orders_config", file="../../etc/passwd", set="x", to=1, into="main"),
    ),
)
"""What it reaches for."""

TEXTS = (*YAML, *FIELDS, *LIMITS, *REACH)


@pytest.fixture(scope="module")
def requests(ground: Ground) -> dict[str, str]:
    """Ask for all of them at once, as mallory; return the run of each."""
    good = {**ticket(ground.folder / "texts"), "owner": "mallory", "window": later()}
    runs = {}
    for text in TEXTS:
        written = text.write(json.loads(json.dumps(good)))
        conf = {"ticket": written if isinstance(written, str) else json.dumps(written)}
        runs[text.name] = ground.airflow.clients["mallory"].trigger("request_change", conf)
    return runs


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.name)
def test_what_a_ticket_must_not_say_becomes_no_change(ground: Ground, requests: dict[str, str], text: Text) -> None:
    """Its author is told what is wrong; nothing is written."""
    airflow, run = ground.airflow, requests[text.name]
    wait_for(lambda: airflow.alice.run("request_change", run)["state"] in ENDED, "the check", 180)
    told = str(airflow.alice.xcom("request_change", run, "check", "note"))
    assert airflow.state("request_change", run, "check") == "failed", told
    assert text.says in told
    assert queries.of_origin(airflow.ledger, f"request_change/{run}") is None


def test_before_approval_nothing_of_a_ticket_runs(ground: Ground) -> None:
    """Neither a step nor a condition, and no program to look for what is missing; approvers read why not."""
    airflow, mark = ground.airflow, ground.folder / "run before approval"
    program = {"kind": "command", "run": ["touch", str(mark)]}
    asking = {"name": "touch", "source": program, "pass": {"equals": 1}}
    data = {**ticket(ground.folder / "early"), "owner": "mallory", "window": later(7)}
    data["steps"] = [{"name": "touch", "undo": ["touch", str(mark)], "timeout": "10s", **program}]
    data["preflight"] = {"checks": [asking]}
    run, _ = airflow.ask({**data, "validation": [asking]}, user="mallory")
    wait_for(lambda: airflow.asks("request_change", run, "approve_1"), "the question")
    assert not mark.exists()
    assert "not tried before approval" in airflow.alice.log("request_change", run, "dry_run")


def test_a_path_with_two_slashes_leads_to_no_other_host(ground: Ground) -> None:
    """What follows them stays a path of the connection's own host."""
    airflow = ground.airflow
    asking = {**HEALTH, "source": {**HEALTH["source"], "path": "//127.0.0.2:9/attacked"}}
    data = {**ticket(ground.folder / "slashes"), "window": later(8), "preflight": {"checks": [asking]}}
    run, _ = airflow.ask(data, user="mallory")
    wait_for(lambda: airflow.asks("request_change", run, "approve_1"), "the question")
    assert "127.0.0.2" not in str(airflow.alice.xcom("request_change", run, "dry_run")).replace("//127.0.0.2:9/", "")
