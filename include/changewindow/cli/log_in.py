"""Logs a user in to Airflow, for the commands that act there in their name."""

import argparse
import getpass
import os
import sys

from changewindow.cli.airflow_api import Client
from changewindow.errors import PlatformError

VARIABLE = "CHANGEWINDOW_PASSWORD"


def logged_in(arguments: argparse.Namespace, *, timeout: float = 60) -> Client:
    """Return Airflow as the user of --user sees it.

    Raises:
        PlatformError: there is no password, or Airflow does not take it.
    """
    return Client(
        arguments.url.rstrip("/"),
        arguments.user,
        _password(arguments),
        authorities=arguments.ca_file,
        allow_http=arguments.allow_http,
        timeout=timeout,
    ).log_in()


def _password(arguments: argparse.Namespace) -> str:
    """Return the password from the environment, or ask for it.

    Raises:
        PlatformError: nobody is there to be asked.
    """
    known = os.environ.get(VARIABLE)
    if known:
        return known
    missing = f"No password for {arguments.user} at {arguments.url}: put it into the environment as {VARIABLE}"
    if not sys.stdin.isatty():
        raise PlatformError(f"{missing}; without a terminal nobody can be asked.")
    try:
        return getpass.getpass(f"password of {arguments.user} at {arguments.url}: ")
    except EOFError as error:
        raise PlatformError(f"{missing}, or type it.") from error
