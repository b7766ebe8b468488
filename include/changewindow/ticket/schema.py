"""The JSON Schema of tickets, for editors: what `lint` accepts, parameters included."""

from typing import Any

from changewindow.ticket.model import Ticket

USE = {"type": "string", "pattern": r"\{\{\s*params\.\w+\s*\}\}"}
WORDS = ("title", "description", "default", "examples")
"""Keywords that describe a value without restricting it."""


def ticket_schema() -> dict[str, Any]:
    """Return the schema; a restricted value may also be written as a parameter."""
    schema = Ticket.model_json_schema()
    for name, model in schema["$defs"].items():
        if name != "Parameter":
            _open(model)
    parameters = schema["properties"].pop("parameters")
    _open(schema)
    schema["properties"]["parameters"] = parameters
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _open(model: dict[str, Any]) -> None:
    model["properties"] = {
        name: value if name == "kind" else _or_parameter(value) for name, value in model.get("properties", {}).items()
    }


def _or_parameter(value: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a value, with a parameter as a further choice where it needs one."""
    value = _open_items(value)
    if "anyOf" in value:
        return {**value, "anyOf": [*map(_open_items, value["anyOf"]), USE]}
    rules = {word: rule for word, rule in value.items() if word not in WORDS}
    if rules in ({}, {"type": "string"}) or value.get("type") in {"array", "object"} or {"$ref", "oneOf"} & set(value):
        return value
    about: dict[str, Any] = {word: rule for word, rule in value.items() if word in WORDS}
    return {**about, "anyOf": [rules, USE]}


def _open_items(value: dict[str, Any]) -> dict[str, Any]:
    inside = ("items", "additionalProperties")
    opened: dict[str, Any] = {word: _or_parameter(value[word]) for word in inside if isinstance(value.get(word), dict)}
    if "prefixItems" in value:
        opened["prefixItems"] = [_or_parameter(item) for item in value["prefixItems"]]
    return {**value, **opened}
