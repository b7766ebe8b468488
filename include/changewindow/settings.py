"""Where things lie, read once at the edges from the environment."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

SILENCE_LEASE = timedelta(minutes=4)
"""How long alerts stay silenced once a change has died: long enough for a restart of Airflow, short enough to be told.

Whatever keeps the change alive renews it four times in that time. CHANGEWINDOW_SILENCE_LEASE sets another, in seconds.
"""
LEDGER_CONNECTION = "changewindow_ledger"
BUNDLE = {"name": "changes", "classpath": "changewindow.flow.bundle.PublishedChanges", "kwargs": {}}
"""How Airflow's configuration names the bundle of published changes."""
PAGES = "change-windows"
"""The path of our pages below Airflow's, and of their frame in its own."""
SLACK_CONNECTION = "slack_api_default"
TICKETS_CONNECTION = "changewindow_tickets"
"""A git connection; its extra may name `branch` and `folder`."""
OWN_CONNECTIONS = frozenset({LEDGER_CONNECTION, SLACK_CONNECTION, TICKETS_CONNECTION, "slack_default", "airflow_db"})
"""With these, a change could approve itself, or speak in our name; no ticket may use them."""
OWN_VARIABLE = "CHANGEWINDOW_OWN"
"""The variable that names further places where no change may be led, as `postgres:5432 redis:6379`."""
ROOM = "#deploys"
"""Where messages go that belong to no ticket."""
SHIPPED = Path(__file__).with_name("shipped")
"""What comes with the package: DAG files, and the policy and standard changes to start from; links in a checkout."""

POLICY_LINK = "policy"
"""Below the AIRFLOW_HOME of the embedded default: leads to the policy by which it judges."""
SCHEDULER_CONNECT_ARGS = {"options": "-c idle_in_transaction_session_timeout=30s"}
"""For a scheduler on PostgreSQL, as Airflow's `[database] sql_alchemy_connect_args`.

A scheduler that is lost in the middle of a transaction, while its children or a dead host keep the connection open,
leaves rows locked; the server lets go of them after this time, and the next scheduler goes on. Not for `airflow db
migrate`, which holds its lock in a transaction that stays idle for as long as the migration takes.
"""


@dataclass(frozen=True)
class Settings:
    """The files and folders of this installation."""

    published: Path
    """The folder of published changes: one file of data per change, shared by all hosts."""
    dag_files: Path
    """What Airflow executes in order to find them; each host has its own, made anew when it is missing."""
    spool: Path
    """Events that wait for the ledger."""
    policy: Path
    """Calendar, service catalogue and rules of approval."""
    templates: Path
    """The catalogue of standard changes."""
    tickets: Path | None = None
    """A directory of tickets to sync, where there is no repository of them."""
    seal_keys: str = ""
    """The keys of the seals, where the environment holds them and no file does."""
    seal_key_file: Path = Path()
    """The file that holds the keys otherwise."""
    may_make_seal_key: bool = False
    """Whether that file is made where it is missing: nobody has named another place for the key."""
    heads: Path = Path()
    """Where the heads of chains are kept outside the ledger."""
    collected: Path = Path()
    """What collectors keep for their next look, such as mirrors; it may be removed at any time."""
    drafts: Path = Path()
    """Where drafts of standard changes lie that reviews have written; nothing there counts."""
    silence_lease: timedelta = SILENCE_LEASE
    """How long a silence lasts that nobody renews."""


def read(environment: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings.

    CHANGEWINDOW_PUBLISHED and CHANGEWINDOW_SPOOL lie below AIRFLOW_HOME by default; CHANGEWINDOW_POLICY and
    CHANGEWINDOW_TEMPLATES are by default those that come with the package. CHANGEWINDOW_SEAL_KEY holds the keys of the
    seals, or CHANGEWINDOW_SEAL_KEY_FILE names a file of them; with neither, a key is made below AIRFLOW_HOME.
    """
    home = Path(environment.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    keys, key_file = (environment.get(name, "") for name in ("CHANGEWINDOW_SEAL_KEY", "CHANGEWINDOW_SEAL_KEY_FILE"))
    return Settings(
        published=Path(environment.get("CHANGEWINDOW_PUBLISHED", home / "changes")),
        dag_files=home / "published-dags",
        spool=Path(environment.get("CHANGEWINDOW_SPOOL", home / "changewindow-spool.jsonl")),
        policy=Path(environment.get("CHANGEWINDOW_POLICY", shipped("policy"))),
        templates=Path(environment.get("CHANGEWINDOW_TEMPLATES", shipped("templates"))),
        tickets=Path(environment["CHANGEWINDOW_TICKETS"]) if environment.get("CHANGEWINDOW_TICKETS") else None,
        seal_keys=keys,
        seal_key_file=Path(key_file or home / "changewindow-seal.key"),
        may_make_seal_key=not keys and not key_file,
        heads=Path(environment.get("CHANGEWINDOW_HEADS", home / "changewindow-heads")),
        collected=Path(environment.get("CHANGEWINDOW_COLLECTED", home / "changewindow-collected")),
        drafts=Path(environment.get("CHANGEWINDOW_DRAFTS", home / "changewindow-drafts")),
        silence_lease=_lease(environment.get("CHANGEWINDOW_SILENCE_LEASE", "")),
    )


def _lease(seconds: str) -> timedelta:
    """Return a time between 10 seconds and 15 minutes; what is none is the usual one, since no task may fail for it."""
    return timedelta(seconds=min(max(int(seconds), 10), 900)) if seconds.isdecimal() else SILENCE_LEASE


def shipped(name: str) -> Path:
    """Return a folder that comes with the package: `dags`, `policy` or `templates`."""
    return (SHIPPED / name).resolve()
