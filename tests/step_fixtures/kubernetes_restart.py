"""A world for `kubernetes_restart`: a cluster with a deployment of three pods."""

from contextlib import AbstractContextManager
from pathlib import Path

from changewindow.steps.kubernetes_restart import EXAMPLE
from step_fixtures import World
from support.deployment_world import deployment


def world(folder: Path) -> AbstractContextManager[World]:
    """Give the deployment as its author wrote it, and what its pods run."""
    return deployment(EXAMPLE)
