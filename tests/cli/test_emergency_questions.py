"""What an emergency at the terminal asks for: only what is missing, and one step as well as a ticket."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from changewindow.cli.emergency_arguments import add_emergency_arguments
from changewindow.cli.emergency_questions import OPTIONS, form_of, is_confirmed
from changewindow.cli.option_names import by_options
from changewindow.cli.record import OPTIONS as OF_RECORD
from changewindow.flow.dags import emergency_form, record

Typing = Callable[..., None]
Capture = pytest.CaptureFixture[str]
WHY = ("--broken", "No orders come in", "--commander", "carol")
NO_METRIC = "there is no metric"
STEP = "{kind: command, run: ['true'], undo: nothing}"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Typing]:
    """Return what types lines at the terminal of the command."""
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin, os.fdopen(keyboard, "w") as keys:
        monkeypatch.setattr(sys, "stdin", stdin)

        def lines(*answers: str) -> None:
            keys.write("".join(f"{answer}\n" for answer in answers))
            keys.flush()

        yield lines


def arguments(*given: str) -> argparse.Namespace:
    """Return what the command was called with."""
    parser = argparse.ArgumentParser()
    add_emergency_arguments(lambda *_: parser, "", "")
    parser.set_defaults(misuse=parser.error)
    return parser.parse_args(given)


def test_whoever_gives_nothing_is_asked_for_everything_that_is_needed(
    typed: Typing, tmp_path: Path, capsys: Capture
) -> None:
    """In the order of the form; an empty answer to the incident means that none is open."""
    ticket = tmp_path / "ticket.yaml"
    ticket.write_text("summary: Restart it\n")
    typed("No orders come in", "", "carol", str(ticket))
    assert form_of(arguments()) == {
        "broken": "No orders come in",
        "incident": "",
        "commander": "carol",
        "ticket": "summary: Restart it\n",
    }
    assert capsys.readouterr().err.count("?") == 4


@pytest.mark.parametrize("is_file", [True, False])
def test_one_step_may_be_a_file_or_be_typed(typed: Typing, tmp_path: Path, *, is_file: bool) -> None:
    """Then its target is asked for, and what shows that it worked, or why nothing can."""
    file = tmp_path / "step.yaml"
    file.write_text(STEP)
    typed(str(file) if is_file else STEP, "production/orders", "", NO_METRIC)
    asked: dict[str, Any] = {"step": STEP, "target": "production/orders", "works_when": ""}
    assert form_of(arguments(*WHY)).items() >= {**asked, "unwatched_because": NO_METRIC}.items()


def test_of_a_step_that_is_given_only_the_rest_is_asked(typed: Typing, tmp_path: Path, capsys: Capture) -> None:
    """One question here."""
    file = tmp_path / "step.yaml"
    file.write_text(STEP)
    typed("production/orders")
    given = ("--step", str(file), "--unwatched-because", NO_METRIC)
    assert form_of(arguments(*WHY, *given))["target"] == "production/orders"
    assert capsys.readouterr().err == "What does it change, as environment/service? "


def test_a_standard_change_is_asked_for_with_its_values(typed: Typing) -> None:
    """As they are written behind --value."""
    typed("restart", "instance=2 why=pool")
    assert form_of(arguments(*WHY)).items() >= {"standard": "restart", "values": {"instance": 2, "why": "pool"}}.items()


def test_what_is_no_value_is_misuse(typed: Typing, capsys: Capture) -> None:
    """It says how values are written."""
    typed("restart", "2")
    with pytest.raises(SystemExit):
        form_of(arguments(*WHY))
    assert "--value 2: write it like max_idle=12" in capsys.readouterr().err


def test_a_script_is_told_all_that_is_missing(tmp_path: Path, capsys: Capture) -> None:
    """It is asked nothing, also at a terminal."""
    file = tmp_path / "step.yaml"
    file.write_text(STEP)
    with pytest.raises(SystemExit):
        form_of(arguments("--broken", "It is down", "--step", str(file), "--yes"))
    missing = "missing: --commander, --target, --works-when (or --unwatched-because); without a terminal"
    assert missing in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "is_yes"), [("y", True), ("Yes", True), ("", False), ("no", False)])
def test_it_is_carried_out_after_a_yes(typed: Typing, answer: str, *, is_yes: bool) -> None:
    """Nothing else is one."""
    typed(answer)
    assert is_confirmed(arguments(), "Carry it out now?") is is_yes


def test_mistakes_are_said_by_options() -> None:
    """Nobody who types `--agreed-at` has to know how the form calls it; what else is quoted stays."""
    text = "agreed_at: 'soon' is no time\nstandard, ticket, step: nothing\nCHG-1001 acts: step: x; say in `works_when`"
    assert by_options(text, OPTIONS) == (
        "--agreed-at: 'soon' is no time\n--standard, --ticket, --step: nothing\n"
        "CHG-1001 acts: step: x; say in `--works-when`"
    )
    assert by_options("start and end: not given\ndone_by: `accept`", OF_RECORD) == (
        "--start and --end: not given\n--by: `accept`"
    )


def test_every_field_of_the_forms_has_its_option() -> None:
    """A new field is not forgotten."""
    assert OPTIONS.keys() == emergency_form.form().keys()
    assert OF_RECORD.keys() == record.form().keys()
