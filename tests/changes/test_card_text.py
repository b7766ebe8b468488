"""What the message of a change reads in each of its states, and what a team's own templates may do."""

import logging
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest

from changewindow.changes.card import STATES
from changewindow.changes.card_text import OURS, Look, look_of, rendered
from changewindow.changes.messages import Ending, outcome_text
from changewindow.changes.sample_cards import BASE, ENDING, OPENS, sample
from changewindow.cli.main import main
from changewindow.notify.base import Message
from changewindow.policy.outcome import Outcome
from changewindow.ticket.reader import build_ticket
from servers.slack_limits import UPDATED, of_message
from support.drawn_blocks import drawn
from support.tickets import TESTS, banner, golden

IDS = {"alice": "U0ALICE", "bob": "U0BOB", "carol": "U0CAROL"}
HOUR = {"zone": "UTC", "start": "2031-03-18 14:00", "end": "2031-03-18 15:00"}
LOOK = Look("Europe/Berlin", (), IDS)
EMERGENCIES = ("starting", "running", "completed", "rolled_back")
PICTURES = [*((state, False) for state in STATES), *((state, True) for state in EMERGENCIES)]


def picture(message: Message) -> str:
    """Return a message as text and as blocks."""
    return f"{message.text}\n\n{drawn(message.blocks)}\n"


@pytest.mark.parametrize(("state", "is_emergency"), PICTURES)
def test_each_state_has_its_message(state: str, is_emergency: bool) -> None:  # noqa: FBT001  a case of a table
    """As plain text and as blocks: read aloud, they are what an operator would say."""
    message = rendered(sample(state, is_emergency=is_emergency), LOOK)
    name = f"card_{state}{'_emergency' if is_emergency else ''}.txt"
    assert picture(message) == golden(name)
    assert of_message({"text": message.text, "blocks": list(message.blocks)}, UPDATED) == ("", [])


@pytest.mark.parametrize("outcome", get_args(Outcome))
def test_a_card_says_what_the_task_log_says(outcome: Outcome) -> None:
    """Whoever has no channel but the log reads the same words; a card adds values, people and links."""
    card, known = sample(outcome), ENDING
    told = Ending(outcome, known.reason, known.started, known.ended, back_to=known.back_to)
    ticket = build_ticket(banner(summary=card.summary, window=HOUR, post_change={"follow_up": known.follow_up}))
    shown = rendered(replace(card, ending=replace(known, undone=None)), Look()).text.splitlines()
    lines = outcome_text(card.change, ticket, told).splitlines()
    assert [line for line in lines if line not in shown and not line.startswith("Validated: ")] == []


def test_each_state_has_files_of_its_own() -> None:
    """Two for each, and what they share."""
    wanted = {f"{name}.{form}.j2" for name in (*STATES, "parts") for form in ("txt", "json")}
    assert {path.name for path in OURS.iterdir()} == wanted


def test_no_picture_is_left_of_a_message_that_there_is_no_more() -> None:
    """Goldens that nobody compares rot."""
    wanted = {f"card_{state}{'_emergency' * is_emergency}.txt" for state, is_emergency in PICTURES}
    assert {path.name for path in (TESTS / "golden").glob("card_*")} == wanted


def test_a_room_in_utc_is_told_each_time_once() -> None:
    """Nothing stands beside it."""
    assert "Window: 2031-03-18 14:00-15:00 UTC\n" in rendered(sample("scheduled"), Look()).text


def test_a_window_over_midnight_elsewhere_has_its_days() -> None:
    """Whoever reads 01:00 wants to know of which day."""
    late = replace(BASE, opens=OPENS.replace(hour=23), closes=OPENS.replace(hour=23) + timedelta(hours=2))
    text = rendered(replace(late, state="scheduled"), LOOK).text
    assert "Window: 2031-03-18 23:00 to 2031-03-19 01:00 UTC (2031-03-19 00:00-02:00 Europe/Berlin)\n" in text


def test_a_drill_says_so_first() -> None:
    """Nobody runs for it."""
    message = rendered(replace(sample("running", is_emergency=True), is_drill=True), LOOK)
    assert message.text.startswith("🧪 DRILL, nothing is broken: 🔧 ACTING: CHG-1042 ")
    assert "🧪 DRILL" in message.blocks[0]["text"]["text"]


@pytest.mark.parametrize(
    ("state", "calls"),
    [
        ("asked", ("bob", "carol")),
        ("waiting", ("alice", "bob", "charlie")),
        ("rolled_back", ("alice", "charlie")),
        ("running", ()),
        ("completed", ()),
    ],
)
def test_people_are_called_when_they_are_wanted(state: str, calls: tuple[str, ...]) -> None:
    """Whoever has to answer; owner and on call when it fails; nobody while all goes well."""
    assert rendered(sample(state), LOOK).calls == calls


def test_a_program_reads_facts() -> None:
    """Where it stands, and why, without reading English."""
    facts = rendered(sample("rolled_back"), LOOK).facts
    assert (facts["change"], facts["state"]) == ("CHG-1042", "rolled_back")
    assert facts["reason"] == "p99 latency is bad: 348 ms, limit 200 ms"
    assert facts["links"]["page"] == "https://airflow.example/changes/CHG-1042"


def room(templates: Path, name: str, text: str, *, folder: str = "deploys") -> Look:
    """Write a template of one room, and return its look."""
    path = templates / "messages" / folder / name
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return look_of(templates, folder, zone="UTC", ids=IDS)


def test_a_room_may_have_a_template_of_its_own(tmp_path: Path) -> None:
    """As Block Kit's builder gives it; all others are ours."""
    text = '{"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "*{{ card.summary }}*"}}]}'
    look = room(tmp_path, "running.json.j2", text)
    summary = 'Say "hello" to <!channel> & *all*'
    mine = rendered(replace(sample("running"), summary=summary), look)
    said = {"type": "mrkdwn", "text": '*Say "hello" to &lt;!channel&gt; &amp; \u2217all\u2217*', "verbatim": True}
    assert mine.blocks == ({"type": "section", "text": said},)
    assert mine.text.startswith("🔄 DEPLOYING")
    assert rendered(sample("watching"), look).blocks == rendered(sample("watching"), Look(ids=IDS)).blocks


def test_a_template_may_use_what_ours_share(tmp_path: Path) -> None:
    """And change a word of it."""
    look = room(tmp_path, "running.json.j2", (OURS / "running.json.j2").read_text().replace("DEPLOYING", "ROLLING OUT"))
    assert rendered(sample("running"), look).blocks[0]["text"]["text"] == "🔄 ROLLING OUT CHG-1042"


@pytest.mark.parametrize(
    "text",
    [
        "{{ card.sumary }}",
        "{% if %}",
        '{"type": "section"',
        '{"text": "x"}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": ""}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ card.steps[9].name }}"}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ card.summary | safe }}"}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ card.summary | tojson }}"}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ mention(card.owner) ~ card.summary }}"}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ mention(card.owner) + card.summary }}"}}',
        '{"type": "section", "text": {"type": "mrkdwn", "text": "{{ mention(card.owner).join([card.summary]) }}"}}',
        "{{ ''.__class__.__mro__ }}",
        "{{ card.__init__.__globals__ }}",
        "{{ 1 / 0 }}",
        "{% include 'running.json.j2' %}",
        "",
    ],
)
def test_a_template_that_fails_costs_nobody_a_message(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ours stands in for it; the log says so, and so does `policy lint`, before anybody misses it."""
    look = room(tmp_path / "templates", "running.json.j2", text)
    with caplog.at_level(logging.WARNING):
        assert rendered(sample("running"), look).blocks == rendered(sample("running"), Look(ids=IDS)).blocks
    path = tmp_path / "templates" / "messages" / "deploys" / "running.json.j2"
    assert f"{path} cannot be used: " in caplog.text
    (tmp_path / "policy").symlink_to(TESTS.parent / "include" / "policy")
    assert main(["policy", "lint", "--policy", str(tmp_path / "policy")]) == 1
    assert f"{path}:0: " in capsys.readouterr().out


def test_a_file_that_no_message_uses_is_warned_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever mistypes a state would wait for its message for ever."""
    room(tmp_path / "templates", "runing.json.j2", "{}")
    (tmp_path / "policy").symlink_to(TESTS.parent / "include" / "policy")
    assert main(["policy", "lint", "--policy", str(tmp_path / "policy")]) == 0
    assert "no message uses a file called 'runing.json.j2'. Did you mean 'running.json.j2'?" in capsys.readouterr().out


def test_a_step_that_could_not_be_undone_is_the_first_thing_that_is_read() -> None:
    """Whoever reads the first line on a phone does not take it for the rollback of which they know."""
    card = sample("rolling_back")
    failed = replace(card, steps=(replace(card.steps[0], state="undo failed"), *card.steps[1:]))
    message = rendered(failed, LOOK)
    assert message.text.startswith("🚨 ROLLING BACK, A STEP COULD NOT BE UNDONE: CHG-1042 ")
    assert "FAILED: step 1, Raise the limit, could not be undone" in message.text.splitlines()
    assert "stand by: the other steps are still being undone" in picture(message)
    assert rendered(card, LOOK).text.startswith("⏪ ROLLING BACK: ")


@pytest.mark.parametrize(
    ("is_drill", "expected"), [(False, ("alice", "charlie", "carol")), (True, ("alice", "charlie"))]
)
def test_who_commands_an_emergency_is_called_when_it_is_still_broken(is_drill: bool, expected: tuple[str, ...]) -> None:  # noqa: FBT001
    """A name in a text calls nobody in Slack; a drill wakes no commander."""
    card = replace(sample("rolled_back", is_emergency=True), is_drill=is_drill)
    assert rendered(card, LOOK).calls == expected
