"""A world for `terraform`: an application with an image, and a saved plan for another one; OpenTofu or Terraform."""

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from changewindow.steps.terraform import EXAMPLE
from changewindow.systems.connection import Connection
from step_fixtures import World, need

BUILT = Path.home() / ".cache/changewindow-tests/bin/tofu"
"""Where `make services` builds OpenTofu."""
MAIN = """
variable "image_tag" { default = "v2.14.3" }
variable "password" { sensitive = true }
module "myapp" {
  source    = "./myapp"
  image_tag = var.image_tag
}
resource "terraform_data" "other" { input = var.password }
output "tag" { value = module.myapp.tag }
"""
MYAPP = """
variable "image_tag" {}
resource "terraform_data" "app" { input = var.image_tag }
output "tag" { value = terraform_data.app.output }
"""
PASSWORD = "s3cret-of-the-stack"
ENVIRONMENT = {"TF_CLI_CONFIG_FILE": os.devnull}


def program() -> str:
    """Return what this machine has: the OpenTofu that was built, one that is installed, or Terraform."""
    path = next((program for program in (str(BUILT), "tofu", "terraform") if shutil.which(program)), str(BUILT))
    need(path)
    return path


def run(folder: Path, *arguments: str, called: str = "") -> str:
    """Run the program in a folder; return what it printed."""
    environment = {**os.environ, **ENVIRONMENT, "TF_VAR_password": PASSWORD}
    return subprocess.check_output([called or program(), *arguments], cwd=folder, env=environment, text=True)


def stack(folder: Path, *, backend: str = "", called: str = "") -> Path:
    """Make a configuration that was applied, so that image v2.14.3 runs."""
    (folder / "myapp").mkdir(parents=True)
    (folder / "main.tf").write_text(MAIN + backend)
    (folder / "myapp" / "main.tf").write_text(MYAPP)
    run(folder, "init", "-input=false", called=called)
    run(folder, "apply", "-auto-approve", "-input=false", called=called)
    return folder


def step(folder: Path, *, called: str = "") -> dict[str, Any]:
    """Save a plan for image v2.15.0; return the step that applies it."""
    run(folder, "plan", "-input=false", "-var=image_tag=v2.15.0", f"-out={EXAMPLE['plan']}", called=called)
    digest = hashlib.sha256((folder / str(EXAMPLE["plan"])).read_bytes()).hexdigest()
    remembered = {"folder": str(folder), "plan_sha256": digest, "program": called or program()}
    return {**EXAMPLE, **remembered, "environment": ENVIRONMENT, "secrets": {"TF_VAR_password": "stack"}}


def values(folder: Path) -> Any:
    """Return what there is, by the state."""
    state = json.loads(run(folder, "state", "pull"))
    resources = {resource["name"]: resource["instances"][0]["attributes"]["input"] for resource in state["resources"]}
    return resources, state["outputs"]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Give the application; its state is a file."""
    made = stack(folder / "shop")
    vault = Connection("stack", "generic", password=PASSWORD)
    saved = (made / "terraform.tfstate").read_bytes
    planned: dict[str, Any] = step(made)
    first = saved()
    yield World(
        planned,
        lambda: values(made),
        {"stack": vault},
        reset=lambda: (made / "terraform.tfstate").write_bytes(first),
        cuts=8,
    )
