"""Runs Ansible's programs, and reads from ansible-runner how each host fared."""

import json
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changewindow.context import Context, Ran
from changewindow.errors import StepFailed
from changewindow.ssh import reach_many

BIN = Path(sys.executable).parent
IDENT = "it"
COUNTS = ("ok", "changed", "skipped", "rescued", "ignored", "failures", "dark")
SETTINGS = {
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_HOST_KEY_CHECKING": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "ANSIBLE_NOCOWS": "1",
    "ANSIBLE_LOCALHOST_WARNING": "False",
    "PYTHONUNBUFFERED": "1",
}


@dataclass(frozen=True)
class Result:
    """How a playbook went: what each host counted, and which hosts failed or were not reached, with the reason."""

    hosts: Mapping[str, Mapping[str, int]]
    failed: Mapping[str, str]
    unreachable: Mapping[str, str]

    def lines(self) -> list[str]:
        """Return a line for each host."""
        return [
            f"{host}: " + ", ".join(f"{what} {number}" for what, number in counted.items() if number)
            for host, counted in sorted(self.hosts.items())
        ]


@dataclass(frozen=True)
class Playbooks:
    """Where playbooks and inventory lie, and with which account they reach the hosts."""

    context: Context
    project: Path
    inventory: str | Mapping[str, Any]
    limit: str | None = None
    connection: str | None = None
    vault: str | None = None

    def hosts(self, playbook: str) -> list[str]:
        """Return the hosts that a playbook would act on; only reads.

        Raises:
            StepFailed: the playbook or the inventory cannot be read.
        """
        with self.context.workspace() as folder:
            arguments = [str(BIN / "ansible-playbook"), *self._inventory(folder), "--list-hosts", playbook]
            ran = self._look(folder, arguments)
        if ran.code:
            raise StepFailed(f"The playbook {playbook} in {self.project} cannot be read: {_error(ran)}")
        lines = [line for line in ran.output.splitlines() if line.startswith("      ")]
        return sorted({line.strip() for line in lines})

    def silent(self, hosts: list[str]) -> dict[str, str]:
        """Return the hosts on which Ansible could not work now, each with what came instead; only reads."""
        with self.context.workspace() as folder:
            pinged = ["-m", "ansible.builtin.ping", ",".join(hosts)]
            ran = self._look(folder, [str(BIN / "ansible"), *self._inventory(folder), *pinged])
        heads = (line.partition(" | ")[::2] for line in ran.output.splitlines() if " | " in line)
        answers = {host: rest.split()[0].rstrip("!") for host, rest in heads if host in hosts and rest.split()}
        told = {host: answers.get(host, "no answer") for host in hosts}
        return {host: answer for host, answer in told.items() if answer != "SUCCESS"}

    def run(self, playbook: str, variables: Mapping[str, Any]) -> Result:
        """Run a playbook and return how it went; a dry run lets Ansible say what it would change (`--check --diff`)."""
        with self.context.workspace() as folder:
            self._write(folder / "env" / "extravars", json.dumps(dict(variables)))
            options = [*self._inventory(folder)[2:], *(["--check", "--diff"] if self.context.dry_run else [])]
            arguments = [str(BIN / "ansible-runner"), "run", str(folder), "-i", IDENT, "-p", playbook]
            arguments += ["--project-dir", str(self.project), "--inventory", self._inventory(folder)[1]]
            if options:
                arguments += ["--cmdline", shlex.join(options)]
            how = self.context.look if self.context.dry_run else self.context.run
            says = f"ansible-playbook {shlex.join(options)} {playbook}".replace("  ", " ")
            ran = how(arguments, folder=self.project, environment=self._environment(folder), says=says)
            return _result(folder / "artifacts" / IDENT, ran, playbook)

    def _look(self, folder: Path, arguments: list[str]) -> Ran:
        environment = self._environment(folder)
        return self.context.look(arguments, folder=self.project, environment=environment, quiet=True)

    def _inventory(self, folder: Path) -> list[str]:
        if isinstance(self.inventory, str):
            place = str(self.project / self.inventory)
        else:
            place = str(self._write(folder / "inventory.json", json.dumps(self.inventory)))
        return ["-i", place, *(["--limit", self.limit] if self.limit else [])]

    def _environment(self, folder: Path) -> dict[str, str]:
        """Return what Ansible needs to know; secrets are in files that nobody else reads, and go with the folder."""
        told = {**SETTINGS, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
        if self.vault:
            secret = self._write(folder / "vault", self.context.secret(self.vault))
            told["ANSIBLE_VAULT_PASSWORD_FILE"] = str(secret)
        if not self.connection:
            return told
        known = self.context.connection(self.connection)
        reached = reach_many(known, folder)
        told |= {**reached.environment, "ANSIBLE_SSH_ARGS": shlex.join(reached.options)}
        told |= {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp")}
        told |= {"ANSIBLE_REMOTE_USER": known.login} if known.login else {}
        told |= {"ANSIBLE_REMOTE_PORT": str(known.port)} if known.port else {}
        told |= {"ANSIBLE_PRIVATE_KEY_FILE": reached.key} if reached.key else {}
        if known.password:
            told["ANSIBLE_CONNECTION_PASSWORD_FILE"] = str(self._write(folder / "password", known.password))
        return told

    @staticmethod
    def _write(file: Path, text: str) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        return file


def _result(artifacts: Path, ran: Ran, playbook: str) -> Result:
    """Read what happened from the events that ansible-runner left.

    Raises:
        StepFailed: the playbook did not come to an end.
    """
    events = [json.loads(file.read_text(encoding="utf-8")) for file in artifacts.glob("job_events/*.json")]
    events.sort(key=lambda event: event["counter"])
    counted = next((one["event_data"] for one in events if one["event"] == "playbook_on_stats"), None)
    if counted is None:
        raise StepFailed(f"The playbook {playbook} did not come to its end: {_error(ran)}")
    names = {host for what in COUNTS for host in counted.get(what, {})}
    hosts = {host: {what: counted.get(what, {}).get(host, 0) for what in COUNTS} for host in names}
    reasons = {one["event_data"]["host"]: _reason(one["event_data"]) for one in events if _is_bad(one)}
    return Result(
        {host: _named(counts) for host, counts in hosts.items()},
        {host: reasons.get(host, "see the log") for host in sorted(names) if hosts[host]["failures"]},
        {host: reasons.get(host, "see the log") for host in sorted(names) if hosts[host]["dark"]},
    )


def _named(counts: Mapping[str, int]) -> dict[str, int]:
    names = {"dark": "unreachable", "failures": "failed"}
    return {names.get(what, what): number for what, number in counts.items()}


def _is_bad(event: Mapping[str, Any]) -> bool:
    data = event.get("event_data", {})
    return event["event"] in {"runner_on_failed", "runner_on_unreachable"} and not data.get("ignore_errors")


def _reason(data: Mapping[str, Any]) -> str:
    said = str(data.get("res", {}).get("msg") or "no reason was told").strip().splitlines()[0]
    return f"task '{data.get('task', '?')}': {said[:200]}"


def _error(ran: Ran) -> str:
    lines = [line.strip() for line in ran.output.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    return (errors or lines or [f"exit code {ran.code}"])[-1 if not errors else 0]
