"""What a writing request asks of Airflow: which route, which DAGs of ours, and who asks."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.datastructures import QueryParams
from starlette.routing import Match
from starlette.types import Scope

from changewindow.errors import ChangeError
from changewindow.flow.own_dag import OWN_DAGS

CHANGE = re.compile(r"CHG-[1-9][0-9]{0,8}", re.IGNORECASE)
NAMES = rf"\b(?:CHG-[0-9]{{1,9}}|{'|'.join(sorted(OWN_DAGS))})\b"
OURS = re.compile(NAMES, re.IGNORECASE)


class Refused(ChangeError):
    """A request that goes no further, with the status of its answer."""

    def __init__(self, status: int, sentence: str) -> None:
        self.status = status
        super().__init__(sentence)


@dataclass(frozen=True)
class Person:
    """Who sent a request, as Airflow has authenticated them."""

    name: str
    is_operator: bool = False
    """Whether Airflow lets them change what belongs to everybody: its pools."""
    may_act: bool = True
    """Whether Airflow lets them trigger runs; what is refused to others leaves no event."""
    may_see: Callable[[str], bool] = field(default=lambda _dag: True, compare=False, repr=False)
    """Whether Airflow lets them read or change a DAG; of others they are not even told that there is one."""


@dataclass(frozen=True)
class Asked:
    """A writing request, read as Airflow reads it."""

    method: str
    path: str
    route: str
    """The template of the route that answers it, or an empty text where Airflow has none."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What the path says."""
    query: QueryParams = field(default_factory=QueryParams)
    body: bytes = b""
    person: Person = Person("unknown")

    @cached_property
    def json(self) -> Any:
        """Return the body as Airflow parses it; None where it cannot."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        """Return the fields of the body."""
        return self.json if isinstance(self.json, dict) else {}

    @property
    def is_dry(self) -> bool:
        """Return whether it only asks what it would do, or what there is."""
        return self.route.endswith(("/dry_run", "/list")) or self.fields.get("dry_run") is True

    @cached_property
    def dags(self) -> tuple[str, ...]:
        """Return our DAGs that it acts on; one to another DAG may speak of a change in its parameters."""
        path = self.parameters.get("dag_id")
        if path is None and not self.route:
            return ours(OURS.findall(self.path))
        return ours([*([path] if path else []), *self.query.getlist("dag_id"), *_dags(self.json)])

    @property
    def changes(self) -> tuple[str, ...]:
        """Return the changes that it acts on."""
        return tuple(dag for dag in self.dags if CHANGE.fullmatch(dag))

    @property
    def speaks_of_ours(self) -> bool:
        """Return whether one of our DAGs, or all DAGs, are named anywhere in it."""
        text = f"{self.path}?{self.query} {json.dumps(self.json)} {self.body.decode(errors='replace')}"
        return bool(OURS.search(text)) or "~" in self.parameters.values()

    @property
    def key(self) -> str:
        """Return what the table of routes knows it by."""
        return f"{self.method} {self.route}"


def ours(names: Iterable[str]) -> tuple[str, ...]:
    """Return those that are DAGs of ours, as we write them: some databases compare names without case or width."""
    wanted = {unicodedata.normalize("NFKC", name).strip() for name in names}
    changes = {name.upper() for name in wanted if CHANGE.fullmatch(name)}
    return tuple(sorted(changes | {name.casefold() for name in wanted} & OWN_DAGS))


def route_of(scope: Scope) -> tuple[str, dict[str, str]]:
    """Return the template of the route that Airflow will answer with, and what the path says."""
    for route in scope["app"].routes:
        match, child = route.matches(scope)
        if match is Match.FULL:
            return str(route.path), {name: str(value) for name, value in child.get("path_params", {}).items()}
    return "", {}


def _dags(body: Any) -> Iterator[str]:
    """Return the DAGs that a body names, at any depth, beside the parameters of a run."""
    left = [body]
    while left:
        value = left.pop()
        if isinstance(value, list):
            left += value
        elif isinstance(value, dict):
            yield from (dag for name in ("dag_id", "dag_ids") for dag in _texts(value.get(name)))
            left += [inside for name, inside in value.items() if name != "conf"]


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [] if value is None else [str(value)]
