"""The gate's rule about connections: whether those that a change names serve its services, as the policy is now."""

from dataclasses import replace

from changewindow.policy.assessment import Assessment
from changewindow.policy.decision import Answers, Satisfied
from changewindow.policy.standing import Case


def connections_serve(case: Case) -> Answers:
    """Say which connections the change may not use, or may not use any more."""
    if not isinstance(case.assessment, Assessment):
        return  # Where the policy cannot be read, `calendar` says so.
    findings = case.assessment.connections
    yield from (replace(finding, remedy=case.remedy(finding.remedy)) for finding in findings)
    if not findings:
        yield Satisfied("connections_serve", "its connections serve its services")
