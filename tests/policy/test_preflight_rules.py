"""What the gate says of what was found before it."""

import pytest

from changewindow.policy.preflight_rules import preflight_findings
from changewindow.policy.standing import Preflight


@pytest.mark.parametrize(
    "known",
    [
        Preflight(failed={"check_1": "the text differs. Submit it again."}),
        Preflight(missing=(("Copy", "there is no /x. Create it."),)),
        Preflight(not_good="health = 0."),
    ],
    ids=["a check failed", "a step is not ready", "not good"],
)
def test_no_sentence_ends_with_two_dots(known: Preflight) -> None:
    """What others have said may be a sentence of its own."""
    [finding] = preflight_findings(known)
    assert ".." not in finding.reason
