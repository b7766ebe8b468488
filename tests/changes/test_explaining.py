"""Which change explains what a collector saw: by target, time and value."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from changewindow.changes.explaining import Explanation, Scope, explain
from changewindow.changes.our_changes import Act, OurChange
from changewindow.systems.collection import Entry, Span
from changewindow.systems.fingerprints import fingerprint
from changewindow.systems.git.commit_content import CommitContent

KEY, FORMER = b"the key of the fingerprints", b"the key that was changed"
AT = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
IMAGE = {"kind": "kubernetes_image", "workload": "deployment/orders", "container": "app", "image": "orders:1.4.2"}
SCALE = {"kind": "kubernetes_scale", "workload": "deployment/orders", "replicas": 3}
UPGRADE = {"kind": "ssh_command", "connection": "web_3", "run": ["apt-get", "-y", "install", "nginx=1.24.0-2"]}
VARIABLES = {
    "kind": "kubernetes_apply",
    "manifests": [
        {"kind": "Deployment", "metadata": {"name": "orders"}, "env": [{"name": "MODE", "value": "read only"}]},
        {"kind": "Secret", "metadata": {"name": "orders"}, "stringData": {"TOKEN": "s3cret"}},
    ],
}
ORDERS = Scope("production", ("orders",))


def change(*steps: dict[str, Any], ended: int | None = 60, **fields: Any) -> OurChange:
    """Return a change on orders that began its steps at AT, and ended so many seconds later."""
    names = ("applied", "undoing")
    moments = {name: AT + timedelta(seconds=fields.pop(name)) for name in names if fields.get(name) is not None}
    known = {"remembered": fields.pop("remembered", {})}
    acts = tuple(
        Act("CHG-1042", number, "Roll out", AT, announced=step, **moments, **known, keys=(KEY, FORMER))
        for number, step in enumerate(steps, 1)
    )
    made = OurChange("CHG-1042", "Release", "production", ("orders",), acts, ended and AT + timedelta(seconds=ended))
    return replace(made, **fields)


def entry(after: str = "orders:1.4.2", *, seconds: int = 10, **fields: Any) -> Entry:
    """Return an entry of so many seconds after AT."""
    named = {"object": "Deployment shop/orders", "what": "image changed", **fields}
    return Entry(AT + timedelta(seconds=seconds), after=after, **named)


def variable(value: str, *, was: str = "anything", key: bytes = KEY, name: str = "env.MODE.value") -> Entry:
    """Return an entry of a variable, of which only fingerprints are shown."""
    before, after = (f"{name} = {fingerprint(key, text)}" for text in (was, value))
    return entry(after, before=before, what=f"revision 5: {name}")


def content(**fields: Any) -> CommitContent:
    """Return what is in a commit that names the first step."""
    return CommitContent(**{"steps": frozenset({"CHG-1042/1"}), **fields})


def commit(seconds: int = 10, object: str = "config:main", **fields: Any) -> Entry:  # noqa: A002  as the entry calls it
    """Return a commit that names the first step."""
    what = "commit a1b2: Tune (CHG-1042/1)"
    return entry("a1b2", seconds=seconds, object=object, what=what, commit=content(**fields))


def run(command: str, program: str) -> Entry:
    """Return the entry of a command that somebody ran."""
    return entry("", object=f"web-3:{program}", what="ran", command=command, is_run=True)


MERGE = {"kind": "git_change", "merge": "release", "into": "main"}
WRITE = {"kind": "git_change", "write": {"a.yaml": "a: 1\r\n", "./b.yaml": "b: 2\n# $Id: 12 $\n"}}
REPLACE = {"kind": "git_change", "replace": {"file": "a.yaml", "old": "a: 1", "new": "a: 9"}, "into": "main"}
REVERT = {"kind": "git_change", "revert": "bad0", "into": "main"}
MERGED = change(MERGE, remembered={"merged": "f00d", "head": "0ld"})
VALUE = Explanation("CHG-1042", "step 1 'Roll out' announced this value", by_value=True)
OTHER = Explanation("", "CHG-1042 acted on orders in production then, but no step of it announced this value")
NAMED = Explanation("CHG-1042", "step 1 'Roll out' names it; no value could be compared", by_object=True)
NO_ONE = Explanation("", "no change acted on orders in production then")
LINE = Explanation("CHG-1042", "step 1 'Roll out' announced this command line", by_value=True)
RUN = Explanation("", "CHG-1042 acted on orders in production then, but no step of it announced this command line")
COMMIT = Explanation(
    "CHG-1042", "step 1 'Roll out' is named by the commit, which holds what it announced", by_value=True
)
TIME = Explanation("CHG-1042", "by service and time only: no value could be compared")
CASES: dict[str, tuple[Entry, OurChange, Explanation]] = {
    "the announced image": (entry(), change(IMAGE), VALUE),
    "the announced image, in words of the collector": (
        entry("image=orders:1.4.2", before="image=orders:1.4.1"),
        change(IMAGE),
        VALUE,
    ),
    "an image that nobody announced": (entry("orders:1.4.3"), change(IMAGE), OTHER),
    "the announced image, and something else in the same edit": (
        entry("image=orders:1.4.2 debug=on", before="image=orders:1.4.1 debug=off"),
        change(IMAGE),
        OTHER,
    ),
    "the announced image on another workload": (entry(object="Deployment shop/billing"), change(IMAGE), OTHER),
    "a number": (entry("3", before="2"), change(SCALE), VALUE),
    "before the change began": (entry(seconds=-60), change(IMAGE), NO_ONE),
    "after the change had ended": (entry(seconds=120), change(IMAGE), NO_ONE),
    "a clock that is a little off": (entry(seconds=-3), change(IMAGE), VALUE),
    "a change that still acts": (entry(seconds=900), change(IMAGE, ended=None), VALUE),
    "a change of another service": (entry(), change(IMAGE, services=("billing",)), NO_ONE),
    "a change of another environment": (entry(), change(IMAGE, environment="staging"), NO_ONE),
    "an old value that is restored by hand while the change is watched": (
        entry("orders:1.4.1"),
        change(IMAGE, remembered={"before": "orders:1.4.1"}),
        OTHER,
    ),
    "an old value that the rollback restores": (
        entry("orders:1.4.1", seconds=30),
        change(IMAGE, remembered={"before": "orders:1.4.1"}, undoing=20),
        Explanation("CHG-1042", "step 1 'Roll out' had this value restored", by_value=True),
    ),
    "what the server makes of the value": (
        entry("0.5"),
        change({**SCALE, "replicas": "500m"}, remembered={"fields": [{"stored_after": "0.5"}]}),
        VALUE,
    ),
    "a package of the announced command line": (
        entry("libc 3", object="web-3:libc", what="upgraded", command="apt-get -y install nginx=1.24.0-2"),
        change(UPGRADE),
        LINE,
    ),
    "the line for a shell": (
        entry("", object="web-3:/usr/bin/sh", what="ran", command="sh -c 'apt-get -y upgrade && reboot'"),
        change({"kind": "ssh_command", "run": {"shell": "apt-get -y upgrade && reboot"}}),
        LINE,
    ),
    "one command of the line for a shell, by its path": (
        entry("libc 3", object="web-3:libc", what="upgraded", command="sudo /usr/bin/apt-get -y upgrade"),
        change({"kind": "ssh_command", "run": {"shell": "apt-get -y upgrade && reboot"}}),
        LINE,
    ),
    "the announced command line with one more argument": (
        entry("7.9", object="web-3:nmap", what="installed", command="apt-get -y install nginx=1.24.0-2 nmap"),
        change(UPGRADE),
        OTHER,
    ),
    "another program under the announced name": (
        run("/opt/evil/apt-get -y install nginx=1.24.0-2", program="/opt/evil/apt-get"),
        change(UPGRADE),
        RUN,
    ),
    "another command line of the announced program": (
        run("apt-get -y install nmap", program="/usr/bin/apt-get"),
        change(UPGRADE),
        RUN,
    ),
    "anything by sudo, while a step runs something by sudo": (
        run("/usr/bin/systemctl stop auditd", program="sudo"),
        change({"kind": "ssh_command", "run": ["sudo", "-n", "systemctl", "restart", "nginx"]}),
        RUN,
    ),
    "what a step runs by sudo": (
        run("/usr/bin/systemctl restart nginx", program="sudo"),
        change({"kind": "ssh_command", "run": ["sudo", "-n", "systemctl", "restart", "nginx"]}),
        LINE,
    ),
    "a text that somebody has written, such as the title of a commit, with the announced command line in it": (
        entry("a1b2", object="config:main", what="commit a1b2: apt-get -y install nginx=1.24.0-2"),
        change(UPGRADE),
        OTHER,
    ),
    "what only the undo would do, by hand": (
        entry("1.24.0-1", object="web-3:nginx", what="downgraded", command="apt-get install nginx=1.24.0-1"),
        change({**UPGRADE, "undo": ["apt-get", "install", "nginx=1.24.0-1"]}),
        OTHER,
    ),
    "what the undo does": (
        entry("1.24.0-1", object="web-3:nginx", command="apt-get install nginx=1.24.0-1", seconds=30),
        change({**UPGRADE, "undo": ["apt-get", "install", "nginx=1.24.0-1"]}, undoing=20),
        LINE,
    ),
    "the announced version of a package": (entry("1.24.0-2", object="web-3:nginx"), change(UPGRADE), VALUE),
    "a file edited by hand while packages are upgraded": (
        entry("fingerprint 12", object="web-3:/etc/nginx/nginx.conf"),
        change(UPGRADE),
        OTHER,
    ),
    "the merge of the step": (commit(merged="f00d"), MERGED, COMMIT),
    "a merge that names the step, of another commit than the one that was approved": (
        commit(merged="bad0"),
        MERGED,
        OTHER,
    ),
    "a commit that names the step, and of which only that can be compared": (commit(), MERGED, OTHER),
    "a merge that names the step, on another branch": (commit(merged="f00d", object="config:other"), MERGED, OTHER),
    "a merge that names the step, before the change began": (commit(merged="f00d", seconds=-60), MERGED, NO_ONE),
    "a merge that names the step, after the change had ended": (commit(merged="f00d", seconds=120), MERGED, NO_ONE),
    "a commit of which nobody knows what is in it, with the step in its title": (
        entry("a1b2", object="config:main", what="commit a1b2: Tune (CHG-1042/1); pool.yaml +1 -1"),
        MERGED,
        OTHER,
    ),
    "a merge that names another change": (commit(merged="f00d", steps=frozenset({"CHG-1041/1"})), MERGED, OTHER),
    "a revert of the merge, by hand": (commit(reverts=content(merged="f00d")), MERGED, OTHER),
    "the revert of the merge by the rollback": (
        commit(reverts=content(merged="f00d"), seconds=30),
        change(MERGE, remembered={"merged": "f00d"}, undoing=20),
        COMMIT,
    ),
    "a revert of something else, that names the step while it is rolled back": (
        commit(reverts=content(merged="bad0"), seconds=30),
        change(MERGE, remembered={"merged": "f00d"}, undoing=20),
        OTHER,
    ),
    "the announced revert": (commit(reverted="bad0"), change(REVERT), COMMIT),
    "a revert of another commit than the announced one": (commit(reverted="f00d"), change(REVERT), OTHER),
    "the announced commit itself once more, by hand": (commit(reverts=content(reverted="bad0")), change(REVERT), OTHER),
    "the announced revert, taken back by the rollback": (
        commit(reverts=content(reverted="bad0"), seconds=30),
        change(REVERT, undoing=20),
        COMMIT,
    ),
    "the empty commit of a rollback that keeps a push out": (
        commit(seconds=30),
        change(MERGE, remembered={"merged": "f00d"}, undoing=20),
        COMMIT,
    ),
    "the announced files": (
        commit(files={"a.yaml": ("", "a: 1\n"), "b.yaml": ("b: 1\n", "b: 2\n# $Id$\n")}),
        change(WRITE),
        COMMIT,
    ),
    "the announced files, and another one": (
        commit(files={"a.yaml": ("", "a: 1\n"), "c.yaml": ("c: 1\n", "c: 2\n")}),
        change(WRITE),
        OTHER,
    ),
    "an announced file with another text": (commit(files={"a.yaml": ("", "a: 2\n")}), change(WRITE), OTHER),
    "the announced text in the place of the other": (
        commit(files={"a.yaml": ("a: 1\nb: 2\n", "a: 9\nb: 2\n")}),
        change(REPLACE),
        COMMIT,
    ),
    "the announced text, and one more in the same file": (
        commit(files={"a.yaml": ("a: 1\nb: 2\n", "a: 9\nb: 3\n")}),
        change(REPLACE),
        OTHER,
    ),
    "an announced variable, of which only a fingerprint is shown": (variable("read only"), change(VARIABLES), VALUE),
    "an announced variable that was not there before": (
        replace(variable("read only"), before="env.MODE.value = nothing"),
        change(VARIABLES),
        VALUE,
    ),
    "an announced variable, seen with the key of before it was changed": (
        variable("read only", key=FORMER),
        change(VARIABLES),
        VALUE,
    ),
    "an announced secret, as the cluster encodes it": (
        variable(base64.b64encode(b"s3cret").decode(), name="data.TOKEN"),
        change(VARIABLES),
        VALUE,
    ),
    "a variable that nobody announced, of which only a fingerprint is shown": (
        variable("read write"),
        change(VARIABLES),
        OTHER,
    ),
    "an announced variable, by a key that is not ours": (variable("read only", key=b"other"), change(VARIABLES), OTHER),
    "an announced variable, and another one in the same edit": (
        replace(
            variable("read only"), after=f"{variable('read only').after}\nenv.DEBUG.value = {fingerprint(KEY, 'on')}"
        ),
        change(VARIABLES),
        OTHER,
    ),
    "a part of an announced variable": (variable("read"), change(VARIABLES), OTHER),
    "a variable of before, that the rollback restores": (
        replace(variable("read write"), at=AT + timedelta(seconds=30)),
        change(VARIABLES, remembered={"before": "read write"}, undoing=20),
        Explanation("CHG-1042", "step 1 'Roll out' had this value restored", by_value=True),
    ),
    "an announced command line that sudo has logged": (
        entry("", object="web-3:sudo", what="ran as root", command="/usr/bin/systemctl reload nginx"),
        change({"kind": "ssh_command", "run": ["sudo", "-n", "systemctl", "reload", "nginx"]}),
        LINE,
    ),
    "an announced command line with a secret": (
        entry("", object="web-3:/usr/bin/psql", what="ran", command="psql --password=*** -c 'VACUUM x'"),
        change({"kind": "command", "run": ["psql", "--password=hunter22", "-c", "VACUUM x"]}),
        LINE,
    ),
    "the announced command line of a program of the same name elsewhere": (
        run("/home/eve/bin/systemctl reload nginx", program="sudo"),
        change({"kind": "ssh_command", "run": ["systemctl", "reload", "nginx"]}),
        RUN,
    ),
    "the announced command line in the cause of a rollout": (
        entry("app.image = evil:1", what="revision 7: app.image; apt-get -y install nginx=1.24.0-2"),
        change(UPGRADE),
        OTHER,
    ),
    "a command by sudo that was refused": (
        replace(run("", program="sudo"), what="refused"),
        change({"kind": "ssh_command", "run": ["sudo", "systemctl", "reload", "nginx"]}),
        RUN,
    ),
    "another file of the same name": (
        entry("", object="web-3:/etc/sudoers.d/nginx", what="created", by="eve"),
        change(UPGRADE),
        TIME,
    ),
    "the announced file, written by a line for a shell": (
        entry("", object="web-3:/etc/motd", what="written"),
        change({"kind": "ssh_command", "run": {"shell": "echo hello >/etc/motd"}}),
        NAMED,
    ),
    "the announced file, edited by hand while the step is watched": (
        entry("", object="web-3:/etc/nginx/nginx.conf", what="written", seconds=40),
        change({"kind": "config_file", "path": "/etc/nginx/nginx.conf"}, applied=4),
        TIME,
    ),
    "the announced file, which the undo writes": (
        entry("", object="web-3:/etc/nginx/nginx.conf", what="written", seconds=40),
        change({"kind": "config_file", "path": "/etc/nginx/nginx.conf"}, applied=4, undoing=35),
        NAMED,
    ),
    "a Secret of the same name as the workload": (
        entry("", object="Secret shop/orders", what="deleted"),
        change(IMAGE),
        TIME,
    ),
    "a workload of the same name in another namespace": (
        entry(object="Deployment billing/orders"),
        change({**IMAGE, "namespace": "shop"}),
        OTHER,
    ),
    "the ConfigMap of a step": (
        entry("data.MAX_IDLE = 5", before="data.MAX_IDLE = ?", object="ConfigMap shop/cart"),
        change({"kind": "kubernetes_config", "config_map": "cart", "set": {"MAX_IDLE": "5"}}),
        VALUE,
    ),
    "a value that stands only in the name of the step": (
        entry("2", before="3"),
        change({**SCALE, "name": "From 2 to 3", "replicas": 5, "undo_retries": 2}),
        OTHER,
    ),
    "the announced value after the rollback": (
        entry(seconds=50),
        change(IMAGE, remembered={"before": "orders:1.4.1"}, undoing=20),
        OTHER,
    ),
    "a value that is cut off": (entry("orders:1.4.2 …"), change(IMAGE), OTHER),
    "what was noticed after the change had ended, and may have happened in it": (
        entry(seconds=600, earliest=AT - timedelta(minutes=5)),
        change(IMAGE),
        VALUE,
    ),
    "what was noticed after the change had ended, and happened later": (
        entry(seconds=600, earliest=AT + timedelta(minutes=5)),
        change(IMAGE),
        NO_ONE,
    ),
    "between the end of a change and its rollback a month later": (
        entry(seconds=900),
        change(IMAGE, ended=3600, rests=(Span(AT + timedelta(seconds=60), AT + timedelta(seconds=1800)),)),
        NO_ONE,
    ),
    "an announced alias, with the dot that ends it": (
        entry("lb.example.net. (ttl 60)", before="web.example.com. (ttl 60)", object="CNAME www.example.com"),
        change({"kind": "dns", "record": "www.example.com", "type": "CNAME", "values": ["lb.example.net"]}),
        VALUE,
    ),
    "something without a value": (entry("", object="web-3:sshd", what="restarted"), change(UPGRADE), TIME),
    "something without a value that the step names": (
        entry("", object="web-3:nginx", what="restarted"),
        change(UPGRADE),
        Explanation("CHG-1042", "step 1 'Roll out' names it; no value could be compared", by_object=True),
    ),
}


@pytest.mark.parametrize(("seen", "ours", "expected"), CASES.values(), ids=CASES.keys())
def test_an_entry_is_explained(seen: Entry, ours: OurChange, expected: Explanation) -> None:
    """By value where there is one; an unannounced value is nobody's, also while a change acts."""
    assert explain(seen, ORDERS, [ours]) == expected


def test_what_belongs_to_no_service_is_explained_by_its_value_alone() -> None:
    """Time alone says nothing about a host that all services share."""
    shared = Scope("", ())
    assert explain(entry("1.24.0-2", object="web-3:nginx"), shared, [change(UPGRADE)]) == VALUE
    expected = Explanation("", "CHG-1042 acted then, but nothing shows that it did this")
    assert explain(entry("", what="restarted"), shared, [change(UPGRADE)]) == expected
    assert explain(entry(), shared, []) == Explanation("", "no change acted on anything then")
