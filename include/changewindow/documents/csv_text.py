"""Writes rows as comma-separated values (RFC 4180) that spreadsheets show, and never compute."""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

FORMULA = re.compile(r"(^|;)(?=[\s\u200b\ufeff]*[=+@\uff1d\uff0b\uff0d\uff20-].|[\t\r\n])")
"""Before what a spreadsheet may take for a formula, which a sign alone is not; a semicolon may begin a cell."""


def lines(rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """Yield the line of each row, with CRLF at its end."""
    for row in rows:
        text = io.StringIO()
        csv.writer(text).writerow([cell(value) for value in row])
        yield text.getvalue()


def cell(value: Any) -> str:
    """Return what stands in a cell: times in UTC, lists with semicolons, and texts that begin no formula."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    text = "; ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
    return FORMULA.sub(r"\1'", text)
