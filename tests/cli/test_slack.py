"""The service that takes clicks in Slack: the real client, HTTP and Socket Mode, against a Slack on this machine."""

import argparse
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from changewindow.changes.buttons import PLACE, Carried, buttons
from changewindow.changes.card_of import card_of
from changewindow.changes.slack_payload import click_of
from changewindow.cli.main import main
from changewindow.cli.slack import Service
from changewindow.errors import PlatformError
from changewindow.ledger import outbox
from changewindow.ledger.database import Ledger
from changewindow.notify.base import Message
from changewindow.notify.slack import Channel
from changewindow.policy.messages import Messages
from servers.slack import Slack, slack
from servers.slack_rooms import Posted
from support.layout import INCLUDE
from support.slack_world import IDS, MESSAGES, POLICY, ROOM, SlackWorld

pytestmark = pytest.mark.integration

FILES: dict[str, Any] = {
    "approvals.yaml": {
        "groups": {"peers": ["alice", "bob", "carol"]},
        "rules": [{"name": "all", "levels": [{"name": "peer", "from": ["peers"]}]}],
    },
    "services.yaml": {"unlisted": "allow", "services": {}},
    "calendar.yaml": {"zone": "UTC", "default": "open"},
    "messages.yaml": MESSAGES,
}


@dataclass
class Desk:
    """A change whose message stands in Slack, and the service that takes the clicks on it."""

    slack: Slack
    world: SlackWorld
    message: Posted
    arguments: argparse.Namespace

    def click(self, person: str, action: str, **more: Any) -> Any:
        """Press a button in Slack, and wait until that is acknowledged."""
        click = self.slack.click(IDS.get(person, person), self.message, f"changewindow.{action}", **more)
        click.waited()
        return click

    def read(self, number: int = 1) -> list[str]:
        """Return what the people who clicked have read, once it is so much."""
        wait(lambda: len(self.slack.whispers) >= number)
        return [text for _, _, text in self.slack.whispers]

    @contextmanager
    def served(self) -> Iterator[None]:
        """Take clicks until the block ends."""
        stopped = threading.Event()
        service = Service(self.slack.connection, self.world.ledger, self.arguments, stopped)
        thread = threading.Thread(target=service.serve)
        before = len(self.slack.sockets.connections)
        thread.start()
        try:
            wait(lambda: len(self.slack.sockets.connections) > before)
            yield
        finally:
            stopped.set()
            thread.join(60)
        assert not thread.is_alive()


def wait(holds: Callable[[], bool], within: float = 60) -> None:
    """Wait until something holds."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it does not hold in time"
        time.sleep(0.02)


@pytest.fixture
def here(tmp_path: Path, ledger: Ledger) -> Iterator[Desk]:
    """Return a change whose approvers are asked in Slack."""
    folder = tmp_path / "slack-policy"
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_text(yaml.safe_dump(content))
    arguments = argparse.Namespace(policy=folder, ledger=str(ledger.url.database), connection="slack_api_default")
    with slack() as server:
        server.room(ROOM)
        yield shown(server, SlackWorld.asked(ledger), arguments)


def shown(server: Slack, world: SlackWorld, arguments: argparse.Namespace) -> Desk:
    """Post the message of a change."""
    row = outbox.of_change(world.ledger, world.change)[0]
    blocks = ({"type": "section", "text": {"type": "mrkdwn", "text": "A change"}}, *buttons_of(world))
    reference = Channel().post(server.tools(), ROOM, Message("A change", world.now, world.change, blocks))
    outbox.keep(world.ledger, replace(row, reference=reference))
    message = server.room(ROOM).message(reference.id)
    assert message is not None
    return Desk(server, world, message, arguments)


def buttons_of(world: SlackWorld) -> list[dict[str, Any]]:
    """Return the buttons of its message."""
    card = card_of(world.ledger, world.change, POLICY, world.now, links={})
    return buttons(card, Messages.model_validate(MESSAGES), ROOM)


def test_a_click_is_acknowledged_before_it_is_decided(here: Desk) -> None:
    """While the ledger is busy it waits, and Slack does not; then the message's people read what became of it."""
    with here.served():
        with here.world.ledger.transaction():
            here.click("bob", "approve")
            assert not here.slack.whispers
        assert here.read() == [f"{here.world.change}: approved by bob. Every approval is given."]
    assert here.world.status == "approved"


def test_what_does_not_count_is_said_to_who_clicked(here: Desk) -> None:
    """And changes nothing; what people wrote is data there, too."""
    with here.served():
        here.click("UNOBODY", "approve")
        start = f"Your click on {here.world.change} does not count: "
        assert here.read() == [
            f"{start}nobody in messages.yaml has the Slack id UNOBODY. Have it added below `people`."
        ]
    assert here.world.status == "submitted"


def test_a_click_that_arrives_again_and_at_two_services_decides_once(here: Desk) -> None:
    """As Slack sends what it thinks was not acknowledged."""
    with here.served(), here.served():
        click = here.click("bob", "approve", to_all=True)
        here.read(2)
        for number in (4, 6):
            here.slack.sockets.send(click, to_all=True)
            assert set(here.read(number)) == {f"{here.world.change}: approved by bob. Every approval is given."}
    assert here.world.kinds.count("decided") == here.world.kinds.count("button_pressed") == 1


@pytest.mark.parametrize("how", ["refresh", "drop"])
def test_it_connects_again(here: Desk, how: str) -> None:
    """Slack asks for that every few hours, and lines are cut."""
    with here.served():
        getattr(here.slack.sockets, how)()
        wait(lambda: here.slack.sockets.opened >= 2 and len(here.slack.sockets.connections) >= 1)
        wait(lambda: _is_clicked(here))
        assert "approved by bob" in here.read()[0]


def _is_clicked(here: Desk) -> bool:
    """Return whether a click reached the service; one that fell between two connections is lost, and is made again."""
    click = here.slack.click(IDS["bob"], here.message, "changewindow.approve")
    return bool(click.arrived.wait(2))


def test_while_the_ledger_is_down_no_click_counts(here: Desk, tmp_path: Path) -> None:
    """That is said, and the service goes on."""
    kept = Path(str(here.world.ledger.url.database)).parent
    with here.served():
        away = kept.rename(tmp_path.with_name(f"{tmp_path.name}-away"))
        here.click("bob", "approve")
        assert here.read()[0].endswith("does not count: the ledger does not answer. Click again once it is back.")
        away.rename(kept)
        here.click("bob", "approve")
        assert "approved by bob" in here.read(2)[1]


def test_it_waits_for_slack_when_it_starts(here: Desk) -> None:
    """A Slack that is down is asked again."""
    here.slack.fail("*", "500", times=2)
    with here.served():
        here.click("bob", "reject")
        assert "rejected by bob" in here.read()[0]


@pytest.mark.parametrize("which", ["token", "app_token"])
def test_a_token_that_slack_does_not_take_is_said(here: Desk, which: str) -> None:
    """With what to do; there is no point in going on."""
    known = here.slack.connection
    here.slack.revoked.add(getattr(here.slack, which))
    with pytest.raises(PlatformError, match="Slack answered: token_revoked") as refused:
        Service(known, here.world.ledger, here.arguments, threading.Event()).serve()
    assert getattr(here.slack, which) not in str(refused.value)


def test_an_answer_that_does_not_arrive_keeps_nobody_from_deciding(
    here: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    """The decision stands; the log says that who clicked does not know."""
    with here.served():
        here.click("bob", "approve", response_url="http://127.0.0.1:9/none")
        wait(lambda: here.world.status == "approved")
        here.click("carol", "approve")
        assert "nothing waits for a decision" in here.read()[0]
    log = capfd.readouterr().err
    assert "whoever clicked could not be answered" in log
    assert here.slack.token not in log
    assert here.slack.app_token not in log


def test_the_command_ends_when_it_is_told_to(here: Desk, tmp_path: Path) -> None:
    """It is one process, and its connections come from the environment."""
    known = here.slack.connection
    fields = {"conn_type": "slack", "password": known.password, "extra": dict(known.extra)}
    environment = {**os.environ, "AIRFLOW_CONN_SLACK_API_DEFAULT": json.dumps(fields), "PYTHONPATH": str(INCLUDE)}
    options = ["--policy", str(here.arguments.policy), "--ledger", here.arguments.ledger]
    command = [sys.executable, "-m", "changewindow", "slack", *options]
    with subprocess.Popen(command, env=environment, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as service:
        try:
            wait(lambda: bool(here.slack.sockets.connections))
            here.click("bob", "approve")
            assert "approved by bob" in here.read()[0]
        finally:
            service.send_signal(signal.SIGTERM)
            _, log = service.communicate(timeout=60)
    assert service.returncode == 0, log
    assert "clicks are no longer taken" in log


def test_without_an_app_token_it_says_where_there_is_one(
    here: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything else."""
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_API_DEFAULT", json.dumps({"conn_type": "slack", "password": "xoxb-1"}))
    assert main(["slack", "--ledger", here.arguments.ledger, "--policy", str(here.arguments.policy)]) == 1
    assert "has no `app_token` in its extra. Make one in Slack" in capsys.readouterr().err


@pytest.mark.parametrize("lacking", ["user", "container", "team"])
def test_a_click_that_slack_does_not_tell_whole_is_none(lacking: str) -> None:
    """Garbage is no decision."""
    action = {"action_id": "changewindow.approve", "action_ts": "1.5", "value": "x"}
    payload: dict[str, Any] = {
        "type": "block_actions",
        "user": {"id": "U1"},
        "team": {"id": "T1"},
        "container": {"channel_id": "C1", "message_ts": "1.1"},
        "actions": [action],
    }
    assert click_of(payload) is not None
    with pytest.raises(ValueError, match="without"):
        click_of({name: value for name, value in payload.items() if name != lacking})


@pytest.mark.parametrize("name", ["approve", "changewindow.open", "changewindow.", "other.approve", ""])
def test_other_buttons_decide_nothing(name: str) -> None:
    """Such as the one that leads to Airflow, and those of other apps."""
    assert click_of({"type": "block_actions", "actions": [{"action_id": name}]}) is None
    assert click_of({"type": "view_submission"}) is None


def test_what_a_button_holds_is_read_as_it_was_written() -> None:
    """And what holds something else is none of ours."""
    carried = Carried("CHG-1042", "d" * 64, "asked")
    assert Carried.read(carried.value) == carried
    assert len(carried.value) < 2000
    assert Carried.read("CHG-1042 d 17 asked") is Carried.read("") is Carried.read("a b gone") is None
    assert PLACE == "changewindow"
