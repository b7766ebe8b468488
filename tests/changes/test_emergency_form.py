"""The form of an emergency: what may be done by it, what it makes of that, and every mistake at once."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow import kinds
from changewindow.changes.emergency_form import Emergency, emergency_of
from changewindow.changes.form import BadForm
from changewindow.errors import BadPolicy, BadRequest
from changewindow.policy.connections import Connections
from changewindow.policy.emergencies import Emergencies
from changewindow.policy.model import Policy
from support.tickets import EXAMPLES, POLICY, SHIPPED, SOURCE, banner

NOW = datetime(2031, 3, 18, 3, 12, 40, tzinfo=UTC)
STEPS = kinds.modules("steps")
ANY = replace(POLICY, connections=Connections(unlisted="warn", connections={}))
STEP = {"kind": "command", "run": ["true"], "undo": ["false"]}
ONE_STEP = {"step": json.dumps(STEP), "target": "production/orders", "unwatched_because": "there is no metric"}
WORKS = json.dumps({"source": SOURCE, "pass": {"equals": 200}})


def read(rules: Policy | BadPolicy = POLICY, person: str = "alice", **form: Any) -> Emergency:
    """Return what a form declares; what is not given is what nobody gets wrong."""
    return emergency_of({"broken": "It is down", "commander": "bob", **form}, rules, person=person, now=NOW)


def mistakes(**form: Any) -> list[str]:
    """Return what is wrong with a form."""
    with pytest.raises(BadForm) as bad:
        read(**form)
    return list(bad.value.mistakes)


def codes(emergency: Emergency) -> list[str]:
    """Return what an emergency leaves out, as far as the form knows."""
    return [skip.code for skip in emergency.made.skips]


@pytest.mark.parametrize("kind", STEPS)
def test_one_step_of_every_kind_can_be_declared(kind: str) -> None:
    """Its example, as its file has it, becomes a whole ticket of the executor, whom the commander helps."""
    emergency = read(ANY, **{**ONE_STEP, "step": json.dumps(STEPS[kind].EXAMPLE)})
    ticket = emergency.made.ticket
    assert ticket is not None
    assert (ticket.type, ticket.owner, ticket.reviewer) == ("emergency", "alice", "bob")
    assert ticket.targets == ("production/orders",)
    assert ticket.steps[0].name == STEPS[kind].EXAMPLE["name"]
    assert ticket.window.opens == NOW.replace(microsecond=0)
    assert NOW + ticket.needs < ticket.window.closes
    assert codes(emergency) == ["no_incident", "unwatched"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_ticket_can_be_declared(path: Any) -> None:
    """Its window is now; its checks and confirmations are among what was skipped, its watch and its undo stay."""
    emergency = read(SHIPPED, ticket=path.read_text(), incident="INC-7")
    ticket = emergency.made.ticket
    assert ticket is not None
    assert (ticket.type, ticket.preflight.checks, ticket.compared) == ("emergency", (), ())
    assert ticket.conditions
    assert {"check_skipped", "not_confirmed", "no_baseline"} >= {*codes(emergency)}
    assert emergency.made.normal["window"] != emergency.made.data["window"]


@pytest.mark.parametrize("name", SHIPPED.standards.names())
def test_every_standard_change_can_be_declared(name: str) -> None:
    """It is judged as the standard change that it is: whoever has approved its template was not skipped."""
    emergency = read(SHIPPED, standard=name)
    assert emergency.made.normal["type"] == "standard"
    assert SHIPPED.standards.is_inside(emergency.made.normal) == name


def test_one_step_is_watched_by_one_condition() -> None:
    """It has a while to become good; nothing proves its rollback, for it was broken before."""
    emergency = read(ANY, step=json.dumps(STEP), target="production/orders", works_when=WORKS, incident="INC-7")
    ticket = emergency.made.ticket
    assert ticket is not None
    assert [(condition.name, condition.failures) for condition in ticket.conditions] == [("It works", 6)]
    assert ticket.rollback.verify == ()
    assert codes(emergency) == []


def test_nothing_but_the_little_that_is_needed_is_asked() -> None:
    """Who, when and how have usual answers, which the record keeps like given ones."""
    declared = read(ANY, **ONE_STEP).declared
    assert (declared.executor, declared.agreed_at, declared.agreed_how) == ("alice", NOW, "verbally")
    assert declared.due == NOW + timedelta(hours=24)
    assert declared.workaround_until is None


def test_whoever_is_alone_may_command_and_carry_out() -> None:
    """At three in the morning there may be nobody else; the record says so."""
    assert "one_person" in codes(read(ANY, commander="alice", **ONE_STEP))


def test_the_policy_may_be_broken_but_for_standard_changes() -> None:
    """A ticket and a step need none."""
    bad = BadPolicy(["services.yaml:1: ?"])
    assert read(bad, **ONE_STEP).held == "wait"
    with pytest.raises(BadRequest, match="Paste the ticket, or give the step alone"):
        read(bad, standard="max_idle")


def test_what_becomes_of_a_holder_is_for_the_form_and_then_the_policy() -> None:
    """The form counts more."""
    rules = replace(ANY, emergencies=Emergencies(held="take_over"))
    assert read(rules, **ONE_STEP).held == "take_over"
    assert read(rules, **ONE_STEP, held="wait").held == "wait"


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        pytest.param({}, ["standard, ticket, step: nothing is to be done. Give one."], id="nothing is to be done"),
        pytest.param(
            {**ONE_STEP, "standard": "max_idle"},
            ["standard, ticket, step: standard and step are given. Leave one of them."],
            id="two things at once",
        ),
        pytest.param(
            {**ONE_STEP, "broken": " ", "commander": "Jane Doe", "executor": "-", "agreed_at": "soon"},
            [
                "broken: nothing is said. Say in a sentence what is broken.",
                "executor: '-' is no user name. Write the name with which Airflow knows them, like jane.doe.",
                "commander: 'Jane Doe' is no user name. Write the name with which Airflow knows them, like jane.doe.",
                "agreed_at: 'soon' is not a time like 2031-03-18T03:12+01:00, or a day like 2031-03-18.",
            ],
            id="all that is wrong at once",
        ),
        pytest.param(
            {**ONE_STEP, "commander": ""},
            ["commander: nobody is named. Write the name with which Airflow knows them, like jane.doe."],
            id="nobody commands",
        ),
        pytest.param(
            {**ONE_STEP, "agreed_at": "2031-03-18T05:00Z"},
            ["agreed_at: 2031-03-18 05:00 UTC has not come. Say when the commander said yes."],
            id="a yes of the future",
        ),
        pytest.param(
            {**ONE_STEP, "agreed_at": "2031-03-10"},
            ["agreed_at: 2031-03-10 00:00 UTC is long ago. Ask the commander again."],
            id="a yes of last week",
        ),
        pytest.param(
            {**ONE_STEP, "workaround_until": "2031-03-17"},
            ["workaround_until: 2031-03-17 23:59 UTC is over. Name a later time."],
            id="a workaround that is over",
        ),
        pytest.param(
            {**ONE_STEP, "workaround_until": "9999-12-31"},
            ["workaround_until: 9999-12-31 is too far away. Name a day until 2032-03-18; then look again."],
            id="a workaround that is meant to stay",
        ),
        pytest.param(
            {"step": json.dumps(STEP), "target": "orders"},
            [
                "target: write what is changed as environment/service, like production/orders.",
                "works_when: nothing shows whether it worked. Give a condition like `{source:",
            ],
            id="a step without target, which nothing watches",
        ),
        pytest.param(
            {"step": "{kind: comand}", "target": "orders", "works_when": "[", "commander": "Jane Doe"},
            [
                "commander: 'Jane Doe' is no user name.",
                "target: write what is changed as environment/service, like production/orders.",
                "works_when: while parsing a flow node",
                "step: kind: unknown kind 'comand'. Did you mean 'command'?",
            ],
            id="a step of which everything is wrong",
        ),
        pytest.param(
            {**ONE_STEP, "step": "- [", "works_when": "{source: {kind: htp}, pass: {above: 1}}"},
            ["step: while parsing a flow node", "works_when: source.kind: unknown kind 'htp'. Did you mean 'http'?"],
            id="a step that cannot be read, and a condition of no kind",
        ),
        pytest.param(
            {**ONE_STEP, "step": "{}", "works_when": "{}"},
            ["step: kind: 'kind' is missing.", "works_when: source: 'source' is missing."],
            id="nothing but brackets",
        ),
        pytest.param(
            {**ONE_STEP, "step": "{kind: comand, undo: nothing}", "no_undo_because": "it is gone"},
            ["step: kind: unknown kind 'comand'. Did you mean 'command'?"],
            id="nothing can be said of the undo of an unknown kind",
        ),
        pytest.param(
            {"ticket": json.dumps(banner(validation=[])), "commander": "", "executor": "a b"},
            [
                "executor: 'a b' is no user name.",
                "commander: nobody is named.",
                "ticket:1: watch: there is no condition",
            ],
            id="people that are none are named once",
        ),
        pytest.param(
            {"standard": "max_idl", "values": "max_idle=12"},
            ["values: 'max_idle=12' gives no values.", "standard: There is no standard change 'max_idl'."],
            id="neither the standard change nor its values",
        ),
        pytest.param(
            {**ONE_STEP, "target": "production/ordrs"},
            ["step: services.0: 'ordrs' is not in the service catalogue. Did you mean 'orders'?"],
            id="a target that is mistyped",
        ),
        pytest.param(
            {**ONE_STEP, "step": "- true"},
            ["step: it is not a step. Write `kind: command` and its fields."],
            id="a list",
        ),
        pytest.param(
            {**ONE_STEP, "step": "{kind: command, run: [true], undo: nothing}"},
            ["step: run.0: found true where text is expected. Put it into quotes."],
            id="a field that is wrong",
        ),
        pytest.param(
            {**ONE_STEP, "step": "{kind: comand}"},
            ["step: kind: unknown kind 'comand'. Did you mean 'command'?"],
            id="a kind that is mistyped",
        ),
        pytest.param(
            {**ONE_STEP, "step": "{kind: command, run: ['true']}"},
            ["step: undo: 'undo' is missing. Add it."],
            id="a step without undo",
        ),
        pytest.param(
            {**ONE_STEP, "no_undo_because": "it is gone"},
            ["no_undo_because: the step has an undo. Leave one of them out."],
            id="an undo, and why there is none",
        ),
        pytest.param(
            {
                **ONE_STEP,
                "step": json.dumps(STEPS["kubernetes_scale"].EXAMPLE),
                "no_undo_because": "it is gone",
            },
            [
                "no_undo_because: a step of kind kubernetes_scale undoes itself. Leave it empty.",
                "step: connection: connection 'example_cluster' is not listed in connections.yaml.",
            ],
            id="a kind that undoes itself",
        ),
        pytest.param(
            {**ONE_STEP, "works_when": "200"},
            ["works_when: it is not a condition. Write its `source` and `pass`, like `{source:"],
            id="no condition",
        ),
        pytest.param(
            {
                **ONE_STEP,
                "step": "{kind: command, run: [ls]}",
                "works_when": "{source: {kind: http, connection: orders}}",
            },
            ["step: undo: 'undo' is missing. Add it.", "works_when: neither `pass` nor `fail` is there"],
            id="neither undo nor pass, by the names of the form",
        ),
        pytest.param(
            {"ticket": "- banner"},
            ["ticket: a ticket is a mapping of names to values. `changewindow new` shows one."],
            id="a list for a ticket",
        ),
        pytest.param(
            {"ticket": "summary: [\n"},
            ["ticket:2: while parsing a flow node did not find expected node content"],
            id="no YAML",
        ),
        pytest.param(
            {"ticket": json.dumps(banner(validation=[]))},
            ["ticket:1: watch: there is no condition: nothing could be judged."],
            id="a ticket that nothing watches",
        ),
        pytest.param(
            {"standard": "max_idl"},
            ["standard: There is no standard change 'max_idl'. Did you mean 'max_idle'?"],
            id="a standard change that is mistyped",
        ),
    ],
)
def test_every_mistake_is_named_at_once(form: dict[str, Any], wanted: list[str]) -> None:
    """One sentence for each, with what to do."""
    for line, expected in zip(mistakes(**form), wanted, strict=True):
        assert line.startswith(expected)


def test_who_may_not_declare_is_told_who_may() -> None:
    """As the policy says; by default anybody may who may trigger runs."""
    rules = replace(ANY, emergencies=Emergencies(may_declare=("carol",)))
    assert read(rules, person="carol", **ONE_STEP).declared.executor == "carol"
    with pytest.raises(BadRequest, match="alice may not declare an emergency: `may_declare` in"):
        read(rules, **ONE_STEP)


@pytest.mark.parametrize("change", [{"type": ["normal"]}, {"preflight": {"checks": 5, "confirmed": 7}}])
def test_a_ticket_of_odd_values_breaks_nothing(change: dict[str, Any]) -> None:
    """What an emergency does not need is left out, however it is written."""
    assert read(ANY, ticket=json.dumps({**banner(), **change})).declared.commander == "bob"


@pytest.mark.parametrize("values", ["max_idle=12", "[12]", "[" * 100_000])
def test_values_that_are_no_json_are_a_mistake_of_their_field(values: str) -> None:
    """It says how they are written."""
    with pytest.raises(BadRequest, match="gives no values"):
        read(ANY, standard="restart", values=values)


def test_who_declares_and_commands_has_the_yes_of_nobody_else() -> None:
    """Also where somebody else is named who carries it out: that is one person all the same, and is marked."""
    assert "one_person" in codes(read(ANY, commander="Alice", executor="erin", **ONE_STEP))
    assert "one_person" not in codes(read(ANY, commander="bob", executor="erin", **ONE_STEP))
