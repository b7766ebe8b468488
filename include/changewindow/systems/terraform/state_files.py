"""Reads states and saved plans of Terraform and OpenTofu from their files."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from changewindow.errors import StepFailed


@dataclass(frozen=True)
class Version:
    """Which state it is: its lineage is its identity, its serial counts its changes."""

    lineage: str = ""
    serial: int = 0

    @classmethod
    def of(cls, state: str) -> "Version":
        """Return the version of a state; an empty text is the state before the first apply.

        Raises:
            ValueError: the text is not a state.
        """
        document = json.loads(state) if state.strip() else {}
        return cls(document.get("lineage") or "", document.get("serial") or 0)


def content_of(plan: Path) -> bytes:
    """Return the content of a saved plan.

    Raises:
        StepFailed: it cannot be read.
    """
    try:
        return plan.read_bytes()
    except OSError as error:
        problem = f"The saved plan {plan} cannot be read on the worker: {error.strerror}."
        raise StepFailed(f"{problem} Put the approved plan there.") from error


def read_plan(content: bytes, name: str) -> Version:
    """Return the version of the state that a saved plan was made for.

    Raises:
        StepFailed: it is not a saved plan.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return Version.of(archive.read("tfstate").decode())
    except (zipfile.BadZipFile, KeyError, ValueError) as error:
        is_encrypted = b"encrypt" in content[:4096]
        advice = "an encrypted one cannot be checked" if is_encrypted else "save it with `plan -out`"
        raise StepFailed(f"{name} is not a saved plan that can be read; {advice}.") from error


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of a saved plan, by which it was approved."""
    return hashlib.sha256(content).hexdigest()


def why_unfit(content: bytes, plan: Path, *, approved: str, stored: Callable[[], Version]) -> list[str]:
    """Return why a saved plan is not the approved one, or not for the state that is stored."""
    if (actual := digest_of(content)) != approved:
        problem = f"{plan} has the SHA-256 {actual[:12]}…, but {approved[:12]}… was approved."
        return [f"{problem} Put the approved plan there, or ask again with this one."]
    made_for, now = read_plan(content, str(plan)), stored()
    if made_for.serial == now.serial and (made_for.lineage == now.lineage or not now.serial):
        return []
    if made_for.lineage != now.lineage:
        why = f"another state (lineage {made_for.lineage[:8]}…; stored is {now.lineage[:8] or 'none'}…)"
    else:
        why = f"serial {made_for.serial} of the state, which is at {now.serial} by now: somebody has changed it since"
    return [f"{plan} was made for {why}. Make a new plan, and ask again with it."]
