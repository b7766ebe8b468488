"""A standard change as it is asked for: what its form says, the ticket that comes of it, and what Airflow is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from changewindow.documents.parameters import fill
from changewindow.documents.text import hint
from changewindow.documents.yaml_writing import written
from changewindow.errors import BadRequest
from changewindow.policy.standard_changes import Standards, Template
from changewindow.ticket.window import Window, parse_zone
from changewindow.web.asked_window import asked_window

VALUE = "values."
"""How the names of fields for parameters begin; the rest is the parameter's own name."""


@dataclass(frozen=True)
class Field:
    """A parameter, as a field of the form."""

    name: str
    about: str
    choices: list[str]
    chosen: str


@dataclass(frozen=True)
class Form:
    """What is filled in so far for a standard change; the words of the form as they stand in its address."""

    name: str
    template: Template
    given: Mapping[str, str]
    owner: str
    zone: str

    @classmethod
    def of(cls, standards: Standards, name: str, given: Mapping[str, str], *, owner: str, zone: str) -> "Form":
        """Return the form of a standard change; `zone` is that of the window unless another one is filled in.

        Raises:
            BadRequest: there is no such one.
        """
        if name not in standards.templates:
            remedy = hint(name, standards.templates) if standards.templates else "There are none."
            raise BadRequest(f"There is no standard change '{name}'. {remedy}")
        return cls(name, standards.templates[name], given, owner, given.get("window_zone", "").strip() or zone)

    @property
    def fields(self) -> list[Field]:
        """Return the fields for its parameters."""
        return [self._field(name, parameter) for name, parameter in self.template.parameters.items()]

    @property
    def summary(self) -> str:
        """Return what it does, with the values that are chosen."""
        return str(fill(self.template.data, {field.name: field.chosen for field in self.fields})["summary"])

    @property
    def reviewer(self) -> str:
        """Return who stands by: who is named, or else whom the template names."""
        return self.given.get("reviewer", "").strip() or str(self.template.data.get("reviewer") or "")

    @property
    def window(self) -> dict[str, str]:
        """Return the window as a ticket writes it; what is missing is empty, and what is no time stays."""
        try:
            zone = ZoneInfo(parse_zone(self.zone))
            return {"start": "", "end": "", "zone": self.zone, **asked_window(self.given, zone)}
        except (BadRequest, ValueError):
            return {"start": self.given.get("start", ""), "end": self.given.get("end", ""), "zone": self.zone}

    @property
    def is_filled(self) -> bool:
        """Return whether there is something to judge."""
        return all(self.window.values()) and bool(self.reviewer)

    @property
    def values(self) -> dict[str, Any]:
        """Return the value of each parameter.

        Raises:
            BadRequest: one is not approved in advance, or is of no parameter.
        """
        given = {name.removeprefix(VALUE): text for name, text in self.given.items() if name.startswith(VALUE)}
        return {name: self.template.chosen(name, self._typed(name, text)) for name, text in given.items()}

    def ticket(self, standards: Standards) -> str:
        """Return the ticket that comes of it, as YAML.

        Raises:
            BadRequest: a value is not allowed, or nobody is named as reviewer.
        """
        values, window = self.values, self.window
        return written(
            standards.ticket_data(self.name, values=values, window=window, owner=self.owner, reviewer=self.reviewer)
        )

    def conf(self) -> dict[str, Any]:
        """Return the parameters of the run that asks for it; empty for a window that cannot be read.

        Raises:
            BadRequest: a value is not allowed.
        """
        try:
            window = Window.model_validate(self.window)
        except ValidationError:
            return {}
        moments = {"start": window.opens.isoformat(), "end": window.closes.isoformat()}
        return {"standard": self.name, "values": self.values, **moments, "zone": self.zone, "reviewer": self.reviewer}

    def _field(self, name: str, parameter: Mapping[str, Any]) -> Field:
        choices = [_text(choice) for choice in self.template.choices(name)]
        chosen = self.given.get(VALUE + name, _text(parameter["default"]))
        return Field(name, str(parameter.get("help") or ""), choices, chosen)

    def _typed(self, name: str, text: str) -> Any:
        """Return the allowed value that is written like this, or the text itself, which is then refused."""
        choices = self.template.choices(name) if name in self.template.parameters else []
        return next((choice for choice in choices if _text(choice) == text), text)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
