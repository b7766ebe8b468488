"""The worlds of all kinds of collectors at once, with many changes in each: generated logs, imported commits."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from changewindow.errors import UnknownConnection
from changewindow.ledger.database import Ledger
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Connections
from collector_fixtures import aide, ansible, auditd, chef, etckeeper, journal, kubernetes, ossec, puppet, terraform
from collector_fixtures.dns import bind
from collector_fixtures.tls import HERE
from collector_fixtures.tls import serving as serving_tls
from servers import audit_log, journals
from servers.bind import PRIMARY
from servers.kubernetes import local
from step_fixtures.git_change import git
from support.acted import acted
from support.certificates import certificate
from support.ledgers import on_sqlite


@dataclass
class Worlds:
    """What all collectors look at."""

    folder: Path
    number: int
    """How many changes are made in each world."""
    running: ExitStack
    collectors: dict[str, dict[str, Any]] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    later: list[Callable[[], object]] = field(default_factory=list)
    """What makes the changes that show only to who has looked before."""

    @property
    def ledger(self) -> Ledger:
        """Return the ledger."""
        return on_sqlite(self.folder)

    @property
    def connect(self) -> Connections:
        """Return what knows the connections."""

        async def connect(name: str) -> Connection:
            if name not in self.connections:
                raise UnknownConnection(name)
            return self.connections[name]

        return connect

    def room(self, kind: str) -> Path:
        """Return a folder of a kind's own."""
        (self.folder / kind).mkdir()
        return self.folder / kind

    def has(self, *connections: Connection, kind: str, **fields: Any) -> None:
        """Let there be a collector."""
        self.collectors[kind] = {"kind": kind, "within": "60s", **fields}
        self.connections |= {connection.name: connection for connection in connections}

    def change(self) -> None:
        """Change what only shows to who has looked before."""
        for change in self.later:
            change()


@contextmanager
def worlds(folder: Path, number: int) -> Iterator[Worlds]:
    """Make the worlds of all sixteen kinds; in most of them, so many changes of a minute ago."""
    with ExitStack() as running:
        made = Worlds(folder, number, running)
        for build in (_logs, _files, _repositories, _servers, _snapshots):
            build(made)
        for _ in range(number // 2):  # each is remembered, and applied
            acted(made.ledger, datetime.now(UTC) - timedelta(minutes=1))
        made.has(kind="changes")
        yield made


def _logs(made: Worlds) -> None:
    """Write the logs of hosts."""
    at = datetime.now(UTC) - timedelta(minutes=1)
    numbers = range(made.number)
    logs = made.room("packages")
    lines = [f"{at.astimezone():%Y-%m-%d %H:%M:%S} upgrade lib{number}:all 1.0 2.0\n" for number in numbers]
    (logs / "dpkg.log").write_text("".join(lines))
    made.has(kind="packages", logs=str(logs))
    log = made.room("auditd") / "audit.log"
    for number in numbers:
        auditd.record(log, *auditd.edited(f'"/etc/file-{number}"'), at=at)
    made.has(kind="auditd", log=str(log.parent))
    file = made.room("journal") / "0.journal"
    sudo = "dora : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/bin/vi"
    journals.write(file, *(journal.by_sudo(f"{sudo} /etc/file-{number}", at=at, process=number) for number in numbers))
    made.has(kind="journal", file=str(file))
    alerts = made.room("ossec") / "alerts.json"
    for number in numbers:
        ossec.raised(alerts, ossec.modified(f"/etc/file-{number}"), at=at)
    made.has(kind="ossec", alerts=str(alerts))
    runs = made.room("ansible")
    for number in numbers:
        result = {"changed": True, "dest": f"/etc/file-{number}"}
        ansible.event(runs, "run_7", number + 1, "runner_on_ok", at=at, res=result)
    made.has(kind="ansible", folder=str(runs))


def _files(made: Worlds) -> None:
    """Change files that are watched."""
    etc = aide.kept(made.room("aide"))
    for number in range(made.number):
        (etc / f"file-{number}").write_text("new\n")
    made.has(kind="aide", check=True, **{**aide.settings(etc.parent), "within": "60s"})
    kept = etckeeper.kept(made.room("etckeeper") / "etc")
    for number in range(made.number):
        (kept / f"file-{number}").write_text("new\n")
    etckeeper.etckeeper(kept, "commit", "Many", user="dora")
    made.has(kind="etckeeper", folder=str(kept))


def _repositories(made: Worlds) -> None:
    """Import many commits at once."""
    repository, at = made.room("git"), int(datetime.now(UTC).timestamp()) - 60
    git(repository, "init", "-q", "--bare", "-b", "main", ".")
    commits = [
        f"commit refs/heads/main\ncommitter Dora <dora@example.com> {at} +0000\ndata {len(title)}\n{title}\n"
        f"M 100644 inline file-{number}\ndata 2\n{number % 10}\n"
        for number in range(made.number)
        for title in [f"Tune {number}"]
    ]
    imported = "\n".join(commits).encode()
    subprocess.run(["git", "fast-import", "--quiet"], cwd=repository, input=imported, check=True)
    known = Connection("orders_config", "git", host=str(repository))
    made.has(known, kind="git", connection=known.name)


def _servers(made: Worlds) -> None:
    """Serve what has a history."""
    log = made.running.enter_context(audit_log.serving())
    database, of_puppet = made.running.enter_context(puppet.serving())
    cluster = made.running.enter_context(local())
    at = datetime.now(UTC) - timedelta(minutes=1)
    for number in range(made.number):
        log.write("trigger_dag_run", when=f"{at:%Y-%m-%dT%H:%M:%S.%fZ}", owner="dora", dag_id=f"dag_{number}")
        database.changed(at, resource_title=f"/etc/file-{number}")
        cluster.make(kubernetes.settings(f"settings-{number}", "new"))
    made.has(log.connection(), kind="airflow", connection=log.connection().name)
    made.has(of_puppet, kind="puppet", puppetdb=of_puppet.name)
    made.has(cluster.connection(), **{**kubernetes.EXAMPLE, "within": "60s"})


def _snapshots(made: Worlds) -> None:
    """Serve what only a look before can be compared with."""
    numbers = range(made.number)
    server, of_chef = made.running.enter_context(chef.serving())
    made.has(of_chef, kind="chef", connection=of_chef.name)
    made.later += [lambda name=f"web-{number}": server.node(name) for number in numbers]
    zone = made.running.enter_context(bind(made.room("dns")))
    records = [{"record": f"n{number}.example.com", "type": "A"} for number in numbers]
    made.has(kind="dns", records=records, servers=[f"{PRIMARY}:{zone.port}"])
    made.later += [lambda name=f"n{number}": zone.set(name, 60, "A", "192.0.2.7") for number in numbers]
    shop = made.running.enter_context(serving_tls(made.room("tls")))
    shown = [{"host": "127.0.0.1", "port": shop.port, "name": f"n{number}.example.com"} for number in numbers]
    made.has(kind="tls", servers=shown)
    made.later.append(lambda: shop.show(certificate("Another Root", names=HERE)))
    folder = made.room("terraform")
    (folder / "main.tf").write_text('resource "terraform_data" "app" { input = "v1" }\n')
    terraform.applied(folder, 1, "app", image="v1")
    made.has(kind="terraform", folder=str(folder), program=terraform.program(), variables=terraform.ENVIRONMENT)
    made.later.append(lambda: terraform.applied(folder, 2, *(f"app_{number}" for number in numbers), image="v2"))
