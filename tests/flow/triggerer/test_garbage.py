"""What lives long is put aside from the search for garbage, and searched again now and then."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from changewindow.flow.triggerer import garbage


class Knot:
    """Something that only a search finds to be garbage."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Leave the collector as it was."""
    yield
    gc.unfreeze()
    gc.freeze()  # the modules, as the tests have it


def test_what_is_put_aside_is_searched_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Until then a search passes over it, garbage or not."""
    knot = Knot()
    seen = weakref.ref(knot)
    garbage.put_aside()
    del knot
    gc.collect()
    assert seen() is not None
    garbage.put_aside()
    assert seen() is not None
    monkeypatch.setattr(garbage, "EVERY", 0)
    garbage.put_aside()
    assert seen() is None


def test_garbage_of_now_is_not_put_aside() -> None:
    """Nothing that is dead already is kept."""
    knot = Knot()
    seen = weakref.ref(knot)
    del knot
    garbage.put_aside()
    assert seen() is None
