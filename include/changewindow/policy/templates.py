"""The catalogue of standard changes: templates that are approved in advance, within the values of their parameters."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from changewindow.documents.findings import Finding
from changewindow.documents.yaml import BadYaml, Document, parse, read_file
from changewindow.policy.check import Facts
from changewindow.policy.review import load_document
from changewindow.policy.standard_changes import Standards, Template
from changewindow.ticket.window import LONG_AGO

STAND_IN: dict[str, Any] = {
    "window": {"zone": "UTC", "start": "2999-01-01 00:00", "end": "2999-12-31 00:00"},
    "owner": "the-owner",
    "reviewer": "the-reviewer",
}
"""Stands for what a request adds, while a template is judged."""
OF_A_REQUEST = frozenset({"window_fits", "calendar_allows", "no_overlap", "approvers_exist"})
"""Checks that have nothing to judge until somebody asks for the change, in a window."""


def load_standards(folder: Path) -> Standards:
    """Return the standard changes of a folder; a template with errors is left out."""
    templates: dict[str, Template] = {}
    lines: list[str] = []
    for path in sorted(folder.glob("*.yaml")):
        template, findings = read_template(path, Facts(now=LONG_AGO))
        lines += [finding.text(str(path)) for finding in findings]
        if template is not None:
            templates[path.stem] = template
    return Standards(templates, tuple(lines))


def choices_of(folder: Path) -> Iterator[str]:
    """Yield what may be chosen for each template of a folder, for a form: `max_idle: max_idle 8, 12`.

    Only values that are listed count; what a template has wrong is found when it is used.
    """
    for path in sorted(folder.glob("*.yaml")):
        with suppress(BadYaml):
            data = parse(read_file(path)).data
            declared = data.get("parameters") if isinstance(data, dict) else None
            listed = [
                f"{name} {', '.join(map(str, parameter['allowed']))}"
                for name, parameter in (declared.items() if isinstance(declared, dict) else ())
                if isinstance(parameter, dict) and isinstance(parameter.get("allowed"), list)
            ]
            yield f"{path.stem}: {' and '.join(listed) or 'none'}"


def read_template(path: Path, facts: Facts) -> tuple[Template | None, tuple[Finding, ...]]:
    """Return the template of a file, and what is wrong with it for any allowed value of its parameters."""
    try:
        return judged_template(read_file(path), facts)
    except BadYaml as bad:
        return None, (bad.finding,)


def judged_template(text: str, facts: Facts) -> tuple[Template | None, tuple[Finding, ...]]:
    """Return the template of a text in YAML, and what is wrong with it; see `read_template`."""
    try:
        document = parse(text)
    except BadYaml as bad:
        return None, (bad.finding,)
    if not isinstance(document.data, dict):
        return None, load_document(document, facts).findings
    judged = replace(document, data={**STAND_IN, **document.data})
    loaded = load_document(judged, replace(facts, without=OF_A_REQUEST))
    misfits = list(_misfits(document))
    template = Template(document.data) if loaded.ticket and not misfits else None
    return template, tuple(sorted([*misfits, *loaded.findings], key=lambda finding: finding.line))


def _misfits(document: Document) -> Iterator[Finding]:
    """Find what makes a ticket no template."""
    for name in ("window", "owner"):
        if name in document.data:
            line = document.line((name,))
            yield Finding("standard", "it comes from the request", "Remove it.", (name,), line)
    if document.data.get("type") in ("normal", "emergency"):
        sentence = f"a change of type {document.data['type']} has no template"
        yield Finding("standard", sentence, "Write `type: standard`.", ("type",), document.line(("type",)))
