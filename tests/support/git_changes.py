"""Steps of kind git_change on a repository of a test, and somebody else who pushes into it too."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from changewindow.steps.git_change import EXAMPLE, Step
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context, Ran
from step_fixtures.git_change import git

STEP = Step.model_validate({key: value for key, value in EXAMPLE.items() if key != "kind"})


def step(**fields: Any) -> Step:
    """Return a step with other fields than the example's merge."""
    return Step.model_validate({"name": "Tune", "connection": "example_config", **fields})


def context(repository: Path, step: int = 1, **fields: Any) -> Context:
    """Return what a step of a change may use."""
    return Context("CHG-1001", step, lambda name: Connection(name, "git", **{"host": str(repository), **fields}), print)


def commit(repository: Path, file: str, text: str, branch: str = "main") -> str:
    """Commit a file on a branch, as somebody else would."""
    git(repository, "checkout", "-q", branch)
    (repository / file).parent.mkdir(exist_ok=True)
    (repository / file).write_text(text)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", f"by somebody else: {text}")
    git(repository, "checkout", "-q", "--detach")
    return git(repository, "rev-parse", branch)


class Busy(Context):
    """A context in whose repository somebody else pushes just before each of the first pushes."""

    pushes = 0
    somebody: Callable[[int], object] = print

    def run(self, arguments: Sequence[str], **options: Any) -> Ran:
        """Push, after somebody else."""
        if self.pushes:
            self.pushes -= 1
            self.somebody(self.pushes)
        return super().run(arguments, **options)


def busy(repository: Path, pushes: int) -> Busy:
    """Return a context with so many pushes of somebody else."""
    made = Busy("CHG-1001", 1, lambda name: Connection(name, "git", host=str(repository)), print)
    made.pushes = pushes
    made.somebody = lambda number: commit(repository, f"theirs-{number}", str(number))
    return made
