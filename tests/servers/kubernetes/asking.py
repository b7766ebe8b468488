"""Asks the sources kubernetes_pods and kubernetes_logs about the cart of the shop."""

from typing import Any

from changewindow import kinds
from changewindow.systems.connection import Connection
from changewindow.systems.measurement import Answer, SourceContext
from changewindow.watch.shared_answers import client


async def ask(known: Connection, kind: str, kept: Any = None, **fields: Any) -> Answer:
    """Ask a source; `since` is the end of the last step."""

    async def connect(_: str) -> Connection:
        return known

    module = kinds.modules("sources")[f"kubernetes_{kind}"]
    example = {key: value for key, value in module.EXAMPLE.items() if key not in {"kind", "read"}}
    since = fields.pop("since", None)
    async with client() as http:
        context = SourceContext(http, connect, since=since, kept={} if kept is None else kept)
        answer: Answer = await module.Source.model_validate({**example, **fields}).ask(context)
        return answer
