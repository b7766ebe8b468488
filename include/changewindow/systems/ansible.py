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
"""A host, how it answered, and with what."""


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

    def hosts(self, playbook: str, variables: Mapping[str, Any]) -> list[str]:
        """Return the hosts that a playbook would act on; only reads.

        Raises:
            StepFailed: the playbook or the inventory cannot be read, or the limit names what the inventory has not.
        """
        with self.context.workspace() as folder:
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

    def silent(self, hosts: list[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """Return the hosts on which Ansible could not work now, each with what came instead; only reads."""
        with self.context.workspace() as folder:
            asked = [*self._inventory(folder), *self._variables(folder, variables)]
            pinged = ["-m", "ansible.builtin.ping", ",".join(hosts)]
            ran = self._look(folder, [str(BIN / "ansible"), *asked, *pinged])
        answers = {host: _answer(word, told) for host, word, told in PINGED.findall(ran.output)}
        found = {host: answers.get(host, f"no answer ({_error(ran)})") for host in hosts}
        return {host: answer for host, answer in found.items() if answer}

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
        """Run a program that only reads; its output is kept whole, for many hosts print much."""
        printed = folder / "printed"
        options = {"folder": self.project, "environment": self._environment(folder), "quiet": True}
        ran = self.context.look(
            ["sh", "-c", TO_FILE, "sh", str(printed), *arguments], says=shlex.join(arguments), **options
        )
        output = printed.read_text(encoding="utf-8", errors="replace")
        for line in output.splitlines() if ran.code else ():
            self.context.log(line)
        return Ran(tuple(arguments), ran.code, output)

    def _variables(self, folder: Path, variables: Mapping[str, Any]) -> list[str]:
        return ["--extra-vars", f"@{self._write(folder / 'variables.json', json.dumps(dict(variables)))}"]

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
    result = data.get("res", {})
    said = result.get("msg") or ("it has no_log" if "censored" in result else "no reason was told")
    return f"task '{data.get('task', '?')}': {_first(said)}"


def _answer(word: str, told: str) -> str:
    """Return what a host answered instead of success, or an empty text."""
    if word == "SUCCESS":
        return ""
    said = json.loads(told, strict=False).get("msg") if told else ""
    return f"{word} ({_first(said)})" if said else word


def _first(said: Any) -> str:
    return str(said).strip().partition("\n")[0][:200]


def _error(ran: Ran) -> str:
    """Return the first error, with its place if that is told, or else the last line."""
    lines = [line.strip() for line in ran.output.splitlines() if line.strip()]
    first = next((number for number, line in enumerate(lines) if "ERROR" in line), None)
    if first is None:
        return (lines or [f"exit code {ran.code}"])[-1]
    origin = next((line for line in lines[first + 1 : first + 4] if line.startswith("Origin: ")), "")
    return f"{lines[first]} {origin}".rstrip()
