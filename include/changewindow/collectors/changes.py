"""Shows what the changes of this ledger did: which steps began, were applied or undone, and how each change ended."""

from typing import Literal

from changewindow.collectors.base import CollectorBase, CollectorContext
from changewindow.systems.collection import Collected, Span
from changewindow.systems.measurement import SourceError

EXAMPLE = {"kind": "changes"}


class Collector(CollectorBase):
    """Our own ledger."""

    kind: Literal["changes"] = "changes"

    async def collect(self, span: Span, context: CollectorContext) -> Collected:
        """Read the events of the changes that acted in the span."""
        if context.our_changes is None:
            raise SourceError("unreachable", "no ledger is at hand. Name it by --ledger, or ask the DAG what_changed")
        return await context.our_changes(span)
