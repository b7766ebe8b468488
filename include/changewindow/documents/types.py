"""The base of everything that is read from outside, with the types tickets are made of."""

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    GetJsonSchemaHandler,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from changewindow.documents.descriptions import description
from changewindow.documents.expressions import fault, was_taken
from changewindow.documents.refusal import refusal
from changewindow.documents.text import shown

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
PART = r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)"
LENGTH = rf"{PART}(?: ?{PART})*"
NAME = r"^[a-z][a-z0-9-]*$"
PERSON = r"^[A-Za-z0-9][A-Za-z0-9._@-]*$"
PARAMETER = r"^[a-z][a-z0-9_]*$"
ROOM = r"^[#@A-Z][\w-]*$"
ADDRESS = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$"
ON_ONE_LINE = r"^[^\n]+$"
LONGEST = timedelta(days=365)


AS_NEW = {"is_new": True}
"""The context in which what is not yet approved is validated: some rules are younger than what was approved."""


def is_new(info: ValidationInfo) -> bool:
    """Return whether what is validated is not yet approved."""
    return bool(info.context and info.context.get("is_new"))


class Model(BaseModel):
    """A frozen value that refuses unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler, /) -> dict[str, Any]:
        """Describe each field.

        Not by `use_attribute_docstrings`, which reads and parses the source of each model in each process.
        """
        described = handler(schema)
        properties = handler.resolve_ref_schema(described)["properties"]
        for name, field in cls.model_fields.items():
            if about := description(cls, name):
                place = field.alias or name
                with_description = {"description": about, **properties[place]}
                properties[place] = dict(sorted(with_description.items()))  # as all other keywords are
        return described


def parse_duration(value: Any) -> timedelta:
    """Return the length of time written like `90s`, `15m` or `1h30m`.

    Raises:
        ValueError: the text is not such a length.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.fullmatch(LENGTH, value.strip()):
        raise refusal(f"{shown(value)} is not a length of time", "Write it like 30s, 15m or 1h30m.")
    seconds = sum(float(number) * UNITS[unit] for number, unit in re.findall(PART, value))
    if seconds > LONGEST.total_seconds():
        raise refusal(f"{shown(value)} is longer than {LONGEST.days}d", "Write it like 30s, 15m or 1h30m.")
    return timedelta(seconds=seconds)


def duration_text(length: timedelta) -> str:
    """Return the length as a ticket would write it: `1h30m`, `15m`, `2.5s`."""
    seconds = length.total_seconds()
    parts = []
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds >= size:
            parts.append(f"{int(seconds // size)}{unit}")
            seconds %= size
    if seconds or not parts:
        parts.append(f"{seconds:.3f}".rstrip("0").rstrip(".") + "s")
    return "".join(parts)


def parse_expression(value: str, info: ValidationInfo) -> str:
    """Return a regular expression unchanged; one that was approved before RE2 judged them is kept as it is.

    Raises:
        ValueError: RE2 does not take it, and it is new or no expression at all.
    """
    why = fault(value)
    if why and (is_new(info) or not was_taken(value)):
        sentence = f"{shown(value)} is not a regular expression that can be used: {why}"
        remedy = "Write it for RE2 (github.com/google/re2/wiki/Syntax), with a \\ before signs meant literally."
        raise refusal(sentence, remedy)
    return value


Name = Annotated[str, StringConstraints(pattern=NAME)]
Person = Annotated[str, StringConstraints(pattern=PERSON)]
MailAddress = Annotated[str, StringConstraints(pattern=ADDRESS, max_length=200)]
"""An address of e-mail, in ASCII."""

Line = Annotated[str, StringConstraints(min_length=1, max_length=300, strip_whitespace=True, pattern=ON_ONE_LINE)]
"""Text on one line."""

Expression = Annotated[str, StringConstraints(max_length=1000), AfterValidator(parse_expression)]
"""A regular expression."""

CONNECTION = "an Airflow Connection"
ConnectionName = Annotated[str, CONNECTION]
"""The name of an Airflow Connection; only by this type do the policy and the approver know that a field names one."""

Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(duration_text),
    WithJsonSchema({"type": "string", "pattern": f"^{LENGTH}$", "examples": ["30s", "15m", "1h30m"]}),
]
"""A length of time, written like `30s`, `15m` or `1h30m`."""
