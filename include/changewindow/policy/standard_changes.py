"""The catalogue of standard changes: templates that are approved in advance, within the values of their parameters."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from changewindow.documents import parameters
from changewindow.documents.canonical import canonical
from changewindow.documents.text import hint, shown
from changewindow.errors import BadRequest

REQUESTED = ("window", "owner", "reviewer")
"""What a request adds to a template."""


@dataclass(frozen=True)
class Template:
    """A standard change without what a request adds: the data of a ticket of type standard."""

    data: Mapping[str, Any]

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Return its parameters with the values that are allowed: the envelope."""
        return dict(self.data.get("parameters", {}))

    def choices(self, name: str) -> list[Any]:
        """Return the values a parameter may have."""
        parameter = self.parameters[name]
        return list(parameter.get("allowed") or [parameter["default"]])

    def chosen(self, name: str, value: Any) -> Any:
        """Return the allowed value of a parameter that equals a given one; text, numbers and true are never mixed up.

        Raises:
            BadRequest: there is none.
        """
        if name not in self.parameters:
            remedy = hint(name, self.parameters) if self.parameters else "It has none."
            raise BadRequest(f"'{name}' is not a parameter of this standard change. {remedy}")
        for choice in self.choices(name):
            if value == choice and isinstance(value, bool) == isinstance(choice, bool):
                return choice
        allowed = ", ".join(map(shown, self.choices(name)))
        raise BadRequest(
            f"{name} = {shown(value)} is not approved in advance; approved are {allowed}. "
            "Choose one of them, or ask for a normal change."
        )


@dataclass(frozen=True)
class Standards:
    """The standard changes by name, and what is wrong with their templates."""

    templates: Mapping[str, Template]
    findings: tuple[str, ...] = ()
    """As lines: `file:line: …`. A template with an error approves nothing."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all standard changes."""
        return tuple(sorted(self.templates))

    def ticket_data(
        self,
        name: str,
        *,
        values: Mapping[str, Any],
        window: Mapping[str, Any],
        owner: str,
        reviewer: str | None = None,
    ) -> dict[str, Any]:
        """Return the ticket of a standard change, with the chosen values as the defaults of its parameters.

        Raises:
            BadRequest: there is no such standard change, a value is not allowed, or nobody is named as reviewer.
        """
        if name not in self.templates:
            remedy = hint(name, self.templates) if self.templates else "There are none."
            raise BadRequest(f"There is no standard change '{name}'. {remedy}")
        template = self.templates[name]
        data: dict[str, Any] = copy.deepcopy(dict(template.data))
        for parameter, value in values.items():
            data["parameters"][parameter]["default"] = template.chosen(parameter, value)
        stands_by = reviewer or data.get("reviewer")
        if not stands_by:
            raise BadRequest(f"The standard change '{name}' names no reviewer. Name who stands by; not the owner.")
        return {**data, "owner": owner, "reviewer": stands_by, "window": dict(window)}

    def is_inside(self, data: Mapping[str, Any]) -> str | None:
        """Return the name of the standard change that a ticket is.

        It may differ from its template in window, owner, reviewer, and in defaults that the template allows; a ticket
        that differs in anything else is none.
        """
        return next((name for name in self.names() if self._makes(name, data)), None)

    def _makes(self, name: str, data: Mapping[str, Any]) -> bool:
        """Return whether asking for a standard change, as this ticket does, gives exactly this ticket."""
        window, owner, reviewer = (data.get(part) for part in REQUESTED)
        if not isinstance(window, Mapping) or not isinstance(owner, str) or not isinstance(reviewer, str):
            return False
        values = parameters.defaults(data)
        try:
            made = self.ticket_data(name, values=values, window=window, owner=owner, reviewer=reviewer)
        except BadRequest:
            return False
        return canonical(made) == canonical(data)
