"""How a validator refuses a value: with what is wrong, and with what would make it right."""

from pydantic_core import PydanticCustomError

REFUSED = "refused"
"""The type under which pydantic reports it."""


def refusal(sentence: str, remedy: str) -> PydanticCustomError:
    """Return the error that a validator raises, a `ValueError`; a finding takes sentence and remedy from its context.

    The sentence begins in lower case and has no full stop; the remedy is a sentence of its own.
    """
    return PydanticCustomError(REFUSED, "{sentence}. {remedy}", {"sentence": sentence, "remedy": remedy})
