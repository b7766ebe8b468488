"""Says who may close a finding in the world, by accepting it or by a record that explains it: it is one right."""

from collections.abc import Callable, Sequence

from changewindow.documents.findings import Finding
from changewindow.policy.model import Policy
from changewindow.policy.rights import Intervention, Involved, objection

WhyNot = Callable[[str, Sequence[str]], str]
"""Returns why a person may not close findings of these services, and who may; an empty text if they may."""


def objection_to_closing(
    policy: Policy, person: str, services: Sequence[str], *, is_operator: bool = False
) -> Finding | None:
    """Return why a person may not close a finding of these services, and who may; nothing if they may."""
    wanted = Intervention("accept", person, is_operator)
    involved = Involved(owners=policy.catalogue.owners(services))
    return objection(policy.rights, policy.approvals.groups, wanted, involved)


def nobody(person: str, _services: Sequence[str]) -> str:
    """Refuse everybody: where the policy cannot be asked, no finding is closed."""
    return f"whether {person} may close it is not known, since the policy cannot be read"
