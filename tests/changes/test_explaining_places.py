"""What a change announced for one host, cluster or repository explains nothing in another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.changes.explaining import Explanation, Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from changewindow.systems.collection import Entry
from changewindow.systems.git.commit_content import CommitContent
from changewindow.systems.place import Place

AT = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
ORDERS = Scope("production", ("orders",))
Case = tuple[Entry, dict[str, Any], Place, Place, str]
WEB_3, WEB_4 = (Place(sort="host", name=name) for name in ("web-3.example.com", "web-4.example.com"))
BLUE, GREEN = (
    Place(sort="cluster", name=f"https://{name}.example.com:6443", namespace="shop") for name in ("blue", "green")
)
CONFIG, OTHERS = (Place(sort="repository", name=f"git@git.example.com:shop/{name}.git") for name in ("config", "other"))
IMAGE = {"kind": "kubernetes_image", "workload": "deployment/orders", "container": "app", "image": "orders:1.4.2"}
UPGRADE = {"kind": "ssh_command", "connection": "web_3", "run": ["apt-get", "-y", "install", "nginx=1.24.0-2"]}
MANIFEST = {"kind": "ConfigMap", "metadata": {"name": "cart", "namespace": "shop"}, "data": {"MAX_IDLE": "5"}}
MERGE = {"kind": "git_change", "merge": "release", "into": "main"}
RELOAD = {"kind": "ssh_command", "run": ["systemctl", "reload", "nginx"]}
FILE = {"kind": "config_file", "path": "/etc/motd", "content": "hello"}


def entry(after: str = "orders:1.4.2", **fields: Any) -> Entry:
    """Return an entry of a moment in which the change acts."""
    named = {"object": "Deployment shop/orders", "what": "edited", **fields}
    return Entry(AT + timedelta(seconds=10), after=after, **named)


def is_announced(known: Explanation) -> bool:
    """Return whether a change explains it by more than service and time."""
    return known.by_value or known.by_object


RAN = entry("", object="web-3:sudo", command="systemctl reload nginx", is_run=True)
MERGED = entry(object="config:main", commit=CommitContent(steps=frozenset({"CHG-1042/1"}), merged="f00d"))
PLACES: dict[str, Case] = {
    "the announced command line": (
        RAN,
        RELOAD,
        *(WEB_3, WEB_4),
        f"CHG-1042 acted then, and its step 1 'Roll out' announced this command line for the {WEB_3}, not the {WEB_4}",
    ),
    "the announced command line of a step of the worker": (
        RAN,
        {**RELOAD, "kind": "command"},
        *(WEB_3, WEB_4),
        "announced this command line for the host web-3.example.com",
    ),
    "the announced version of a package": (
        entry("1.24.0-2", object="web-3:nginx"),
        UPGRADE,
        *(WEB_3, WEB_4),
        "announced this value for the host web-3.example.com",
    ),
    "a file that came with the announced version of a package": (
        entry("", object="web-3:/etc/nginx", came_with=entry("1.24.0-2", object="web-3:nginx")),
        UPGRADE,
        *(WEB_3, WEB_4),
        "it came with the package nginx, whose change nobody announced: CHG-1042 acted then",
    ),
    "the announced file, of which no value is seen": (
        entry("", object="web-3:/etc/motd", what="written"),
        FILE,
        *(WEB_3, WEB_4),
        "by service and time only",
    ),
    "the announced image in another cluster": (entry(), IMAGE, BLUE, GREEN, "for the cluster https://blue"),
    "the announced image in another namespace than that of the connection": (
        entry(object="Deployment billing/orders"),
        IMAGE,
        *(BLUE, BLUE),
        "no step of it announced this value",
    ),
    "the announced manifest in another namespace than its own": (
        entry("5", object="ConfigMap billing/cart"),
        {"kind": "kubernetes_apply", "manifests": [MANIFEST]},
        *(BLUE, BLUE),
        "no step of it announced this value",
    ),
    "the announced merge in another repository": (MERGED, MERGE, CONFIG, OTHERS, "for the repository"),
}


@pytest.mark.parametrize("case", PLACES.values(), ids=PLACES.keys())
def test_what_was_announced_for_another_place_explains_nothing_here(case: Case) -> None:
    """On the same service, at the same time; in its own place it does, and where nobody knows the place."""
    seen, step, acted, there, why = case
    act = Act("CHG-1042", 1, "Roll out", AT, announced=step, remembered={"merged": "f00d"}, place=acted)
    made = OurChange("CHG-1042", "Release", "production", ("orders",), (act,), AT + timedelta(seconds=60))
    known = explain(seen.seen_at(there), ORDERS, [made])
    assert why in known.why
    assert not is_announced(known)
    own = replace(seen, object=seen.object.replace("billing/", "shop/"))
    for place in (acted, None):
        assert is_announced(explain(own.seen_at(place) if place else own, ORDERS, [made]))
