"""A world for `kubernetes_image`: a cluster with a deployment of three pods."""

from contextlib import AbstractContextManager
from pathlib import Path

from changewindow.steps.kubernetes_image import EXAMPLE
from step_fixtures import World
from support.deployment_world import deployment


def world(folder: Path) -> AbstractContextManager[World]:
    """Give the deployment as its author wrote it, and what its pods run."""
    return deployment(EXAMPLE)
