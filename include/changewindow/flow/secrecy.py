"""Keeps secrets out of what this process writes: its logs, and whatever it leaves in Airflow and in the ledger."""

import logging
import os
import re
from functools import cache
from typing import Any, TypeVar

import structlog
from airflow.sdk.log import amask_secret, mask_secret
from pydantic import BaseModel

from changewindow.systems.connection import Connection
from changewindow.systems.secrecy import Secrets

M = TypeVar("M", bound=BaseModel)
SECRETS = Secrets()
"""Those of each connection that this process has used."""
OF_ENVIRONMENT = re.compile("(KEY|SECRET|PASSWORD|TOKEN)$")
"""Names of variables that hold secrets: Airflow's keys, the key of the seal."""
SHORTEST_OF_AIRFLOW = 5
"""Of shorter ones Airflow's masker only complains, in each log."""
OF_LOGGING = {"level", "logger", "timestamp"}
"""What a supervisor goes by, also where somebody's password is `info`."""
FREE_TEXT = {
    *("reason", "reasons", "findings", "restored"),
    *("what_happened", "why_not_normal", "what_would_be_normal", "follow_ups"),
}
"""Fields of events and of what tasks hand over."""


def learn(connection: Connection) -> Connection:
    """Return a connection whose secrets appear in no log from now on."""
    if forms := _learned(connection):
        mask_secret(list(forms))
    return connection


async def learn_in_trigger(connection: Connection) -> Connection:
    """Do as `learn`, without blocking."""
    if forms := _learned(connection):
        await amask_secret(list(forms))
    return connection


def clean(model: M, **changed: str | bool) -> M:
    """Return a value with the secrets taken out of what it says in free text; names and numbers stay.

    What is given besides is set, unless it is nothing.
    """
    free, given = model.model_fields_set & FREE_TEXT, {name: value for name, value in changed.items() if value}
    return model.model_copy(update={**{name: _hidden(getattr(model, name)) for name in free}, **given})


def _hidden(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _hidden(part) for name, part in value})
    if isinstance(value, tuple):
        return tuple(map(_hidden, value))
    return SECRETS.line(value) if isinstance(value, str) else value


def _learned(connection: Connection) -> list[str]:
    _guard_logs()
    forms = SECRETS.learn(*connection.secrets, *_of_environment())
    return [form for form in forms if len(form) >= SHORTEST_OF_AIRFLOW]


@cache
def _of_environment() -> tuple[str, ...]:
    return tuple(value for name, value in os.environ.items() if OF_ENVIRONMENT.search(name))


def _guard_logs() -> None:
    """Make every logger of this process take the secrets out, and show what would act on a terminal.

    Airflow's masker alone is not enough: a task sends its log to its supervisor as it is, and that has two maskers, one
    for each half of Airflow. The one that knows the secrets writes the log of the task; the other one, which knows
    none, writes the same lines to standard output.
    """
    chains = [structlog.get_config()["processors"]]
    formatters = [handler.formatter for handler in logging.getLogger().handlers]
    chains += [one.foreign_pre_chain for one in formatters if isinstance(one, structlog.stdlib.ProcessorFormatter)]
    for chain in chains:
        if isinstance(chain, list) and _hide not in chain:
            # The last one of structlog's writes the line; what comes from elsewhere is written after all of its chain.
            chain.insert(len(chain) - 1 if chain is chains[0] else len(chain), _hide)


def _hide(_logger: Any, _method: str, event: Any) -> Any:
    if not isinstance(event, dict):
        return event
    return {name: value if name in OF_LOGGING else SECRETS.lines_in(value) for name, value in event.items()}
