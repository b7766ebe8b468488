"""Writes rows as comma-separated values (RFC 4180) that spreadsheets show, and never compute."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any

FORMULA = re.compile(r"(^|;)(?=[\s\u200b\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-].)")
"""Before what a spreadsheet may take for a formula, which a sign alone is not; a semicolon may begin a cell."""
TOGETHER = 250
"""Rows whose lines are one text."""


def lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the lines of rows, with CRLF at the end of each: many together, for a server sends each text by itself."""
    rest = iter(rows)
    while some := list(islice(rest, TOGETHER)):
        text = io.StringIO()
        csv.writer(text).writerows([cell(value) for value in row] for row in some)
        yield text.getvalue()


def cell(value: Any) -> str:
    """Return what stands in a cell: times in UTC, lists with semicolons, and texts that begin no formula.

    It is one line: a spreadsheet whose cells end with semicolons would take the next one for a row.
    """
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return FORMULA.sub(r"\1'", " ".join(text.split()))
