"""An answer for `kubernetes_pods`: three pods run, and none of them gets ready."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.kubernetes_pods import EXAMPLE
from servers.kubernetes import local
from servers.kubernetes.shop import OLD, workload
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let them run."""
    with local() as cluster:
        cluster.images.unready.add(OLD)
        cluster.make(workload())
        cluster.settle(lambda: len(cluster.each("pods")) == 3)
        yield Answers(EXAMPLE, {"equals": 3}, (cluster.connection(),))
