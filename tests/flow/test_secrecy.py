"""A secret that a task has used stands in none of its logs."""

import json
import subprocess
import sys

import pytest

from changewindow.flow.secrecy import SECRETS, clean, learn
from changewindow.ledger.payloads import RefusalReason, Refused, UndoFailed
from changewindow.systems.connection import Connection

pytestmark = pytest.mark.integration

CANARY = "canary-of-flow"
TASK = """\
import logging, structlog, sys
from airflow.sdk.log import configure_logging
configure_logging(json_output=True, output=sys.stdout.buffer, sending_to_supervisor=True)
before = structlog.get_logger("task")
before.info("begun")
from changewindow.flow.secrecy import learn
from changewindow.systems.connection import Connection
learn(Connection("it", "http", password="canary-of-flow"))
learn(Connection("weak", "http", password="info"))
logging.getLogger("changewindow").info("password %s", "canary-of-flow")
logging.getLogger("changewindow").info("written by %s", "al\\x1b[2Jice")
logging.getLogger("urllib3").warning("GET https://it/?token=canary-of-flow")
try:
    try:
        raise ValueError("inner canary-of-flow")
    except ValueError as error:
        raise RuntimeError("outer canary-of-flow") from error
except RuntimeError:
    before.exception("Task failed with exception")
    logging.getLogger("changewindow").exception("undo broke off")
"""


def test_no_logger_of_a_task_sends_a_secret_to_its_supervisor() -> None:
    """Neither ours nor a library's, and no traceback: one of the supervisor's two maskers knows none."""
    ran = subprocess.run([sys.executable, "-c", TASK], capture_output=True, text=True, timeout=120, check=True)
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [line["event"] for line in lines] == [
        "begun",
        "password ***",
        r"written by al\u001b[2Jice",
        "GET https://it/?token=***",
        "Task failed with exception",
        "undo broke off",
    ]
    assert {line["level"] for line in lines} == {"info", "warning", "error"}
    assert CANARY not in ran.stdout + ran.stderr
    assert "outer ***" in ran.stdout


def test_what_an_event_says_holds_no_secret() -> None:
    """Reasons lose it; the name of a step stays what it is."""
    learn(Connection("it", "http", password=CANARY))
    failed = clean(UndoFailed(step=1, name=CANARY, reason=f"no reply from https://it:{CANARY}@host"))
    assert failed.as_data() == {"step": 1, "name": CANARY, "reason": "no reply from https://it:***@host"}
    reason = RefusalReason(code="undecided", sentence=CANARY, remedy="Look.")
    refused = clean(Refused(outcome="refused", reasons=(CANARY,), findings=(reason,)))
    assert CANARY not in json.dumps(refused.as_data())
    assert SECRETS.hidden("nothing") == "nothing"
