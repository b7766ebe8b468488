"""Draws each change into the dashboards of Grafana: an annotation from when it begins to act until it ends.

The address comes from an Airflow Connection of type HTTP, with the token of a service account in its password (role
Editor, or the permissions annotations:read, annotations:create and annotations:write). With `dashboard`, the annotation
belongs to that dashboard; without it, to the organisation: give dashboards an annotation query of the data source
"Grafana" that filters by tags, such as `changewindow` and `service:orders`.

Its tags are `changewindow`, `change:CHG-1042`, `service:…`, `environment:…` and `outcome:…`, which is `running` until
the change ends. What is open is found by them: a change that is told of twice has one annotation, and the rollback of
one whose run died ends the annotation that the run began. A run that turns out to have ended otherwise than was told
has its annotation corrected. The later rollback of a completed change is one of its own; the first stays as it was.

Source: https://grafana.com/docs/grafana/latest/developers/http_api/annotations/
"""

from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import Any, Literal
from urllib.parse import urlencode

from pydantic import Field

from changewindow.documents.types import ConnectionName
from changewindow.markers.base import MarkerBase, Moment, api_of
from changewindow.systems.http.api import Api, Product
from changewindow.systems.measurement import SourceContext, SourceError

EXAMPLE = {"kind": "grafana", "connection": "grafana", "environments": ["production"]}
PRODUCT = Product(
    "Grafana",
    needs="the token of a service account with the role Editor, or the permissions annotations:read, "
    "annotations:create and annotations:write",
    takes_login=True,
)
OURS = "changewindow"
MOST = 100


class Marker(MarkerBase):
    """Annotations of Grafana."""

    kind: Literal["grafana"] = "grafana"
    connection: ConnectionName
    """The Airflow Connection with the address of Grafana."""
    dashboard: str = Field(default="", pattern=r"^[\w-]{0,40}$")
    """The UID of the dashboard, as in its address; without it, the annotation belongs to the organisation."""

    async def mark(self, context: SourceContext, moment: Moment) -> str | None:
        """Begin an annotation, or complete the one that is open."""
        grafana = api_of(context, self.connection, PRODUCT)
        shown: dict[str, Any] = {"text": _text(moment), "tags": [OURS, *moment.tags]}
        if moment.has_ended:
            shown["timeEnd"] = _milliseconds(moment.at)
        numbers = await self._of_run(grafana, moment)
        for number in numbers:
            await grafana.deliver("PATCH", f"/api/annotations/{number}", shown)
        if not numbers:
            made = await grafana.deliver(
                "POST", "/api/annotations", {**self._place, "time": _milliseconds(moment.began), **shown}
            )
            numbers = _numbers([made])
        return f"annotation {numbers[0]}"

    async def _of_run(self, grafana: Api, moment: Moment) -> list[int]:
        """Return the annotations of the change that have not ended, or in which the run began."""
        tags = [OURS, f"change:{moment.change}", f"environment:{moment.environment}"]
        asked = {**self._place, "type": "annotation", "limit": MOST, "tags": tags}
        known = await grafana.json(f"/api/annotations?{urlencode(asked, doseq=True)}")
        return _numbers(known, lambda each: "outcome:running" in each["tags"] or _holds(each, moment))

    @property
    def _place(self) -> dict[str, str]:
        return {"dashboardUID": self.dashboard} if self.dashboard else {}


def _text(moment: Moment) -> str:
    """Return what an annotation shows; Grafana shows HTML, and what people have written is none."""
    return escape("\n".join(filter(None, (moment.title, moment.why))))


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _holds(annotation: Any, moment: Moment) -> bool:
    """Return whether the run of a moment began in an annotation, which is its own; its outcome may be another one."""
    began, first, last = _milliseconds(moment.began), annotation["time"], annotation.get("timeEnd", 0)
    return bool(first == began or first < began < last)


def _numbers(annotations: Any, is_meant: Callable[[Any], bool] = lambda _: True) -> list[int]:
    """Return the ids of annotations.

    Raises:
        SourceError: they are none.
    """
    try:
        return [int(annotation["id"]) for annotation in annotations if is_meant(annotation)]
    except (TypeError, KeyError, ValueError) as error:
        problem = "Grafana answered with something else than annotations. Is it a proxy that answers?"
        raise SourceError("invalid", problem) from error
