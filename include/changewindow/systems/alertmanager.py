"""Silences alerts by the API of Alertmanager, which Grafana speaks too.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar
from urllib.parse import quote

from changewindow.documents.types import ConnectionName, Model
from changewindow.systems.alert_labels import NarrowMatchers, Selection, parsed
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext, SourceError
from changewindow.systems.silence import CREATOR, Held, Term, moment


@dataclass(frozen=True)
class Silences:
    """The silences of one product that have certain matchers."""

    api: Api
    path: str
    texts: tuple[str, ...]
    """The matchers as their author writes them."""

    async def held(self, term: Term) -> list[Held]:
        """Return those of a term's mark, those that are over included."""
        silences = await self.api.json(self.path, {"filter": list(self.texts)})
        if not isinstance(silences, list):
            fault = f"'{self.api.connection}' is no {self.api.product.name}: it has no list of silences"
            raise SourceError("invalid", fault)
        return [
            Held(
                id=str(silence["id"]),
                begins=str(silence["startsAt"]),
                ends=datetime.fromisoformat(silence["endsAt"]),
                comment=str(silence["comment"]),
                is_over=silence["status"]["state"] == "expired",
            )
            for silence in silences
            if silence["createdBy"] == CREATOR and term.is_in(str(silence["comment"]))
        ]

    async def open(self, term: Term) -> str:
        """Silence what the matchers select, and return the id of the silence."""
        return await self._write({**self._body(term), "startsAt": moment(term.now)})

    async def renew(self, term: Term, known: Held) -> str:
        """Let a silence end later; with the same start and matchers it keeps its id."""
        return await self._write({**self._body(term), "id": known.id, "startsAt": known.begins})

    async def end(self, known: Held) -> None:
        """End a silence; one that is gone has ended."""
        await self.api.act("DELETE", f"{self.path.removesuffix('s')}/{quote(known.id, safe='')}")

    async def _write(self, body: dict[str, Any]) -> str:
        reply = await self.api.act("POST", self.path, body)
        if not isinstance(reply, dict) or not reply.get("silenceID"):
            raise SourceError("invalid", f"{self.api.product.name} took the silence and gave it no id")
        return str(reply["silenceID"])

    def _body(self, term: Term) -> dict[str, Any]:
        return {
            "matchers": [
                {
                    "name": matcher.label,
                    "value": matcher.value,
                    "isRegex": "~" in matcher.operator,
                    "isEqual": not matcher.operator.startswith("!"),
                }
                for matcher in map(parsed, self.texts)
            ],
            "endsAt": moment(term.until),
            "createdBy": CREATOR,
            "comment": term.comment,
        }


class ByMatchers(Model):
    """What a kind of silence does that goes by matchers of labels, in a product that speaks this API."""

    product: ClassVar[Product]
    path: ClassVar[str]
    """Where the product has its silences."""
    connection: ConnectionName
    """The Airflow Connection with the address of the product, and a token that may silence."""
    matchers: NarrowMatchers
    """What labels must be, like `service="orders"` or `severity=~"info|warning"` (double quotes only)."""

    def description(self) -> str:
        """Return which alerts."""
        return f"alerts {{{', '.join(self.matchers)}}} at {self.connection}"

    def covers(self) -> tuple[Selection, ...]:
        """Return them."""
        return (Selection("alerts", tuple(map(parsed, self.matchers))),)

    async def held(self, context: SourceContext, term: Term) -> list[Held]:
        """Return what the product has."""
        return await self._silences(context).held(term)

    async def open(self, context: SourceContext, term: Term) -> str:
        """Create a silence."""
        return await self._silences(context).open(term)

    async def renew(self, context: SourceContext, term: Term, held: Held) -> str:
        """Write the same silence with a later end."""
        return await self._silences(context).renew(term, held)

    async def end(self, context: SourceContext, held: Held) -> None:
        """Expire it."""
        await self._silences(context).end(held)

    def _silences(self, context: SourceContext) -> Silences:
        return Silences(Api(context, self.connection, self.product), self.path, self.matchers)
