"""Says, where Airflow runs, whose record may close a finding: that of its owners and of operators."""

from collections.abc import Sequence
from pathlib import Path

from changewindow.errors import BadPolicy
from changewindow.flow.people import is_listed_operator
from changewindow.policy.finding_rights import WhyNot, nobody, objection_to_closing
from changewindow.policy.load import load_policy
from changewindow.policy.model import Policy


def closing_by(rules: Policy) -> WhyNot:
    """Return who may close what by a record. The door of `record_change` is open to all, so nobody's role was asked."""

    def why_not(person: str, services: Sequence[str]) -> str:
        wrong = objection_to_closing(rules, person, services, is_operator=is_listed_operator(person))
        return wrong.sentence if wrong else ""

    return why_not


def closing_by_policy_of(folder: Path) -> WhyNot:
    """Return the same by the policy of a folder; while that cannot be read, nobody's record closes anything."""
    try:
        return closing_by(load_policy(folder))
    except BadPolicy:
        return nobody
