"""What nobody announced is found in the next pass, once; what was announced is not."""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from changewindow.changes.our_changes import Act, OurChange
from changewindow.changes.silent import Changed
from changewindow.policy.expected import Expected
from changewindow.systems.collection import Entry
from changewindow.systems.git.commit_content import CommitContent
from support.silent_world import CONF, EVERY, World, at, entry

APT = "apt-get -y install nginx=1.24.0-2"
INSTALL = {"kind": "ssh_command", "connection": "web_3", "run": APT.split()}
IMAGE = {"kind": "kubernetes_image", "workload": "deployment/orders", "container": "app", "image": "orders:1.4.2"}
EDIT_FILE = {"kind": "config_file", "connection": "web_3", "path": "/etc/nginx/nginx.conf", "set": {"workers": 8}}
SCALE = {"kind": "kubernetes_scale", "workload": "deployment/orders", "replicas": 3}
MERGE = {"kind": "git_change", "merge": "release", "into": "main"}
MERGED = CommitContent(frozenset({"CHG-1042/1"}), merged="f00d")


def change(*steps: dict[str, Any], began: float = 4, ended: float | None = 8, **fields: Any) -> OurChange:
    """Return a change on orders."""
    acts = tuple(
        Act("CHG-1042", number, "Act", at(began), announced=step, remembered=fields.get("remembered", {}))
        for number, step in enumerate(steps, 1)
    )
    return OurChange("CHG-1042", "Release", "production", ("orders",), acts, at(ended) if ended is not None else None)


def image(after: str, before: str = "orders:1.4.1", minutes: float = 5) -> Entry:
    """Return another image of a workload."""
    return entry(minutes, object="Deployment shop/orders", what="image changed", before=before, after=after)


def package(name: str, minutes: float = 5) -> Entry:
    """Return a package that the announced command line has upgraded."""
    return entry(minutes, object=f"web-3:{name}", what="upgraded", before="1", after="2", by="root", command=APT)


SILENT: dict[str, tuple[Entry, Sequence[OurChange]]] = {
    "a file edited by hand while nobody changes anything": (entry(), ()),
    "a file edited by hand a minute before a change begins": (entry(3), [change(EDIT_FILE)]),
    "a file edited by hand a minute after a change has ended": (entry(9), [change(EDIT_FILE)]),
    "another file than the announced one, edited meanwhile": (entry(object="web-3:/etc/hosts"), [change(EDIT_FILE)]),
    "another value than the announced one": (image("orders:1.4.3"), [change(IMAGE)]),
    "the announced value on another workload": (
        entry(object="Deployment shop/billing", before="1", after="orders:1.4.2"),
        [change(IMAGE)],
    ),
    "a scale by hand to another number than announced": (
        entry(object="Deployment shop/orders", what="scaled", before="2", after="5"),
        [change(SCALE)],
    ),
    "a package installed by another command than the announced one": (
        entry(object="web-3:nmap", what="installed", after="7.9", command="apt-get install nmap"),
        [change(INSTALL)],
    ),
    "a package that is appended to the announced command line": (
        entry(object="web-3:nmap", what=f"installed by {APT} nmap", after="7.9", command=f"{APT} nmap"),
        [change(INSTALL)],
    ),
    "a file of the name of an announced package": (entry(object="web-3:/etc/sudoers.d/nginx"), [change(INSTALL)]),
    "a Secret that is deleted while a workload of its name is changed": (
        entry(object="Secret shop/orders", what="deleted"),
        [change(IMAGE)],
    ),
    "a commit whose subject is an announced command line": (
        entry(object="config:main", what=f"commit a1b2: {APT}; x +1 -0", before="a0", after="a1b2"),
        [change(INSTALL)],
    ),
    "a package removed by hand": (entry(object="web-3:fail2ban", what="removed", before="1.0"), ()),
    "a commit that no step has made": (
        entry(object="config:main", what="commit a1b2: Tune", before="a0", after="a1b2"),
        [change(MERGE)],
    ),
    "a commit that names a step, as anybody may write, and holds something else": (
        entry(object="config:main", what="commit a1b2: Tune (CHG-1042/1)", before="a0", after="a1b2"),
        [change(MERGE, remembered={"merged": "f00d"})],
    ),
    "a force push": (entry(object="config:main", what="history was rewritten", before="b", after="a"), ()),
    "a new object": (entry(object="ConfigMap shop/feature", what="new", after="x"), ()),
    "a vanished object": (entry(object="ConfigMap shop/feature", what="removed", before="x"), ()),
    "an edit of somebody unknown": (entry(by="", known_by="auditd is off on web-3"), ()),
    "a change of another service at the same time": (entry(), [change({"kind": "wait"})]),
    "an edit that is written to the log after the pass before it": (entry(-1), ()),
}
ANNOUNCED: dict[str, tuple[Entry, Sequence[OurChange]]] = {
    "the announced image": (image("orders:1.4.2"), [change(IMAGE)]),
    "the announced number of replicas": (
        entry(object="Deployment shop/orders", what="scaled", before="2", after="3"),
        [change(SCALE)],
    ),
    "the announced file, without a value to compare": (entry(by="changewindow"), [change(EDIT_FILE)]),
    "a package of the announced command line": (package("libnginx"), [change(INSTALL)]),
    "the merge of the step": (
        entry(object="config:main", what="commit a1b2: Tune", before="a0", after="a1b2", commit=MERGED),
        [change(MERGE, remembered={"merged": "f00d"})],
    ),
    "the announced image, of a change that still acts": (image("orders:1.4.2"), [change(IMAGE, ended=None)]),
    "the announced image, on a clock that is three seconds off": (image("orders:1.4.2", minutes=3.95), [change(IMAGE)]),
}


@pytest.mark.parametrize(("seen", "ours"), SILENT.values(), ids=SILENT.keys())
def test_a_silent_edit_is_found_in_the_next_pass(seen: Entry, ours: Sequence[OurChange]) -> None:
    """Once, with before and after and who, as far as that is known."""
    world = World(ours)
    assert world.look() == []
    world.happened.append(seen)
    [found] = world.look()
    names = ("object", "at", "what", "before", "after", "by", "known_by")
    assert [getattr(found, name) for name in names] == [getattr(seen, name) for name in names]
    assert (found.kind, found.services, found.environment) == ("change", ("orders",), "production")
    assert found.why
    assert [world.look() for _ in range(3)] == [[], [], []]


@pytest.mark.parametrize(("seen", "ours"), ANNOUNCED.values(), ids=ANNOUNCED.keys())
def test_an_announced_change_is_not_found(seen: Entry, ours: Sequence[OurChange]) -> None:
    """By target, time and value."""
    world = World(ours)
    world.look()
    world.happened.append(seen)
    assert [world.look() for _ in range(3)] == [[], [], []]


def test_the_first_look_raises_no_alarm() -> None:
    """Whatever was there before; only what happens afterwards counts."""
    world = World(happened=[entry(-1), entry(-0.1), entry(0)])
    assert world.look() == []
    assert world.look() == []


def test_a_file_edited_by_hand_amid_500_announced_packages_is_exactly_one_finding() -> None:
    """In the same minute, on the same host."""
    world = World([change(INSTALL)])
    world.look()
    world.happened += [package(f"lib{number}", 5 + number / 500) for number in range(500)]
    world.happened.append(entry(5.5))
    assert [found.object for found in world.look()] == [CONF]


def test_an_entry_that_is_told_at_another_moment_the_next_time_is_the_same() -> None:
    """As a commit that arrived while it was asked for; announced or not."""
    world = World([change(IMAGE)])
    world.look()
    world.happened += [image("orders:1.4.2"), image("billing:7", before="billing:6")]
    assert len(world.look()) == 1
    again = EVERY.total_seconds() / 60 + 0.01
    world.happened += [image("orders:1.4.2", minutes=again), image("billing:7", before="billing:6", minutes=again)]
    assert world.look() == []


@pytest.mark.parametrize("seconds", [37, 38, 0])
def test_an_entry_of_a_clock_that_is_off_is_the_same_however_far_off_it_seems(seconds: int) -> None:
    """The clock of a host is 37.5 seconds ahead, and measured in whole ones."""
    world = World()
    world.look()
    world.happened.append(entry(14.9))
    assert len(world.look(clock_off=timedelta(seconds=37))) == 1
    assert world.look(clock_off=timedelta(seconds=seconds)) == []


def test_the_same_value_set_again_later_is_another_finding() -> None:
    """It is known again by its moment."""
    world = World()
    world.look()
    for minutes in (5, 20, 35):
        world.happened.append(image("orders:9", minutes=minutes))
        assert len(world.look()) == 1


def test_changed_and_changed_back_between_two_passes_is_one_finding() -> None:
    """It says both, and who did them."""
    world = World()
    world.look()
    world.happened += [image("orders:9"), image("orders:1.4.1", before="orders:9", minutes=7)]
    [found] = world.look()
    assert found.what == (
        "changed and changed back: image changed; changed back at 2031-03-18 14:07:00 UTC by eve: image changed"
    )
    assert (found.before, found.after, found.at) == ("orders:1.4.1", "orders:9", at(5))


def test_what_is_changed_back_later_ends_its_finding() -> None:
    """It is no new finding; of two that are open, the one that is taken back ends."""
    world = World()
    world.look()
    world.happened += [image("orders:9"), entry(6)]
    assert len(world.look()) == 2
    world.happened.append(image("orders:1.4.1", before="orders:9", minutes=20))
    assert world.look() == []
    assert world.changed == [Changed(1, "reverted", "changed back at 2031-03-18 14:20:00 UTC by eve")]


def test_a_change_of_ours_that_takes_it_back_is_named() -> None:
    """The finding says which."""
    back = {**IMAGE, "image": "orders:1.4.1"}
    world = World([change(back, began=19, ended=21)])
    world.look()
    world.happened.append(image("orders:9"))
    world.look()
    world.happened.append(image("orders:1.4.1", before="orders:9", minutes=20))
    world.look()
    assert world.changed == [Changed(1, "reverted", "changed back at 2031-03-18 14:20:00 UTC by CHG-1042")]


def test_what_is_noticed_at_every_look_is_found_once() -> None:
    """As a record that is not as expected; it may have been so for long."""
    world = World()
    world.look()
    standing = {"what": "is not as expected", "before": "1", "after": "2", "earliest": at(1)}
    found = []
    for number in (1, 2, 3):
        minutes = 15 * number - 0.01
        world.happened = [entry(minutes, object="A api.example.com", **standing)]
        found += world.look()
    assert [each.object for each in found] == ["A api.example.com"]


def test_an_announced_value_that_is_noticed_after_its_change_had_ended_is_announced() -> None:
    """A collector that compares two looks notices a quarter of an hour later."""
    world = World([change(IMAGE, began=4, ended=8)])
    world.look()
    world.happened.append(replace(image("orders:1.4.2", minutes=15), earliest=at(0)))
    assert [world.look() for _ in range(3)] == [[], [], []]


def test_the_same_value_noticed_in_every_second_look_is_found_each_time() -> None:
    """Whoever changes to and fro is not taken for who did it the last time."""
    world = World()
    world.look()
    for number in range(4):
        now, before = ("orders:9", "orders:8") if number % 2 == 0 else ("orders:8", "orders:9")
        world.happened.append(replace(image(now, before, 15 * number + 15), earliest=at(15 * number)))
        world.look()
    assert len(world.findings) + len(world.changed) == 4


def test_a_symptom_is_no_silent_change() -> None:
    """A login, or an event of a pod that does not start, is for whoever asks what happened."""
    world = World()
    world.look()
    world.happened.append(entry(what="event BackOff (12 times)", is_symptom=True))
    assert world.look() == []


NOISE = {"owner": "dora", "reason": "certbot renews it", "until": "2031-12-31"}
CERTBOT = {"object": "web-[0-9]+:/etc/letsencrypt/.*", "by": "certbot"}
RENEWED = entry(object="web-3:/etc/letsencrypt/live/x.pem", by="certbot")


@pytest.mark.parametrize(
    ("noise", "is_hidden"),
    [
        (CERTBOT, True),
        ({**CERTBOT, "collector": "audit"}, True),
        ({**CERTBOT, "collector": "other"}, False),
        ({**CERTBOT, "by": "eve"}, False),
        ({**CERTBOT, "object": "web-[0-9]+:/etc"}, False),
        ({**CERTBOT, "until": "2031-03-18"}, True),
        ({**CERTBOT, "until": "2031-03-17"}, False),
        ({**CERTBOT, "hours": {"start": "14:00", "end": "15:00"}}, True),
        ({**CERTBOT, "hours": {"start": "22:00", "end": "14:00"}}, False),
        ({**CERTBOT, "hours": {"start": "23:00", "end": "23:30", "zone": "Asia/Tokyo"}}, True),
    ],
    ids=[
        *("all that is asked for", "its collector", "another collector", "somebody else"),
        *("a part of the name only", "on its last day", "after its last day"),
        *("in its hours", "outside of its hours", "in its hours, in its zone"),
    ],
)
def test_expected_noise_is_hidden(noise: dict[str, Any], *, is_hidden: bool) -> None:
    """And counted; an expired entry hides nothing."""
    world = World(expected={"certificates": Expected.model_validate({**NOISE, **noise})})
    world.look()
    world.happened += [RENEWED, entry(6)]
    assert [found.object for found in world.look()] == ([] if is_hidden else [RENEWED.object]) + [CONF]
    assert world.hidden == ({"certificates": 1} if is_hidden else {})


def test_noise_that_would_hide_everything_is_refused() -> None:
    """Whatever its hours."""
    with pytest.raises(ValueError, match="it would hide every change"):
        Expected.model_validate({**NOISE, "hours": {"start": "22:00", "end": "06:00"}})


def test_a_full_answer_has_a_bounded_memory() -> None:
    """The most that a collector may answer, in every pass."""

    def passed(judged: Callable[[], object]) -> tuple[float, float]:
        tracemalloc.start()
        began = time.perf_counter()
        judged()
        took, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1] / (1 << 20)
        tracemalloc.stop()
        return took, peak

    world = World()
    world.look()
    world.happened = [entry(1 + number / 1000, object=f"web-3:{number}") for number in range(2000)]
    took, peak = passed(world.look)
    print(f"a pass with 2,000 silent entries takes {took:.2f} s and {peak:.1f} MiB")
    assert len(world.findings) == 2000
    assert peak < 60
