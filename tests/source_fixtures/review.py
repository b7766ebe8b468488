"""An answer for `review`: a pull request of alice that bob has approved, and that is merged."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.review import EXAMPLE
from servers.product_apis import github, serving
from source_fixtures import Answers

ALICE, BOB = ({"login": name, "type": "User"} for name in ("alice", "bob"))
HEAD = "a" * 40
BASE = {"repo": {"private": False}}


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Serve it as GitHub does."""
    pull = {"user": ALICE, "merged": True, "state": "closed", "merged_by": ALICE, "head": {"sha": HEAD}, "base": BASE}
    review = {"user": BOB, "state": "APPROVED", "commit_id": HEAD, "author_association": "MEMBER"}
    with serving(github(pull, [review])) as made:
        yield Answers(EXAMPLE, {"equals": True}, (made.connection("github"),))
