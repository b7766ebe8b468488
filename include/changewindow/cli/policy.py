"""The part of the command line about the policy: which one counts, and what is wrong with it."""

import argparse
import os
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from changewindow import settings
from changewindow.cli.embedded import announce_policy, policy_folder
from changewindow.cli.environment_connections import PREFIX
from changewindow.cli.output import count
from changewindow.documents.findings import Finding, are_errors
from changewindow.errors import BadPolicy, ChangeError, PlatformError
from changewindow.policy.check import Facts
from changewindow.policy.collectors import FILE, Loaded, load_collectors
from changewindow.policy.known_names import unknown_names, unknown_people
from changewindow.policy.load import load_catalogue, load_policy
from changewindow.policy.model import Policy, templates_of
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.templates import read_template


def lint(arguments: argparse.Namespace) -> int:
    """Check the policy and the templates of standard changes, and print every finding."""
    from changewindow.changes.template_lint import missing_folders, template_findings  # noqa: PLC0415  so is Jinja
    from changewindow.markers.base import MARKERS  # noqa: PLC0415  what it can send with is slow to import
    from changewindow.policy.markers import load_markers  # noqa: PLC0415  same
    from changewindow.policy.messages import FILE as MESSAGES  # noqa: PLC0415  same
    from changewindow.policy.messages import Messages, load_messages  # noqa: PLC0415  same

    try:
        facts = facts_of(arguments)
    except BadPolicy as bad:
        print("\n".join(bad.findings))
        print(f"{count(len(bad.findings), 'finding')} in the policy; no change starts", file=sys.stderr)
        return 1
    templates = sorted(_templates(arguments).glob("*.yaml"))
    findings = [(path, finding) for path in templates for finding in read_template(path, facts)[1]]
    findings += template_findings(_templates(arguments))
    if facts.policy:
        folder = policy_folder(arguments)
        findings += unknown_names(folder, facts.policy.catalogue)
        findings += unknown_people(folder, facts.policy.approvals.groups)
        loaded = load_collectors(folder, facts.policy.catalogue)
        idle = _idle(arguments, folder, loaded) if loaded.expected else []
        findings += [(folder / FILE, wrong) for wrong in (*loaded.findings, *idle)]
        findings += [(folder / MARKERS, wrong) for wrong in load_markers(folder).findings]
        messages = load_messages(folder)
        findings += [(folder / MESSAGES, wrong) for wrong in messages.findings]
        findings += missing_folders(folder, _templates(arguments), messages.model or Messages())
        _hint_at_connections((messages.model or Messages()).connections)
    print_findings(findings)
    return sum_up([finding for _, finding in findings], f"the policy and {count(len(templates), 'template')}")


def _hint_at_connections(names: Iterable[str]) -> None:
    """Say which connections of messages.yaml this terminal does not know: Airflow may, so that is no finding."""
    unknown = ", ".join(sorted(name for name in names if f"{PREFIX}{name.upper()}" not in os.environ))
    if unknown:
        how = "`changewindow messages test ROOM` finds out by sending a message"
        print(
            f"Whether Airflow has the connections of messages.yaml is not known here ({unknown}); {how}.",
            file=sys.stderr,
        )


def _idle(arguments: argparse.Namespace, folder: Path, loaded: Loaded) -> list[Finding]:
    """Return which expected noise hides nothing any more, as the ledger knows; without one, say that nobody does."""
    from changewindow.changes.idle_noise import idle  # noqa: PLC0415  slow, and most of what is checked needs no ledger
    from changewindow.cli.ledger_address import is_named, ledger  # noqa: PLC0415  the same

    named = argparse.Namespace(ledger=arguments.asked_ledger, misuse=arguments.misuse)
    try:
        if not is_named(named):
            raise PlatformError("no ledger is named. Give --ledger, or set AIRFLOW_CONN_CHANGEWINDOW_LEDGER")
        return list(idle(ledger(named), folder, loaded, datetime.now(UTC)))
    except ChangeError as error:
        print(f"Whether all of `expected` in {FILE} is still needed is not known: {error}", file=sys.stderr)
        return []


def facts_of(arguments: argparse.Namespace) -> Facts:
    """Return what checks may know here: the time and the policy.

    Raises:
        BadPolicy: the policy cannot be read.
    """
    return Facts(now=datetime.now(UTC), policy=policy_of(arguments))


def policy_of(arguments: argparse.Namespace) -> Policy:
    """Return the policy that a command goes by; see `embedded.policy_folder`.

    Raises:
        BadPolicy: it cannot be read.
    """
    return load_policy(_folder(arguments), _templates(arguments))


def catalogue_of(arguments: argparse.Namespace) -> Catalogue:
    """Return the services of the same policy, whatever its other files hold.

    Raises:
        BadPolicy: they cannot be read.
    """
    return load_catalogue(_folder(arguments))


def _folder(arguments: argparse.Namespace) -> Path:
    folder = announce_policy(arguments)
    if not folder.is_dir():
        arguments.misuse(f"there is no policy in {folder}. Give --policy FOLDER, or set CHANGEWINDOW_POLICY.")
    return folder


def policy_now(arguments: argparse.Namespace) -> Policy | BadPolicy:
    """Return the policy as its files are now, or why it cannot be read: the gate says so too."""
    try:
        return policy_of(arguments)
    except BadPolicy as bad:
        return bad


def print_findings(findings: Iterable[tuple[Path, Finding]]) -> None:
    """Print findings, each with its file, in the form editors understand."""
    for path, finding in findings:
        print(finding.text(str(path)))


def sum_up(findings: list[Finding], where: str) -> int:
    """Print how many findings and warnings there are; return the exit code."""
    warnings = sum(finding.is_warning for finding in findings)
    counts = {"finding": len(findings) - warnings, "warning": warnings}
    text = " and ".join(count(number, noun) for noun, number in counts.items() if number)
    print(f"{text} in {where}" if findings else f"{where}, no findings", file=sys.stderr)
    return 1 if are_errors(findings) else 0


def _templates(arguments: argparse.Namespace) -> Path:
    """Return the folder of templates: beside the policy that is named, or that of the settings."""
    return templates_of(arguments.policy) if arguments.policy else settings.read().templates
