"""The note of a run."""

import pytest

from changewindow.documents.text import escaped
from changewindow.flow.server.run_notes import LONGEST, as_list, shortened

LINE = "ticket:1: " + "x" * 89


@pytest.mark.parametrize("count", [0, 1, 10, 11, 500])
def test_a_note_holds_whole_lines_and_says_where_the_rest_stands(count: int) -> None:
    """Airflow keeps a thousand characters; nobody reads half a finding."""
    text = "\n".join([LINE] * count)
    kept = shortened(text)
    assert len(kept) <= LONGEST
    *lines, last = kept.split("\n")
    assert kept == text if count <= 10 else (set(lines), last) == ({LINE}, "… the log says the rest")


def test_findings_stand_one_a_line() -> None:
    """Airflow shows a note as Markdown, which would join them."""
    assert as_list("2 findings.\nticket:1: a\n\nticket:2: b") == "2 findings.\n- ticket:1: a\n- ticket:2: b"
    assert as_list(escaped("no:\n  - one")) == "no:\n- one", "what is an item already is none twice"
    assert as_list("completed: all good") == "completed: all good"
    assert as_list("") == ""
