"""An answer for `kubernetes_logs`: each of three pods has printed one line that is bad."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from changewindow.sources.kubernetes_logs import EXAMPLE
from servers.kubernetes import local
from servers.kubernetes.shop import OLD, workload
from source_fixtures import Answers


@contextmanager
def place(folder: Path) -> Iterator[Answers]:
    """Let them print."""
    with local() as cluster:
        cluster.images.prints[OLD] = ["all is well", "PANIC: no such table", "errors are none"]
        cluster.make(workload())
        cluster.settle(cluster.is_settled)
        yield Answers(EXAMPLE, {"equals": 3}, (cluster.connection(),))
