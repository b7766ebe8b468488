"""The connections that Airflow knows on this host: of the environment, of secrets backends, and of its database."""

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

from changewindow.cli.environment_connections import PREFIX
from changewindow.cli.foreign_connections import DATABASE, known
from changewindow.errors import OperatorError, UnknownConnection
from changewindow.systems.connection import Connection

WITHIN = 90
"""Seconds that Airflow may take to start and answer."""


@cache
def known_here(name: str) -> Connection:
    """Return a connection of the environment, or else as Airflow gives it on this host.

    Raises:
        OperatorError: neither has it, or Airflow does not tell.
    """
    if f"{PREFIX}{name.upper()}" in os.environ or not {"AIRFLOW_HOME", DATABASE} & os.environ.keys():
        return known(name)
    asked = [sys.executable, "-m", "airflow", "connections", "get", name, "--output", "json"]
    try:
        answer = subprocess.run(asked, capture_output=True, text=True, timeout=WITHIN, check=False)
    except subprocess.TimeoutExpired as error:
        raise OperatorError(f"Airflow did not tell the connection '{name}' within {WITHIN} s. Is it busy?") from error
    if "Connection not found" in answer.stderr + answer.stdout:
        raise UnknownConnection(name)
    try:
        (fields,) = json.loads(answer.stdout)
        return _connection(name, fields)
    except (ValueError, KeyError, AttributeError, TypeError):
        last = (answer.stderr.strip().splitlines() or [f"code {answer.returncode}"])[-1]
        problem = f"Airflow on this host does not tell the connection '{name}': {last[:300].rstrip('.')}"
        remedy = f"Is its database up? Or set {PREFIX}{name.upper()} as for Airflow"
        raise OperatorError(f"{problem}. {remedy}.") from None


def _connection(name: str, fields: dict[str, Any]) -> Connection:
    """Return it; what it prints of the extra is text, also where it is none, so that is read from the address."""
    query = parse_qs(urlsplit(fields["get_uri"]).query, keep_blank_values=True)
    whole = query.pop("__extra__", None)
    extra = json.loads(whole[0]) if whole else {key: values[-1] for key, values in query.items()}
    names = ("host", "login", "password", "schema")
    texts: dict[str, Any] = {each: fields.get(each) or "" for each in names}
    return Connection(name, fields["conn_type"], port=int(fields["port"] or 0) or None, extra=extra, **texts)
