"""Silences alerts by the API of Alertmanager, which Grafana speaks too.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from changewindow.systems.alert_labels import parsed
from changewindow.systems.http.api import Api
from changewindow.systems.measurement import SourceError
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
