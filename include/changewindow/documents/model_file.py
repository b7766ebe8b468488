"""Reads a file of the policy: YAML in, a model or every finding at once out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ValidationError

from changewindow.documents.findings import Finding
from changewindow.documents.validation import Given, of_errors
from changewindow.documents.yaml import BadYaml, parse, read_file

M = TypeVar("M", bound=BaseModel)
EMPTY = Finding("yaml", "it is not a mapping of names to values", "Write `name: value` lines.", line=1)


@dataclass(frozen=True)
class Read(Generic[M]):
    """What became of a file: a model without findings, or findings."""

    model: M | None
    findings: tuple[Finding, ...] = ()


def read_model(path: Path, model: type[M]) -> Read[M]:
    """Read a YAML file as a model; a file that cannot be read as one becomes findings, ordered by line."""
    try:
        document = parse(read_file(path))
    except BadYaml as bad:
        return Read(None, (bad.finding,))
    findings = list(document.findings)
    if not isinstance(document.data, dict):
        return Read(None, tuple(findings or [EMPTY]))
    try:
        built = model.model_validate(document.data)
    except ValidationError as error:
        findings += of_errors(document, Given(document.data, model), error.errors(include_url=False))
    if findings:
        return Read(None, tuple(sorted(findings, key=lambda finding: finding.line)))
    return Read(built)
