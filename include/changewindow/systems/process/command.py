"""What a ticket gives as a program to run: its arguments, or a line for a shell."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, StringConstraints

from changewindow.documents.types import Model


class Shell(Model):
    """A line for `sh -c`, for those who need pipes or wildcards."""

    shell: str = Field(min_length=1)


Text = Annotated[str, StringConstraints(min_length=1)]
Program = Annotated[tuple[Text, ...], Field(min_length=1)] | Shell


def arguments_of(program: Program) -> Sequence[str]:
    """Return the arguments that start the program."""
    return ("/bin/sh", "-c", program.shell) if isinstance(program, Shell) else program


def line_of(program: Program) -> str:
    """Return the program as the plan shows it."""
    return program.shell if isinstance(program, Shell) else " ".join(program)
