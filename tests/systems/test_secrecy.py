"""Secrets are taken out of text, in whatever form they are shown."""

import base64
import html
import json
import shlex
import sys
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from changewindow.systems.secrecy import Secrets

CANARY = "canary/ä+'s=\"3cret\\"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in an address": lambda secret: quote(secret, safe=""),
    "in a path": quote,
    "in a form": quote_plus,
    "in JSON": json.dumps,
    "in JSON of UTF-8": lambda secret: json.dumps(secret, ensure_ascii=False),
    "in JSON inside JSON": lambda secret: json.dumps(json.dumps({"password": secret})),
    "as Python shows it": repr,
    "in a page": html.escape,
    "in a shell": shlex.quote,
    "in hexadecimal": lambda secret: secret.encode().hex(),
    "in base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "in base64 of addresses": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
    "in a basic login": lambda secret: base64.b64encode(f"admin:{secret}".encode()).decode(),
    "in base64 after one more sign": lambda secret: base64.b64encode(f"ab{secret}cd".encode()).decode(),
}


def secrets(*known: str) -> Secrets:
    """Return what has learnt some secrets."""
    made = Secrets()
    made.learn(*known)
    return made


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_secret_is_hidden(form: Callable[[str], str]) -> None:
    """What is left of it tells nothing; what stands around it stays."""
    hidden = secrets(CANARY).hidden(f"before {form(CANARY)} after")
    assert (hidden[:7], hidden[-6:], "***" in hidden) == ("before ", " after", True)
    assert not any(part in hidden for part in ("anary", "cret", "5hcn", "6172", "FuYX", "hbmFy"))


def test_the_longest_secret_goes_first() -> None:
    """The rest of one that begins with another does not stay."""
    assert secrets("correct", "correct-horse").hidden("correct-horse, correct") == "***, ***"


def test_each_line_of_a_key_is_hidden() -> None:
    """Output is logged by lines; the lines that all keys have stay."""
    hidden = secrets(KEY)
    assert [hidden.hidden(line) for line in KEY.splitlines()] == [
        KEY.splitlines()[0],
        "***",
        "***",
        KEY.splitlines()[3],
    ]


def test_what_is_too_short_to_be_hidden_leaves_the_text_legible() -> None:
    """Nobody could read a log without every `a`."""
    assert secrets("a", "", "abc").hidden("a banana") == "a banana"


def test_a_secret_with_colours_in_between_is_hidden() -> None:
    """Colours are left out of the log, so they must not save it."""
    assert secrets("correct-horse").line("correct-\x1b[31mhorse\x1b[0m \x1b]0;title\x07") == r"*** \u001b]0;title\u0007"


def test_secrets_of_a_connection() -> None:
    """The password, and what its extra holds under names of secrets; paths and names of headers are none."""
    config = json.dumps({"users": [{"user": {"token": "of-cluster"}}]})
    extra = {
        "private_key": KEY,
        "key_file": "/root/key",
        "header": "X-API-Key",
        "kube_config": config,
        "nested": {"api_token": "inner"},
    }
    known = Connection("it", "http", login="admin", password="word", extra=extra)
    assert set(known.secrets) == {"word", KEY, "of-cluster", "inner"}


def test_a_step_that_prints_what_it_knows_leaves_the_secret_in_no_line() -> None:
    """Every connection that a step uses is known from then on, in each of five encodings."""
    logged: list[str] = []
    here = Context("CHG-1", 1, lambda name: Connection(name, "http", password=CANARY), logged.append)
    here.secret("api")
    printed = [FORMS[form](CANARY) for form in ("as it is", "in a form", "in JSON", "in base64", "in a basic login")]
    here.run(
        [sys.executable, "-c", "import sys; print(*sys.argv[1:], sep='\\n')", *printed],
        shown_as="show",
    )
    assert not any(text in line for line in logged for text in [*printed, "anary"])
    assert sum("***" in line for line in logged) == len(printed)


def test_what_acts_on_a_terminal_is_shown_in_the_log() -> None:
    """An escape sequence, a carriage return and a change of direction are signs like others there."""
    logged: list[str] = []
    here = Context("CHG-1", 1, lambda name: Connection(name, "http"), logged.append)
    here.run(["printf", r"safe\r\033[2Jevil \342\200\256txt.exe\n"], shown_as="show")
    assert logged[1] == r"safe\u000d\u001b[2Jevil \u202etxt.exe"
