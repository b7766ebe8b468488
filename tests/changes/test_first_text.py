"""A ticket begins with what is known already."""

import pytest

from changewindow.changes.first_text import first_text
from changewindow.documents.yaml import parse


def test_what_is_known_is_filled_in() -> None:
    """The rest stays a blank."""
    known = {"service": "orders", "environment": "staging", "owner": "alice", "start": "2031-03-18 14:00"}
    data = parse(first_text({**known, "end": "2031-03-18 15:00", "zone": "Europe/Berlin"})).data
    assert (data["services"], data["environment"], data["owner"]) == (["orders"], "staging", "alice")
    assert data["window"] == {"start": "2031-03-18 14:00", "end": "2031-03-18 15:00", "zone": "Europe/Berlin"}
    assert data["reviewer"] == "<a second person>"


@pytest.mark.parametrize(
    "value", ["true", "12", "a: b", "]\nowner: mallory", "{{ params.x }}", "# no", "x:", '"', "&a"]
)
def test_whatever_it_holds_it_stays_a_value(value: str) -> None:
    """Nobody adds a field through an address."""
    data = parse(first_text({"service": value, "environment": value})).data
    assert (data["services"], data["environment"]) == ([value], value)
    assert data["owner"] == "<your user name>"
