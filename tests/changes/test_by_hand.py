"""Which findings a record explains: those whose object or new value a command names, at its time, and no others."""

from datetime import timedelta

import pytest

from changewindow.changes.by_hand import told_by
from changewindow.policy.manual_change import ManualChange
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.remembered import Difference
from support.changes import NOW
from support.manual_changes import HOSTS, IMAGE, NGINX, SCALE, SSHD, finding, manual

FIRST, SECOND = (NOW + timedelta(minutes=minutes) for minutes in (5, 20))
LOOKS = Difference(object="x", before="a", after="b", earliest=FIRST, latest=SECOND).when
EXPLAINED: dict[str, tuple[ManualChange, WorldFinding, str]] = {
    "a command names the object and its new value": (
        manual("ls", "kubectl -n shop set image deploy/orders app=orders:1.4.3"),
        finding(**IMAGE),
        "command 2 names it and its new value",
    ),
    "a command edits the object, and the value was typed in an editor": (
        manual("kubectl -n shop edit deploy orders"),
        finding(**IMAGE),
        "command 1 names it",
    ),
    "a command names a value that is rare, and the object stands in a variable": (
        manual("kubectl set image deploy/$D app=orders:1.4.3"),
        finding(**{**IMAGE, "object": "Deployment shop/cart"}),
        "command 1 names its new value",
    ),
    "a line of the audit log": (
        manual("patch deployments shop/orders image=orders:1.4.3 (by dora@example.com)"),
        finding(**IMAGE),
        "command 1 names it and its new value",
    ),
    "a file by its path, whose content only has a fingerprint": (
        manual("sudo vi /etc/hosts"),
        finding(**HOSTS),
        "command 1 names it",
    ),
    "a file by its name, from within its folder": (
        manual("cd /etc", "vi hosts"),
        finding(**HOSTS),
        "command 2 names it",
    ),
    "a file that is only printed, into itself": (
        manual("cat new | tee /etc/hosts"),
        finding(**HOSTS),
        "command 1 names it",
    ),
    "a package by name": (manual("apt-get install -y nginx"), finding(**NGINX), "command 1 names it"),
    "a package by version": (
        manual("apt-get install -y nginx=1.24.0-2"),
        finding(**NGINX),
        "command 1 names it and its new value",
    ),
    "what the log shows as the command that ran": (
        manual("apt-get -y dist-upgrade"),
        finding(object="web-3:libc", what="upgraded by apt-get -y dist-upgrade", before="2", after="3"),
        "command 1 is what was seen to run",
    ),
    "a number, on its object": (
        manual("kubectl scale deploy/orders --replicas=3"),
        finding(**SCALE),
        "command 1 names it and its new value",
    ),
    "a file as Puppet names it": (
        manual("vi /etc/hosts"),
        finding(object="web-3:File[/etc/hosts]", what="content changed"),
        "command 1 names it",
    ),
    "a certificate, by host and port": (
        manual("certbot renew; nginx -s reload  # shop.example.com:443"),
        finding(object="shop.example.com:443", what="certificate changed"),
        "command 1 names it",
    ),
    "what was noticed later, between two looks": (
        manual("vi /etc/hosts"),
        finding(20, object="web-3:/etc/hosts", what=f"changed {LOOKS}"),
        "command 1 names it",
    ),
    "something without a value that a command names": (
        manual("systemctl restart sshd"),
        finding(**SSHD),
        "command 1 names it",
    ),
    "a file by the end of its path": (
        manual("cd /etc/nginx && vi ./conf.d/shop.conf"),
        finding(object="web-3:/etc/nginx/conf.d/shop.conf", what="edited"),
        "command 1 names it",
    ),
    "a file that was copied to a host": (
        manual("scp hosts root@web-3:/etc/hosts"),
        finding(**HOSTS),
        "command 1 names it",
    ),
    "an object by a command without its kind": (
        manual("helm -n shop upgrade orders ./chart"),
        finding(object="ConfigMap shop/orders", what="changed"),
        "command 1 names it",
    ),
    "an object by the short name of its kind": (
        manual("kubectl --namespace=shop delete ingresses.networking.k8s.io/orders cm/orders"),
        finding(object="Ingress shop/orders", what="deleted"),
        "command 1 names it",
    ),
    "a rollout that was restarted": (
        manual("kubectl -n shop rollout restart deploy/orders"),
        finding(object="Deployment shop/orders", what="restarted", after="restartedAt 2031-03-18T14:15:00Z"),
        "command 1 names it",
    ),
    "a deletion": (
        manual("kubectl -n shop delete deploy orders"),
        finding(object="Deployment shop/orders", what="deleted", before="x", after=""),
        "command 1 names it",
    ),
    "just after the record's end, as clocks differ": (
        manual("vi /etc/hosts"),
        finding(10.05, **HOSTS),
        "command 1 names it",
    ),
    "a command a moment later by its clock": (manual("vi /etc/hosts", at=5.05), finding(**HOSTS), "command 1 names it"),
}
NOT_EXPLAINED: dict[str, tuple[ManualChange, WorldFinding, str]] = {
    "another value of the same thing": (
        manual("kubectl set image deploy/orders app=orders:1.4.2"),
        finding(**IMAGE),
        "a command names Deployment shop/orders, and another value: orders:1.4.2",
    ),
    "another number": (
        manual("kubectl scale deploy/orders --replicas=5"),
        finding(**SCALE),
        "a command names Deployment shop/orders, and another value: 5",
    ),
    "the same number, for something else": (
        manual("kubectl scale deploy/billing --replicas=3"),
        finding(**SCALE),
        "no command names Deployment shop/orders or the value 3",
    ),
    "nothing that was done names it": (
        manual("systemctl restart nginx"),
        finding(**HOSTS),
        "no command names web-3:/etc/hosts",
    ),
    "what was noticed later, between two later looks": (
        manual("vi /etc/hosts", began=NOW - timedelta(hours=1), ended=NOW - timedelta(minutes=30)),
        finding(20, object="web-3:/etc/hosts", what=f"changed {LOOKS}"),
        "it happened between 2031-03-18 14:15:00 and 2031-03-18 14:30:00 UTC, the record is of 2031-03-18 13:10 to",
    ),
    "a command that only looks at it": (
        manual("cat /etc/hosts"),
        finding(**HOSTS),
        "the commands that name web-3:/etc/hosts only look at it",
    ),
    "a look at the object through a pipe": (
        manual("kubectl -n shop get deploy orders -o yaml | grep image"),
        finding(**IMAGE),
        "the commands that name Deployment shop/orders only look at it",
    ),
    "the object, by a command that came later": (
        manual("vi /etc/hosts", at=8),
        finding(**HOSTS),
        "every command of the record was given later",
    ),
    "before the record's time": (
        manual("vi /etc/hosts"),
        finding(-1, **HOSTS),
        "it happened at 2031-03-18 14:09:00 UTC, the record is of 2031-03-18 14:10 to 14:20 UTC",
    ),
    "after the record's time": (
        manual("vi /etc/hosts"),
        finding(11, **HOSTS),
        "it happened at 2031-03-18 14:21:00 UTC, the record is of 2031-03-18 14:10 to 14:20 UTC",
    ),
    "a word of everybody's that is no object": (
        manual("tool --on yes"),
        finding(object="a:b", what="x", after="yes"),
        "no command names a:b or the value yes",
    ),
    "a restart of the package's program, where the package was upgraded": (
        manual("sudo systemctl restart nginx"),
        finding(**NGINX),
        "the commands that name web-3:nginx only restart it",
    ),
    "a rollout that is restarted, where the image was changed": (
        manual("kubectl -n shop rollout restart deploy/orders"),
        finding(**IMAGE),
        "the commands that name Deployment shop/orders only restart it",
    ),
    "another kind of the same name": (
        manual("kubectl -n shop scale deploy/orders --replicas=3", "kubectl -n shop edit cm orders"),
        finding(object="Role shop/orders", what="created"),
        "no command names Role shop/orders",
    ),
    "another kind in a line of the audit log": (
        manual("patch deployments shop/orders image=orders:1.4.3 (by dora@example.com)"),
        finding(object="Secret shop/orders", what="changed"),
        "no command names Secret shop/orders",
    ),
    "the same name in another namespace": (
        manual("kubectl -n staging edit deploy orders"),
        finding(**IMAGE),
        "no command names Deployment shop/orders",
    ),
    "a file that is called like a service": (
        manual("kubectl rollout restart deploy/orders", "systemctl restart orders"),
        finding(object="web-3:/etc/cron.d/orders", what="new"),
        "no command names web-3:/etc/cron.d/orders",
    ),
    "a unit's file, where the unit was restarted": (
        manual("systemctl restart orders.service"),
        finding(object="web-3:/etc/systemd/system/orders.service", what="edited"),
        "no command names web-3:/etc/systemd/system/orders.service",
    ),
    "a file of another folder": (
        manual("vi /srv/shop/hosts", "cd /srv/shop", "vi hosts"),
        finding(**HOSTS),
        "no command names web-3:/etc/hosts",
    ),
    "a short line that stands in everything": (
        manual("make"),
        finding(object="a:b", what="it makes"),
        "no command names a:b",
    ),
}


@pytest.mark.parametrize(("told", "seen", "why"), EXPLAINED.values(), ids=EXPLAINED.keys())
def test_it_is_explained(told: ManualChange, seen: WorldFinding, why: str) -> None:
    """By a command that names it, with which command that is."""
    answer = told_by(told, seen)
    assert (answer.explains, answer.why) == (True, why)


@pytest.mark.parametrize(("told", "seen", "why"), NOT_EXPLAINED.values(), ids=NOT_EXPLAINED.keys())
def test_it_is_not_explained(told: ManualChange, seen: WorldFinding, why: str) -> None:
    """And it is said why not."""
    answer = told_by(told, seen)
    assert not answer.explains
    assert answer.why.startswith(why)
