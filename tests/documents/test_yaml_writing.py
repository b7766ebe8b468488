"""What is written as YAML is read as the same data."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from changewindow.documents.text import UNSEEN
from changewindow.documents.yaml import parse
from changewindow.documents.yaml_writing import written

TEXTS = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.just("\n"), max_size=30).filter(
    lambda text: not UNSEEN.search(text)
)
VALUES = TEXTS | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9) | st.none()
JSON = st.recursive(VALUES, lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXTS, part, max_size=3))


@given(JSON)
def test_what_is_written_as_yaml_is_read_as_the_same(data: Any) -> None:
    """Whatever a text looks like: a number, a time, `on`, a comment, an alias."""
    assert parse(written({"data": data})).data == {"data": data}


@pytest.mark.parametrize(
    "text", ["on", "1e5", "12:30", "2031-03-18", "~", "*a", "&a", "# a", "{{ params.a }}", "01", ".5"]
)
def test_a_text_stays_a_text(text: str) -> None:
    """Also for readers of the earlier YAML."""
    data = [text, "x\ny\n"]
    assert parse(written(data)).data == yaml.safe_load(written(data)) == data
