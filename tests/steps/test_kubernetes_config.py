"""The step kubernetes_config, against a local API server."""

from typing import Any

import pytest
from pydantic import ValidationError

from changewindow.errors import StepFailed
from changewindow.steps.kubernetes_config import EXAMPLE, Step
from changewindow.systems.context import Context
from servers.kubernetes import ApiServer
from servers.kubernetes.shop import config_map, workload

PLACE = ("configmaps", "shop", "cart-settings")


def step(**fields: Any) -> Step:
    """Return the example with other fields."""
    return Step.model_validate({**{key: value for key, value in EXAMPLE.items() if key != "kind"}, **fields})


def data(cluster: ApiServer) -> dict[str, str]:
    """Return what the ConfigMap holds."""
    return dict(cluster.get(*PLACE)["data"])


def test_only_the_keys_of_the_ticket_are_touched(cluster: ApiServer, context: Context) -> None:
    """New keys go again, removed ones come back, and what others add meanwhile stays."""
    cluster.make(config_map(MAX_IDLE="10", OLD="1"))
    example = step(set={"MAX_IDLE": "5", "NEW": "x"}, remove=["OLD"], restart="nothing")
    remembered = example.remember(context)
    example.apply(context, remembered)
    assert data(cluster) == {"MAX_IDLE": "5", "NEW": "x"}
    cluster.store.edit(*PLACE, lambda obj: obj["data"].update(THEIRS="y"))
    example.undo(context, remembered)
    assert data(cluster) == {"MAX_IDLE": "10", "OLD": "1", "THEIRS": "y"}


def test_a_key_that_somebody_else_changed_is_not_overwritten(cluster: ApiServer, context: Context) -> None:
    """The error names the key and the values."""
    cluster.make(config_map(MAX_IDLE="10"))
    example = step(restart="nothing")
    remembered = example.remember(context)
    example.apply(context, remembered)
    cluster.store.edit(*PLACE, lambda obj: obj["data"].update(MAX_IDLE="7"))
    with pytest.raises(StepFailed, match=r"data.MAX_IDLE is '7', neither '10' \(before this change\) nor '5'"):
        example.undo(context, remembered)


def test_all_users_of_it_are_restarted_and_nobody_else(cluster: ApiServer, context: Context) -> None:
    """Volumes, projected volumes and both ways of the environment count."""
    pods: dict[str, dict[str, Any]] = {
        "by-volume": {"volumes": [{"name": "v", "configMap": {"name": "cart-settings"}}]},
        "by-projection": {"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": PLACE[2]}}]}}]},
        "other": {"volumes": [{"name": "v", "configMap": {"name": "others"}}]},
    }
    reference = {"configMapKeyRef": {"name": "cart-settings", "key": "MAX_IDLE"}}
    variable = {"name": "M", "valueFrom": reference}
    pods["by-key"] = {"initContainers": [{"name": "i", "image": "i:1", "env": [variable]}]}
    cluster.make(config_map(MAX_IDLE="10"))
    for name, pod in pods.items():
        made = workload("StatefulSet" if name == "by-key" else "Deployment", name, replicas=1)
        made["spec"]["template"]["spec"]["containers"][0].pop("envFrom")
        made["spec"]["template"]["spec"] |= pod
        cluster.make(made)
    cluster.settle(cluster.is_settled)
    assert step().missing_prerequisites(context) == []
    restarted = [obj["name"] for obj in step().remember(context)["restarts"]]
    assert restarted == ["by-projection", "by-volume", "cart", "by-key"]


def test_what_cannot_be_written_is_refused_at_the_gate(cluster: ApiServer, context: Context) -> None:
    """No such ConfigMap, one that is immutable, and a key that holds binary data."""
    example = step(restart="nothing")
    (message,) = example.missing_prerequisites(context)
    assert message.startswith("There is no configmaps 'cart-settings' in namespace shop. Correct the name")
    cluster.make({**config_map(), "immutable": True, "binaryData": {"MAX_IDLE": "eA=="}})
    assert example.missing_prerequisites(context) == [
        "configmaps 'cart-settings' in namespace shop is immutable. Make a new one and let the workloads use that.",
        (
            "configmaps 'cart-settings' in namespace shop holds MAX_IDLE as binary data, which this kind cannot write. "
            "Use kubernetes_apply."
        ),
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"remove": ["MAX_IDLE"]}, "MAX_IDLE can't be set and removed at once"),
        ({"set": {}}, "nothing is set and nothing removed"),
        ({"set": {"a b": "1"}}, "should match pattern"),
    ],
)
def test_a_ticket_that_contradicts_itself_is_refused(fields: dict[str, Any], message: str) -> None:
    """Before anybody approves it."""
    with pytest.raises(ValidationError, match=message):
        step(**fields)
