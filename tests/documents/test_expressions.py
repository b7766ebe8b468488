"""Regular expressions of people: RE2 takes them, or a sentence says why not."""

import pytest

from changewindow.documents.expressions import fault


@pytest.mark.parametrize("expression", [r"5..", r"(?i)\b(error|panic)\b", "(a+)+b", r"a{0,3}", "[]a]", "", "größe"])
def test_an_expression_that_is_matched_in_linear_time_is_taken(expression: str) -> None:
    """Nested repetition is no danger there."""
    assert fault(expression) == ""


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("(?=a)b", "RE2 has no look-ahead"),
        ("(?<!a)b", "RE2 has no look-behind"),
        (r"(a)\1", "RE2 has no references to a group"),
        ("(?P<x>a)(?P=x)", "RE2 has no references to a group"),
        ("a*+", "RE2 has no possessive repetition"),
        (r"a\Z", r"RE2 has no \Z: write \z"),
        ("a{,3}", "{,…} would be read as these characters: write two numbers, like {0,3}"),
        ("2(0", "missing ): 2(0"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("((a{100}){100}){100}", "invalid repetition size: {100}"),
    ],
)
def test_what_cannot_be_used_is_named(expression: str, why: str) -> None:
    """In the words of those who know Python's expressions."""
    assert fault(expression) == why
