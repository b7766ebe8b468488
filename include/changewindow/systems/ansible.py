"""Runs Ansible's programs, and reads from ansible-runner how each host fared."""

import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from changewindow.errors import StepFailed
from changewindow.systems.context import Context, Ran
from changewindow.systems.hosts.ssh import reach_many
from changewindow.systems.process.supervised import ProgramOptions

BIN = Path(sys.executable).parent
IDENT = "it"
COUNTS = ("ok", "changed", "skipped", "rescued", "ignored", "failures", "dark")
SETTINGS = {
    "ANSIBLE_NOCOLOR": "1",
    "ANSIBLE_HOST_KEY_CHECKING": "True",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "ANSIBLE_NOCOWS": "1",
    "ANSIBLE_LOCALHOST_WARNING": "False",
    "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "True",
    "PYTHONUNBUFFERED": "1",
}

TO_FILE = 'file=$1; shift; exec "$@" > "$file" 2>&1'
PINGED = re.compile(r"^(\S+) \| (\w+)!?(?: => (\{.*?^\}))?", re.MULTILINE | re.DOTALL)
"""A host, its result in one word, and its reply in JSON."""


@dataclass(frozen=True)
class Result:
    """How a playbook went: the counts of each host, and which hosts failed or were unreachable, with the reason."""

    hosts: Mapping[str, Mapping[str, int]]
    failed: Mapping[str, str]
    unreachable: Mapping[str, str]

    def lines(self) -> list[str]:
        """Return a line for each host."""
        return [
            f"{host}: " + ", ".join(f"{what} {number}" for what, number in counts.items() if number)
            for host, counts in sorted(self.hosts.items())
        ]


@dataclass(frozen=True)
class Playbooks:
    """Where playbooks and inventory are, and the account by which Ansible reaches the hosts."""

    context: Context
    project: Path
    inventory: str | Mapping[str, Any]
    limit: str | None = None
    connection: str | None = None
    vault: str | None = None

    def hosts(self, playbook: str, variables: Mapping[str, Any]) -> list[str]:
        """Return the hosts that a playbook would act on; only reads.

        Raises:
            StepFailed: the playbook or the inventory cannot be read, or the limit names what is not in the inventory.
        """
        with self.context.temporary_folder() as folder:
            asked = [*self._inventory(folder), *self._variables(folder, variables), "--list-hosts", playbook]
            ran = self._look(folder, [str(BIN / "ansible-playbook"), *asked])
        if ran.code:
            raise StepFailed(f"The playbook {playbook} in {self.project} cannot be read: {_error(ran)}")
        ignored = re.findall(r"Could not match supplied host pattern, ignoring: (\S+)", ran.output)
        limits = {part.lstrip("&!") for part in re.split("[,:]", self.limit or "")}
        if unknown := ", ".join(sorted(limits & set(ignored))):
            raise StepFailed(f"The inventory has no {unknown}, which `limit` names: {self.limit}. Correct one of them.")
        lines = [line for line in ran.output.splitlines() if line.startswith("      ")]
        return sorted({line.strip() for line in lines})

    def unusable(self, hosts: list[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """Return the hosts on which Ansible cannot work now, each with the reason; only reads."""
        with self.context.temporary_folder() as folder:
            asked = [*self._inventory(folder), *self._variables(folder, variables)]
            ping = ["-m", "ansible.builtin.ping", ",".join(hosts)]
            ran = self._look(folder, [str(BIN / "ansible"), *asked, *ping])
        failures = {host: _failure(word, reply) for host, word, reply in PINGED.findall(ran.output)}
        reasons = {host: failures.get(host, f"no answer ({_error(ran)})") for host in hosts}
        return {host: reason for host, reason in reasons.items() if reason}

    def run(self, playbook: str, variables: Mapping[str, Any]) -> Result:
        """Run a playbook and return how it went; in a dry run Ansible shows what it would change (`--check --diff`)."""
        with self.context.temporary_folder() as folder:
            self._write(folder / "env" / "extravars", json.dumps(dict(variables)))
            options = [*self._inventory(folder)[2:], *(["--check", "--diff"] if self.context.dry_run else [])]
            arguments = [str(BIN / "ansible-runner"), "run", str(folder), "-i", IDENT, "-p", playbook]
            arguments += ["--project-dir", str(self.project), "--inventory", self._inventory(folder)[1]]
            if options:
                arguments += ["--cmdline", shlex.join(options)]
            program = self._options(folder, f"ansible-playbook {shlex.join(options)} {playbook}".replace("  ", " "))
            ran = self.context.run(arguments, acts=not self.context.dry_run, **program)
            return _result(folder / "artifacts" / IDENT, ran, playbook)

    def _look(self, folder: Path, arguments: list[str]) -> Ran:
        """Run a program that only reads; all of its output is kept, since many hosts print much."""
        printed = folder / "printed"
        options = self._options(folder, shlex.join(arguments))
        options["quiet"] = True
        ran = self.context.look(["sh", "-c", TO_FILE, "sh", str(printed), *arguments], **options)
        output = printed.read_text(encoding="utf-8", errors="replace")
        for line in output.splitlines() if ran.code else ():
            self.context.log(line)
        return Ran(tuple(arguments), ran.code, output)

    def _options(self, folder: Path, line: str) -> ProgramOptions:
        """Return how Ansible runs: in its project, and with a line for the log."""
        return {"folder": self.project, "environment": self._environment(folder), "shown_as": line}

    def _variables(self, folder: Path, variables: Mapping[str, Any]) -> list[str]:
        return ["--extra-vars", f"@{self._write(folder / 'variables.json', json.dumps(dict(variables)))}"]

    def _inventory(self, folder: Path) -> list[str]:
        if isinstance(self.inventory, str):
            path = str(self.project / self.inventory)
        else:
            path = str(self._write(folder / "inventory.json", json.dumps(self.inventory)))
        return ["-i", path, *(["--limit", self.limit] if self.limit else [])]

    def _environment(self, folder: Path) -> dict[str, str]:
        """Return Ansible's environment; secrets are in files that nobody else can read, removed with the folder."""
        environment = {**SETTINGS, "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"}
        if self.vault:
            secret = self._write(folder / "vault", self.context.secret(self.vault))
            environment["ANSIBLE_VAULT_PASSWORD_FILE"] = str(secret)
        if not self.connection:
            return environment
        account = self.context.connection(self.connection)
        reached = reach_many(account, folder)
        environment |= {**reached.environment, "ANSIBLE_SSH_ARGS": shlex.join(reached.options)}
        environment |= {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp")}
        environment |= {"ANSIBLE_REMOTE_USER": account.login} if account.login else {}
        environment |= {"ANSIBLE_REMOTE_PORT": str(account.port)} if account.port else {}
        environment |= {"ANSIBLE_PRIVATE_KEY_FILE": reached.key} if reached.key else {}
        if account.password:
            environment["ANSIBLE_CONNECTION_PASSWORD_FILE"] = str(self._write(folder / "password", account.password))
        return environment

    @staticmethod
    def _write(file: Path, text: str) -> Path:
        file.parent.mkdir(exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(text, encoding="utf-8")
        return file


def _result(artifacts: Path, ran: Ran, playbook: str) -> Result:
    """Read what happened from the events that ansible-runner has written.

    Raises:
        StepFailed: the playbook did not run to its end.
    """
    events = [json.loads(file.read_text(encoding="utf-8")) for file in artifacts.glob("job_events/*.json")]
    events.sort(key=lambda event: event["counter"])
    counts = next((event["event_data"] for event in events if event["event"] == "playbook_on_stats"), None)
    if counts is None:
        raise StepFailed(f"The playbook {playbook} did not run to its end: {_error(ran)}")
    names = {host for what in COUNTS for host in counts.get(what, {})}
    hosts = {host: {what: counts.get(what, {}).get(host, 0) for what in COUNTS} for host in names}
    reasons = {event["event_data"]["host"]: _reason(event["event_data"]) for event in events if _is_bad(event)}
    return Result(
        {host: _named(of_host) for host, of_host in hosts.items()},
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
    result = data.get("res", {})
    message = result.get("msg") or ("it has no_log" if "censored" in result else "no reason given")
    return f"task '{data.get('task', '?')}': {_first_line(message)}"


def _failure(word: str, reply: str) -> str:
    """Return what a host replied instead of success, or an empty text."""
    if word == "SUCCESS":
        return ""
    message = json.loads(reply, strict=False).get("msg") if reply else ""
    return f"{word} ({_first_line(message)})" if message else word


def _first_line(message: Any) -> str:
    return str(message).strip().partition("\n")[0][:200]


def _error(ran: Ran) -> str:
    """Return the first error, with where it is if Ansible says so, or else the last line."""
    lines = [line.strip() for line in ran.output.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if "ERROR" in line), None)
    if first is None:
        return (lines or [f"exit code {ran.code}"])[-1]
    origin = next((line for line in lines[first + 1 : first + 4] if line.startswith("Origin: ")), "")
    return f"{lines[first]} {origin}".rstrip()
