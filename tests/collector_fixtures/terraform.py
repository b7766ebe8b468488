"""A world for `terraform`: a state in a file, in which an apply changes something."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from collector_fixtures import Made, World
from step_fixtures.terraform import ENVIRONMENT, program


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give a configuration with a state as an apply leaves it; nothing is applied for it."""
    (folder / "main.tf").write_text('resource "terraform_data" "app" { input = "v1" }\n')
    applied(folder, 1, "app", image="v1")
    asked = {"kind": "terraform", "folder": str(folder), "program": program(), "variables": ENVIRONMENT}
    asked |= {"within": "30s"}
    yield World(
        asked,
        lambda: made(folder),
        lambda text: applied(folder, 3, text, image="v1"),
        {**asked, "folder": f"{folder}/gone"},
        shows_from_the_first_look=False,
    )


def made(folder: Path) -> Made:
    """Apply another image."""
    applied(folder, 2, "app", image="v2")
    return Made("terraform_data.app", "", "changed in the state: input, ")


def applied(folder: Path, serial: int, *names: str, image: str) -> None:
    """Leave a state as an apply does."""
    attributes = {"id": "62619d66", "input": {"value": image, "type": "string"}, "triggers_replace": None}
    instance = {"schema_version": 0, "attributes": attributes, "sensitive_attributes": []}
    resource: dict[str, Any] = {"mode": "managed", "type": "terraform_data", "instances": [instance]}
    resource |= {"provider": 'provider["terraform.io/builtin/terraform"]'}
    state = {"version": 4, "terraform_version": "1.9.0", "serial": serial, "lineage": "2d9f18cd-b083", "outputs": {}}
    document = {**state, "resources": [{**resource, "name": name} for name in names], "check_results": None}
    (folder / "terraform.tfstate").write_text(json.dumps(document))
