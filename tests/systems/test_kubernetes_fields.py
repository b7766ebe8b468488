"""Fields of objects, applied and undone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from changewindow.errors import StepFailed
from changewindow.systems.kubernetes.diagnosis import selector_of
from changewindow.systems.kubernetes.fields import changed_again, differences, patch, pending
from changewindow.systems.kubernetes.resource import core
from servers.kubernetes.patches import merge, tidy

HERE = core("configmaps", "shop", "x")
NAMES = some.sampled_from(["a", "b", "annotations", "labels", "data", "name"])
LEAVES = some.one_of(some.integers(0, 2), some.sampled_from(["", "x"]), some.booleans())
PARTS: Any = some.recursive(
    LEAVES, lambda inner: some.one_of(some.dictionaries(NAMES, inner, max_size=3), some.lists(inner, max_size=3))
)
OBJECTS = some.dictionaries(some.sampled_from(["spec", "data", "kind"]), PARTS, max_size=3)


@given(OBJECTS, OBJECTS)
def test_apply_and_undo_restore_the_object(old: dict[str, Any], new: dict[str, Any]) -> None:
    """Whatever the two states are; an empty mapping of free keys is as good as none, to the API too."""
    old, new = tidy(old), tidy(new)
    fields = differences(old, new)
    there = tidy(merge(old, patch(old, pending(HERE, old, fields, "apply"), "apply")))
    assert there == new
    assert pending(HERE, there, fields, "apply") == []
    assert tidy(merge(there, patch(there, pending(HERE, there, fields, "undo"), "undo"))) == old


def test_items_of_lists_are_told_apart_by_name() -> None:
    """What others write into another item, or before it, stays theirs."""
    old = {"spec": {"containers": [{"name": "cart", "image": "1"}, {"name": "log", "image": "1"}]}}
    new = {"spec": {"containers": [{"name": "cart", "image": "2"}, {"name": "log", "image": "1"}]}}
    fields = differences(old, new)
    assert [str(field) for field in fields] == ["spec.containers.cart.image"]
    theirs = {"spec": {"containers": [{"name": "mesh"}, {"name": "log", "image": "9"}, {"name": "cart", "image": "2"}]}}
    back = merge(theirs, patch(theirs, pending(HERE, theirs, fields, "undo"), "undo"))
    assert back["spec"]["containers"] == [
        {"name": "mesh"},
        {"name": "log", "image": "9"},
        {"name": "cart", "image": "1"},
    ]


def test_an_item_that_is_gone_is_somebody_elses_change() -> None:
    """There is nothing to put its field back into."""
    fields = differences(
        {"spec": [{"name": "cart", "image": "1"}]},
        {"spec": [{"name": "cart", "image": "2"}]},
    )
    with pytest.raises(StepFailed, match=r"spec.cart.image is nothing, neither '1'"):
        pending(HERE, {"spec": [{"name": "mesh"}]}, fields, "undo")


def test_where_lists_and_mappings_differ_is_said() -> None:
    """The first place, with what stands there; a list is not "a list", and another length is told as a whole."""
    old, new = {"spec": {"ports": [{"port": 80}]}}, {"spec": {"ports": [{"port": 80}, {"port": 81}]}}
    fields = differences(old, new)
    with pytest.raises(StepFailed) as failed:
        pending(HERE, {"spec": {"ports": [{"port": 80}, {"port": 82}]}}, fields, "undo")
    told = 'spec.ports is [{"port": 80}, {"port": 82}], not [{"port": 80}] (before this change)'
    assert f"{told} and spec.ports.1.port is 82, not 81 (by this change)" in str(failed.value)
    assert changed_again(old, fields, "apply") == ['spec.ports is [{"port": 80}], not [{"port": 80}, {"port": 81}]']


def test_what_the_server_writes_is_no_difference() -> None:
    """Versions, managers and status change all the time."""
    old = {"metadata": {"resourceVersion": "1", "labels": {"a": "1"}}, "status": {"replicas": 1}}
    new = {"metadata": {"resourceVersion": "2", "labels": {"a": "1"}, "managedFields": []}, "status": {"replicas": 2}}
    assert differences(old, new) == []
    counter = "deprecated.daemonset.template.generation"
    old, new = ({"metadata": {"annotations": {counter: count, "a": "1"}}} for count in ("1", "2"))
    assert differences(old, new) == []
    assert [str(field) for field in differences({"metadata": {}}, new)] == ["metadata.annotations.a"]


def test_a_selector_is_written_as_the_api_takes_it() -> None:
    """All four operators."""
    expressions = [
        {"key": "tier", "operator": "In", "values": ["a", "b"]},
        {"key": "env", "operator": "NotIn", "values": ["test"]},
        {"key": "app", "operator": "Exists"},
        {"key": "old", "operator": "DoesNotExist"},
    ]
    obj = {"spec": {"selector": {"matchLabels": {"app": "cart"}, "matchExpressions": expressions}}}
    assert selector_of(obj) == "app=cart,tier in (a,b),env notin (test),app,!old"
