"""Steps on a real cluster, how they fail there, and images that do not come up."""

from typing import Any

import pytest

from changewindow import kinds
from changewindow.errors import StepFailed
from changewindow.steps.base import Memory, StepBase
from changewindow.systems.context import Context
from servers.kubernetes.live import LiveCluster
from servers.kubernetes.shop import OLD

CART = ("deployments.apps", "shop", "cart")
REPOSITORY = OLD.partition(":")[0]
MISSING, CRASHING, UNREADY = (f"{REPOSITORY}:{name}" for name in ("nope", "crashing", "unready"))


def step(kind: str, **fields: Any) -> StepBase:
    """Return the example of a kind with other fields."""
    module = kinds.modules("steps")[f"kubernetes_{kind}"]
    example = {key: value for key, value in module.EXAMPLE.items() if key != "kind"}
    made: StepBase = module.Step.model_validate({**example, "timeout": "90s", **fields})
    return made


def failure(context: Context, example: StepBase, way: str = "apply", remembered: Memory | None = None) -> str:
    """Return the error with which a step fails."""
    remembered = example.remember(context) if remembered is None else remembered
    with pytest.raises(StepFailed) as raised:
        getattr(example, way)(context, remembered)
    print(f"\n{raised.value}")
    return str(raised.value)


def image(cluster: LiveCluster, place: tuple[str, str, str] = CART) -> str:
    """Return the image that a template names."""
    return str(cluster.get(*place)["spec"]["template"]["spec"]["containers"][0]["image"])
