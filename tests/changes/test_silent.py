"""What nobody announced is found in the next pass, once; what was announced is not."""

import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from changewindow.changes.blindness import Known, Mark
from changewindow.changes.gathering import Look
from changewindow.changes.our_changes import Act, OurChange
from changewindow.changes.silent import Changed, Facts, first_span, judge
from changewindow.collectors.base import CollectorBase
from changewindow.policy.expected import Expected
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Collected, Coverage, Entry, Span
from changewindow.systems.git.commit_content import CommitContent

START = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
EVERY = timedelta(minutes=15)
CONF = "web-3:/etc/nginx/nginx.conf"
APT = "apt-get -y install nginx=1.24.0-2"
INSTALL = {"kind": "ssh_command", "connection": "web_3", "run": APT.split()}
IMAGE = {"kind": "kubernetes_image", "workload": "deployment/orders", "container": "app", "image": "orders:1.4.2"}
EDIT_FILE = {"kind": "config_file", "connection": "web_3", "path": "/etc/nginx/nginx.conf", "set": {"workers": 8}}
SCALE = {"kind": "kubernetes_scale", "workload": "deployment/orders", "replicas": 3}
MERGE = {"kind": "git_change", "merge": "release", "into": "main"}
MERGED = CommitContent(frozenset({"CHG-1042/1"}), merged="f00d")


class Collector(CollectorBase):
    """Somewhere that changes show."""

    kind: Literal["given"] = "given"


@dataclass
class World:
    """Passes over one collector, one each quarter of an hour, and what is known between them."""

    ours: Sequence[OurChange] = ()
    expected: dict[str, Expected] = field(default_factory=dict)
    service: str = "orders"
    now: datetime = START
    mark: Mark | None = None
    findings: dict[str, tuple[int, WorldFinding]] = field(default_factory=dict)
    changed: list[Changed] = field(default_factory=list)
    hidden: dict[str, int] = field(default_factory=dict)
    happened: list[Entry] = field(default_factory=list)

    def look(self, failure: str = "", **coverage: Any) -> list[WorldFinding]:
        """Pass over what has happened up to now; return what is new."""
        span = self.mark.span(self.now) if self.mark else first_span(self.now)
        seen = Coverage(**{"since": span.since, "until": span.until, **coverage})
        collected = None if failure else Collected(tuple(self.happened), seen).within(span)
        look = Look("audit", Collector(service=self.service, environment="production"), collected, failure)
        facts = Facts(self.now, self.now + timedelta(seconds=2), self.ours, self.expected)
        over = {changed.number for changed in self.changed}
        known = [Known(number, found) for number, found in self.findings.values() if number not in over]
        passed = judge(look, self.mark, known, facts)
        new = [found for found in passed.findings if found.identity not in self.findings]
        for found in new:
            self.findings[found.identity] = len(self.findings) + 1, found
        self.mark, self.now = passed.mark, self.now + EVERY
        self.changed += passed.changed
        for name, count in passed.hidden.items():
            self.hidden[name] = self.hidden.get(name, 0) + count
        return new


def at(minutes: float) -> datetime:
    """Return a moment so many minutes after the first pass."""
    return START + timedelta(minutes=minutes)


def entry(minutes: float = 5, **fields: Any) -> Entry:
    """Return somebody's edit."""
    usual = {"object": CONF, "what": "edited", "by": "eve", "known_by": "login uid of auditd"}
    return Entry(at(minutes), **{**usual, **fields})


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


def test_a_collector_that_does_not_answer_is_one_gap_until_it_sees_again() -> None:
    """Not one each quarter of an hour; what happened meanwhile is found afterwards."""
    world = World()
    world.look()
    [gap] = world.look("nobody is there")
    assert (gap.kind, gap.what, gap.why) == ("gap", "could not see from 2031-03-18 14:00:00 UTC on", "nobody is there")
    assert world.look("nobody is there") == []
    world.happened.append(entry(20))
    [found] = world.look()
    assert found.object == CONF
    assert [(changed.number, changed.state) for changed in world.changed] == [(1, "seen")]


def test_a_time_that_nobody_can_make_up_for_is_a_gap_of_its_own() -> None:
    """From when to when, once."""
    world = World()
    world.look()
    world.look("nobody is there")
    [gap] = world.look(since=at(20), why="its log begins there")
    expected = "could not see from 2031-03-18 14:00:00 UTC to 2031-03-18 14:20:00 UTC"
    assert (gap.what, gap.why) == (expected, "its log begins there")
    assert [changed.state for changed in world.changed] == ["seen"]
    assert world.look() == []


def test_twenty_minutes_in_between_are_a_gap() -> None:
    """A collector that was stopped says so."""
    world = World()
    world.look()
    [gap] = world.look(holes=(Span(at(3), at(9)),), why="it was stopped")
    assert gap.what == "could not see from 2031-03-18 14:03:00 UTC to 2031-03-18 14:09:00 UTC"


def test_a_collector_that_is_a_little_behind_is_asked_again() -> None:
    """Its log is written late; only one that stays behind is a gap."""
    world = World()
    world.look()
    assert world.look(until=at(10)) == []
    world.happened.append(entry(12))
    assert [found.object for found in world.look(until=at(25))] == [CONF]
    assert [found.kind for found in (*world.look(until=at(20)), *world.look(until=at(20)))] == ["gap"]


def test_lost_entries_are_told_once_for_each_number() -> None:
    """As auditd counts them."""
    world = World()
    world.look()
    whats = [[found.what for found in world.look(lost=lost)] for lost in (12, 12, 15)]
    assert whats == [
        ["12 entries are lost between 2031-03-18 14:00:00 UTC and 2031-03-18 14:15:00 UTC"],
        [],
        ["15 entries are lost between 2031-03-18 14:30:00 UTC and 2031-03-18 14:45:00 UTC"],
    ]


def test_a_collector_that_never_answered_is_a_gap_from_the_second_pass_on() -> None:
    """The first look raises no alarm, and nobody stays blind unnoticed."""
    world = World()
    assert world.look("it is unknown there") == []
    assert [found.kind for found in world.look("it is unknown there")] == ["gap"]


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
