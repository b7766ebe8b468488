"""Where messages go while messages.yaml is being mended."""

from pathlib import Path

import pytest

from changewindow.flow.rooms import messages_policy
from changewindow.policy.messages import FILE, Messages


def test_a_file_that_breaks_sends_nothing_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said last holds until it can be read again; whoever has not read it goes on with the usual."""
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(tmp_path))
    (tmp_path / FILE).write_text("rooms: {'#deploys': {to: [{kind: log}], buttons: false}}\n")
    last = messages_policy()
    assert not last.rules("#deploys").buttons
    (tmp_path / FILE).write_text("rooms: [\n")
    assert messages_policy(last) == last
    assert messages_policy() == Messages()
    (tmp_path / FILE).write_text("rooms: {}\n")
    assert messages_policy(last) == Messages()
