"""Finds the embedded default where a command names nothing: its home, its ledger, and the policy by which it judges."""

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from changewindow import settings

LEDGER_VARIABLE = "AIRFLOW_CONN_CHANGEWINDOW_LEDGER"
POLICY_VARIABLE = "CHANGEWINDOW_POLICY"
DEMO = Path(__file__).resolve().parents[3] / ".demo" / "airflow"
"""Where the demo of this checkout lives."""
LEDGER = "ledger.db"
"""The ledger of an embedded default, below its AIRFLOW_HOME."""


def ledgers(environment: Mapping[str, str]) -> list[Path]:
    """Return the ledgers of embedded defaults: of the AIRFLOW_HOME that is set, and of the demo."""
    set_home = environment.get("AIRFLOW_HOME")
    homes = [*([Path(set_home).expanduser()] if set_home else []), DEMO]
    return [home / LEDGER for home in homes if (home / LEDGER).is_file()]


def policy_folder(arguments: argparse.Namespace) -> Path:
    """Return the policy that a command goes by: as --policy, the environment or the embedded default names it.

    A command that names a ledger does not mean that of the embedded default, and goes by the settings.
    """
    named: Path | None = arguments.policy
    is_elsewhere = getattr(arguments, "ledger", None) is not None
    return named or (None if is_elsewhere else _beside_the_ledger(os.environ)) or settings.read().policy


def announce_policy(arguments: argparse.Namespace) -> Path:
    """Return the same, and say which one it is where neither the command nor the environment names one."""
    folder = policy_folder(arguments)
    if not arguments.policy and POLICY_VARIABLE not in os.environ:
        print(f"policy: {folder.resolve()}", file=sys.stderr)
    return folder


def _beside_the_ledger(environment: Mapping[str, str]) -> Path | None:
    """Return the policy by which the embedded default judges whose ledger is found where none is named."""
    if LEDGER_VARIABLE in environment or POLICY_VARIABLE in environment:
        return None
    found = [ledger.parent / settings.POLICY_LINK for ledger in ledgers(environment)]
    return found[0] if found and found[0].is_dir() else None
