"""How long one answer of all sixteen kinds takes, over a thousand objects in their real worlds."""

import time
from datetime import timedelta
from functools import partial
from pathlib import Path

from changewindow.changes.look_around import look_around
from changewindow.changes.what_changed import Question
from changewindow.kinds import modules
from support.all_collectors import worlds
from support.looking import collector, last

OBJECTS = 1_000
EACH = 50
"""How many of them each kind has at least: so many files of a commit does etckeeper show."""
LIMIT = 10.0
"""Seconds."""


def test_a_thousand_objects_of_all_kinds_are_in_one_answer(tmp_path: Path) -> None:
    """Within ten seconds, each kind with its part; the figure is printed."""
    kinds = modules("collectors")
    with worlds(tmp_path, OBJECTS // len(kinds) + 2) as made:
        asked = {name: collector(settings) for name, settings in made.collectors.items()}
        assert asked.keys() == kinds.keys()
        ask = partial(look_around, collectors=asked, connections=made.connect, folder=tmp_path / "kept")
        before = ask(Question(last(timedelta(hours=1))), ledger=lambda: made.ledger, limit=120)
        assert [(gap.collector, gap.why) for gap in before.failed] == []
        made.change()
        began = time.monotonic()
        answer = ask(Question(last(timedelta(hours=1))), ledger=lambda: made.ledger, limit=LIMIT)
        took = time.monotonic() - began
    objects = {(line.collector, line.entry.object, line.entry.after or line.entry.what) for line in answer.lines}
    print(f"{len(objects)} objects of {len(answer.saw)} kinds in one answer: {took:.1f} s")
    assert [(gap.collector, gap.why) for gap in answer.failed] == []
    least = {name: sum(line.collector == name for line in answer.lines) for name in asked}
    assert min(least.values()) >= EACH, least
    assert len(objects) >= OBJECTS
    assert took < LIMIT
