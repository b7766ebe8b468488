"""The page of kinds."""

from changewindow import kinds
from support.pages import Pages


def test_every_kind_is_shown_with_its_fields_and_example(pages: Pages) -> None:
    """Each has a place of its own, to link to."""
    text = pages.get("/kinds")
    for room in kinds.CONTRACTS:
        for kind in kinds.names(room):
            assert f'id="{room}-{kind}"' in text
    assert "<code>rollback_timeout</code>" in text or "<code>timeout</code>" in text
