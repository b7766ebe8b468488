"""What `terraform` shows of a state after a real apply, and of what was changed outside of it."""

import json
import stat
from pathlib import Path
from typing import Any

from changewindow.systems.collection import Collected
from changewindow.systems.connection import Connection
from changewindow.systems.terraform.resources import drift
from collector_fixtures.terraform import applied
from step_fixtures.terraform import ENVIRONMENT, PASSWORD, program, run, stack
from support.looking import looked

DRIFT = {
    "format_version": "1.2",
    "resource_changes": [{"address": "aws_instance.planned", "change": {"actions": ["update"]}}],
    "resource_drift": [
        {
            "address": "aws_security_group.shop",
            "change": {
                "actions": ["update"],
                "before": {"ingress": "10.0.0.0/8", "token": "old-s3cret", "copy": "x old-s3cret", "id": "sg-1"},
                "after": {"ingress": "0.0.0.0/0", "token": "new-s3cret", "copy": "x new-s3cret", "id": "sg-1"},
                "before_sensitive": {"token": True},
                "after_sensitive": {"token": True},
            },
        },
        {
            "address": "aws_instance.gone",
            "change": {"actions": ["delete"], "before": {"id": "i-1"}, "after": None, "after_sensitive": False},
        },
        {"address": "aws_instance.moved", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
    ],
}
"""As `show -json` prints it: https://developer.hashicorp.com/terraform/internals/json-format."""


async def look(folder: Path, kept: dict[str, Any], **fields: Any) -> Collected:
    """Return what shows of a folder."""
    asked = {"kind": "terraform", "folder": str(folder), "program": program(), "variables": ENVIRONMENT}
    vault = Connection("stack", "generic", password=PASSWORD)
    asked |= {"secrets": {"TF_VAR_password": "stack"}, "within": "60s", **fields}
    return await looked(asked, vault, folder=Path("unused"), kept=kept)


async def test_an_apply_shows_serial_and_resources_and_no_drift(tmp_path: Path) -> None:
    """The first look remembers; values that are sensitive are neither shown nor kept."""
    shop, kept = stack(tmp_path / "shop"), {}  # type: ignore[var-annotated]
    first = await look(shop, kept, drift=True)
    assert first.entries == ()
    assert f"changes of the state in {shop} are only remembered from " in first.coverage.why
    run(shop, "apply", "-auto-approve", "-input=false", "-var=image_tag=v2.15.0")
    entries = {entry.object: entry for entry in (await look(shop, kept)).entries}
    assert entries.keys() == {f"state {shop}", "module.myapp.terraform_data.app"}
    assert entries["module.myapp.terraform_data.app"].what.startswith("changed in the state: input, output, between")
    state = entries[f"state {shop}"]
    assert state.what.startswith("the state is at serial ")
    assert state.known_by.startswith("a state does not record who applied it")
    assert PASSWORD not in json.dumps(kept)
    assert [entry.what for entry in (await look(shop, kept)).entries] == [entry.what for entry in entries.values()]


async def test_drift_shows_what_was_changed_outside(tmp_path: Path) -> None:
    """By `resource_drift`, not by what the plan would change; this plan is recorded, since no provider drifts here."""
    plan, recorded = tmp_path / "recorded.json", tmp_path / "tofu"
    recorded.write_text(f'#!/bin/sh\ncase "$2" in plan) ;; show) cat {plan} ;; *) exec {program()} "$@" ;; esac\n')
    recorded.chmod(recorded.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "main.tf").touch()
    applied(tmp_path, 1, "app", image="v1")
    kept: dict[str, Any] = {}
    plan.write_text('{"resource_drift": []}')
    await look(tmp_path, kept, drift=True, program=str(recorded))
    plan.write_text(json.dumps(DRIFT))
    entries = {entry.object: entry for entry in (await look(tmp_path, kept, drift=True, program=str(recorded))).entries}
    assert entries.keys() == {"aws_security_group.shop", "aws_instance.gone"}
    group = entries["aws_security_group.shop"]
    assert group.what.startswith("was changed outside of the state: copy, ingress, token, between ")
    assert 'ingress: "10.0.0.0/8" -> "0.0.0.0/0"' in group.after
    assert "s3cret" not in str(entries) + json.dumps(kept)
    assert group.known_by == "a provider says how it is now, not who did it; the audit log of the cloud does"
    fresh = (await look(tmp_path, {}, drift=True, program=str(recorded))).entries
    assert {entry.object for entry in fresh} == entries.keys()
    plan.write_text("[]")
    broken = await look(tmp_path, kept, drift=True, program=str(recorded))
    assert "what was changed outside of the state is not known" in broken.coverage.why
    assert len(broken.entries) == 2


def test_what_looks_like_a_secret_is_only_compared_although_nobody_has_marked_it() -> None:
    """Providers do not mark the password in an address, nor that in a list of variables of an environment."""
    before = {"url": "postgres://app:s3cret@db/orders", "master_password": "hunter22", "size": "small"}
    after = {"url": "postgres://app:0ther@db/orders", "master_password": "hunter23", "size": "large"}
    plan = {"resource_drift": [{"address": "x", "change": {"actions": ["update"], "before": before, "after": after}}]}
    lines = drift(plan, lambda text: f"fingerprint {len(text)}")["x"]
    assert 'size: "small" -> "large"' in lines
    assert not [secret for secret in ("s3cret", "0ther", "hunter") if secret in lines]
