"""The step git_change over HTTP: who is told the password."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from changewindow.errors import StepFailed
from changewindow.steps.git_change import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from support.recording_server import Reply, Request, recording_server

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})
BASIC = "Basic " + base64.b64encode(b"robot:s3cret-token").decode()


@contextmanager
def asking(heard: list[str], elsewhere: str = "") -> Iterator[str]:
    """Ask everybody for a password, and have no repository; or send everybody elsewhere."""

    def ask(request: Request) -> Reply:
        given = request.headers.get("Authorization", "")
        heard.append(given)
        headers = {"WWW-Authenticate": 'Basic realm="git"'}
        if elsewhere:
            return Reply(302, headers={**headers, "Location": f"{elsewhere}{request.target}"})
        return Reply(404 if given else 401, headers=headers)

    with recording_server(ask) as server:
        yield server.url


def test_the_password_goes_to_the_repository_and_nowhere_else() -> None:
    """It is told when it is asked for, in no argument, and not to whom the repository redirects."""
    heard, heard_elsewhere, logged = list[str](), list[str](), list[str]()
    with asking(heard_elsewhere) as other, asking(heard) as own, asking([], other) as redirecting:
        for host, message in ((own, "not found"), (redirecting, "could not read Username")):
            known = Connection("example_config", "git", host=f"{host}/x.git", login="robot", password="s3cret-token")
            with pytest.raises(StepFailed, match=message):
                STEP.remember(Context("CHG-1", 1, lambda _, known=known: known, logged.append))
    assert heard == ["", BASIC]
    assert set(heard_elsewhere) == {""}
    assert not [line for line in logged if "s3cret" in line]


@pytest.mark.parametrize("password", ["a\\tb\\\\c", "-n", "p%s $HOME", "grün"])
def test_a_password_is_told_as_it_is(password: str) -> None:
    """No shell reads anything into its characters."""
    heard = list[str]()
    with asking(heard) as own:
        known = Connection("example_config", "git", host=f"{own}/x.git", login="robot", password=password)
        with pytest.raises(StepFailed, match="not found"):
            STEP.remember(Context("CHG-1", 1, lambda _: known, print))
    assert base64.b64decode(heard[-1].removeprefix("Basic ")).decode() == f"robot:{password}"


def test_a_token_in_the_address_is_not_logged() -> None:
    """Who signs in may be a token, as in `https://TOKEN@host/x.git`."""
    heard, logged = list[str](), list[str]()
    with asking(heard) as own:
        known = Connection("example_config", "git", host=own.replace("//", "//s3cret-t%6Fken@") + "/x.git")
        with pytest.raises(StepFailed, match="not found"):
            STEP.remember(Context("CHG-1", 1, lambda _: known, logged.append))
    assert base64.b64decode(heard[-1].removeprefix("Basic ")).decode() == "s3cret-token:"
    assert not [line for line in logged if "s3cret" in line]
