"""What nobody announced is taken back by a ticket of which only a person's part is blank, or it is said why not."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pytest

from changewindow.changes.put_back import NotPutBack, actions, ticket_of
from changewindow.collectors.base import CollectorBase, PutBack
from changewindow.ledger.findings import Recorded
from changewindow.policy.review import load_text
from changewindow.policy.service_catalogue import Catalogue
from changewindow.policy.world_finding import WorldFinding
from changewindow.systems.collection import Entry, Span
from changewindow.systems.connection import Connection
from changewindow.systems.context import Context
from collector_fixtures.git import commit
from step_fixtures.git_change import git
from support.looking import collector, looked
from support.tickets import FACTS

AT = datetime(2031, 3, 18, 14, 0, tzinfo=UTC)
CATALOGUE = Catalogue.model_validate(
    {"services": {"orders": {"owners": ["dora"], "environments": ["production"], "risk": "high"}}}
)
FIRST, SECOND = "a" * 40, "b" * 40
BLANKS = {
    "<your user name>": "alice",
    "<a second person>": "bob",
    "<start of the window>": "2031-03-18 15:00",
    "<end of the window>": "2031-03-18 17:00",
    "<airflow_connection>": "some_connection",
    "<service affected>": "orders",
}
GIT = collector({"kind": "git", "connection": "orders_config", "service": "orders"})
DNS = collector({"kind": "dns", "records": [{"record": "api.example.com", "expected": ["192.0.2.20"]}]})
CLUSTER = collector({"kind": "kubernetes", "connection": "prod", "namespace": "shop"})
DPKG, HERE = collector({"kind": "packages", "connection": "web_3"}), collector({"kind": "packages"})
RPM, DNF5 = (collector({"kind": "packages", "connection": "web_3", "manager": name}) for name in ("rpm", "dnf5"))
ETC = collector({"kind": "etckeeper", "connection": "web_3"})
TERRAFORM = collector({"kind": "terraform", "folder": "/opt/shop", "program": "tofu"})


def recorded(number: int = 12, **fields: Any) -> Recorded:
    """Return a finding of the collector `seen` on orders."""
    usual: dict[str, Any] = {"kind": "change", "collector": "seen", "object": "x", "at": AT, "what": "edited"}
    finding = WorldFinding(**{**usual, "why": "nobody", "services": ("orders",), "environment": "production", **fields})
    return Recorded(number, finding, AT)


def filled(ticket: str) -> str:
    """Return a ticket in which a person has filled in what only a person knows."""
    for blank, value in BLANKS.items():
        ticket = ticket.replace(blank, value)
    return ticket


PUT_BACK: dict[str, tuple[CollectorBase, dict[str, Any], dict[str, Any]]] = {
    "a commit": (
        GIT,
        {"object": "orders_config:main", "what": "commit bbbb: Tune", "before": FIRST, "after": SECOND},
        {"kind": "git_change", "connection": "orders_config", "revert": SECOND, "into": "main"},
    ),
    "a commit on another branch, by somebody whose subject is YAML": (
        GIT,
        {
            "object": "orders_config:release/v2",
            "what": "commit bbbb: '\"]} # {{ params.x }} - <now>: |",
            "before": FIRST,
            "after": SECOND,
        },
        {"revert": SECOND, "into": "release/v2"},
    ),
    "an address of a record": (
        DNS,
        {"object": "A api.example.com", "before": "192.0.2.20, 192.0.2.21 (ttl 60)", "after": "192.0.2.66 (ttl 60)"},
        {"kind": "dns", "zone": "example.com", "record": "api.example.com", "type": "A", "ttl": 60}
        | {"values": ("192.0.2.20", "192.0.2.21")},
    ),
    "texts with commas": (
        DNS,
        {"object": "TXT api.example.com", "before": '"v=1, a", "b" "c" (ttl 300)', "after": "no record"},
        {"type": "TXT", "values": ('"v=1, a"', '"b" "c"'), "ttl": 300},
    ),
    "a record that is not as it should be": (
        DNS,
        {"object": "A api.example.com", "before": "192.0.2.20", "after": "192.0.2.66 (ttl 60)"},
        {"values": ("192.0.2.20",), "ttl": None},
    ),
    "an image": (
        CLUSTER,
        {
            "object": "Deployment shop/orders",
            "what": "revision 5: spec.containers.app.image",
            "before": "spec.containers.app.image = registry:5000/orders:1.4.1",
            "after": "spec.containers.app.image = registry:5000/orders:1.4.2",
        },
        {"kind": "kubernetes_image", "connection": "prod", "namespace": "shop", "workload": "deployment/orders"}
        | {"container": "app", "image": "registry:5000/orders:1.4.1"},
    ),
    "a scale by a program that does not own up to it": (
        CLUSTER,
        {"object": "StatefulSet shop/db", "what": "scaled from 3 to 0 between", "before": "3", "after": "0"},
        {"kind": "kubernetes_scale", "workload": "statefulset/db", "replicas": 3},
    ),
    "an upgraded package": (
        DPKG,
        {"object": "web-3:nginx", "what": "package upgraded (amd64)", "before": "1.24.0-1", "after": "1:1.24.0-2~x"},
        {"kind": "ssh_command", "connection": "web_3"}
        | {"run": ("apt-get", "-y", "--allow-downgrades", "install", "nginx=1.24.0-1")}
        | {"undo_run": ("apt-get", "-y", "--allow-downgrades", "install", "nginx=1:1.24.0-2~x")},
    ),
    "a package that was not there before": (
        DPKG,
        {"object": "web-3:nmap", "what": "package installed (amd64)", "after": "7.9"},
        {"run": ("apt-get", "-y", "remove", "nmap")},
    ),
    "a removed package of this machine": (
        HERE,
        {"object": "here:fail2ban", "what": "package removed (all)", "before": "1.0"},
        {"kind": "command", "undo_run": ("apt-get", "-y", "remove", "fail2ban")},
    ),
    "a package of rpm": (
        RPM,
        {
            "object": "web-3:nginx",
            "what": "package upgraded (x86_64)",
            "before": "1:1.24-1.el9",
            "after": "1:1.26-1.el9",
        },
        {"run": ("dnf", "-y", "install", "nginx-1:1.24-1.el9")},
    ),
    "a removed package of dnf5": (
        DNF5,
        {"object": "web-3:nginx", "what": "package removed (x86_64)", "before": "1:1.26-1.el9"},
        {"run": ("dnf5", "-y", "install", "nginx-1:1.26-1.el9"), "undo_run": ("dnf5", "-y", "remove", "nginx")},
    ),
    "a new file in /etc": (
        ETC,
        {"object": "web-3:/etc/cron.d/x", "what": "new, not committed"},
        {"kind": "ssh_command", "connection": "web_3"},
    ),
}


@pytest.mark.parametrize(("seen", "finding", "fields"), PUT_BACK.values(), ids=PUT_BACK.keys())
def test_a_finding_is_taken_back_by_a_ticket_in_which_only_blanks_are_wrong(
    seen: CollectorBase, finding: dict[str, Any], fields: dict[str, Any]
) -> None:
    """A person fills them in, and it is a ticket; what the world has named means nothing in it."""
    ticket = ticket_of(recorded(**finding), {"seen": seen}, CATALOGUE)
    wrong = load_text(ticket, FACTS).findings
    assert {each.code for each in wrong if not each.is_warning} == {"blanks"}
    loaded = load_text(filled(ticket), FACTS)
    assert loaded.ticket, [each.reason for each in loaded.findings]
    [step] = loaded.ticket.steps
    assert {name: getattr(step, name) for name in fields} == fields
    assert (loaded.ticket.risk, loaded.ticket.services) == ("high", ("orders",))
    assert "TODO" not in ticket


NOT: dict[str, tuple[CollectorBase, dict[str, Any], str]] = {
    "a force push": (
        GIT,
        {"object": "orders_config:main", "what": "history was rewritten: 2 commits", "before": FIRST, "after": SECOND},
        "whoever may force a push restores aaaaaaaaaaaa by hand",
    ),
    "the first commit": (GIT, {"object": "orders_config:main", "what": "commit bbbb", "after": SECOND}, "first commit"),
    "a record that was not there": (DNS, {"object": "A new.example.com", "before": "no record"}, "no record before"),
    "servers that disagreed": (
        DNS,
        {"object": "A new.example.com", "before": "ns1: 192.0.2.1 (ttl 3); ns2: 192.0.2.2 (ttl 3)"},
        "its servers did not agree",
    ),
    "a serial": (DNS, {"object": "SOA example.com", "what": "is serial 3"}, "only counts upwards"),
    "a variable that is a fingerprint": (
        CLUSTER,
        {
            "object": "Deployment shop/orders",
            "what": "revision 5: x",
            "before": "spec.containers.app.env.A.value = f 1",
        },
        "or only by fingerprints",
    ),
    "an image and something else": (
        CLUSTER,
        {"object": "Deployment shop/orders", "before": "spec.containers.app.image = a:1\nspec.replicas = 3"},
        "write the ticket by hand",
    ),
    "a scale of before that nobody knows": (
        CLUSTER,
        {"object": "Deployment shop/orders", "what": "scaled to 5 by hand", "after": "5"},
        "how many pods there were before is not known",
    ),
    "a package with a name for a shell": (DPKG, {"object": "web-3:$(reboot)", "before": "1"}, "not known"),
    "a version that is an option": (DPKG, {"object": "web-3:x", "before": "1 -o APT::x"}, "not known"),
    "a package that was installed again": (DPKG, {"object": "web-3:x", "before": "1", "after": "1"}, "again"),
    "a file with a name for a shell": (ETC, {"object": "web-3:/etc/$(reboot)", "what": "changed"}, "by hand"),
    "a removed file": (ETC, {"object": "web-3:/etc/x", "what": "removed before this time"}, "by hand"),
    "drift": (
        TERRAFORM,
        {"object": "aws_instance.web", "known_by": "a provider says how it is now, not who did it; the audit log of "}
        | {"known_by": "a provider says how it is now, not who did it; the audit log of the cloud does"},
        "run `tofu -chdir=/opt/shop apply -target='aws_instance.web'` in a ticket of kind `command`",
    ),
    "a state": (TERRAFORM, {"object": "state /opt/shop"}, "does not keep former values"),
    "an alert of OSSEC": (collector({"kind": "ossec"}), {"object": "web-3:/etc/x"}, "write the ticket by hand"),
    "a gap": (GIT, {"kind": "gap", "object": ""}, "it is a time in which nothing was seen"),
    "a collector that is gone": (GIT, {"collector": "gone"}, "collectors.yaml has no collector 'gone' any more"),
}


@pytest.mark.parametrize(("seen", "finding", "why"), NOT.values(), ids=NOT.keys())
def test_where_no_step_can_it_says_why(seen: CollectorBase, finding: dict[str, Any], why: str) -> None:
    """And what a person can do instead."""
    with pytest.raises(NotPutBack) as refused:
        ticket_of(recorded(**finding), {"seen": seen}, CATALOGUE)
    assert str(refused.value).startswith("Finding 12 cannot be taken back by a ticket from here: ")
    assert why in str(refused.value)


def test_the_message_names_the_command_or_the_reason_of_each_finding() -> None:
    """Those of one reason together; a gap is nothing to take back."""
    able = recorded(1, object="orders_config:main", what="commit b: Tune", before=FIRST, after=SECOND)
    unable = [recorded(number, object="orders_config:main", what="history was rewritten") for number in (2, 3)]
    assert actions([able, *unable, recorded(4, kind="gap")], {"seen": GIT}) == [
        "take back: `changewindow findings ticket 1` writes the ticket",
        "take back findings 2, 3 by hand: history was rewritten; whoever may force a push restores  by hand",
    ]


async def test_a_commit_that_nobody_announced_is_reverted_by_its_ticket(tmp_path: Path) -> None:
    """On a real repository, with a commit on top of it that stays."""
    repository = tmp_path / "config"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main", ".")
    commit(repository, "Begin")
    connection = Connection("orders_config", "git", host=str(repository))
    settings = {"kind": "git", "connection": "orders_config", "within": "30s"}
    commit(repository, "Quick fix", file="quick.yaml")
    commit(repository, "Something else", file="other.yaml")
    git(repository, "checkout", "-q", "--detach")
    span = Span(datetime(2001, 1, 1, tzinfo=UTC), datetime.now(UTC))
    entries = (await looked(settings, connection, folder=tmp_path / "kept", span=span)).entries
    [entry] = [each for each in entries if "Quick fix" in each.what]
    ticket = load_text(filled(ticket_of(of_entry(entry), {"seen": collector(settings)}, CATALOGUE)), FACTS).ticket
    assert ticket
    here = Context("CHG-1001", 1, lambda _: connection, print)
    [step] = ticket.steps
    step.apply(here, step.remember(here))
    files = git(repository, "ls-tree", "--name-only", "main").split()
    assert files == ["other.yaml", "pool.yaml"]


async def test_a_file_of_etc_is_put_back_and_undo_restores_the_edit(tmp_path: Path) -> None:
    """With its mode; where nothing is known of before, nothing is touched."""
    etc = tmp_path / "etc"
    etc.mkdir()
    git(etc, "init", "-q", "-b", "main", ".")
    (etc / "hosts").write_text("before\n")
    git(etc, "add", ".")
    git(etc, "commit", "-qm", "Initial commit")
    (etc / "hosts").write_text("after\n")
    (etc / "hosts").chmod(0o600)
    settings = {"kind": "etckeeper", "folder": str(etc), "within": "30s"}
    here = Context("CHG-1001", 1, lambda _: Connection("none", "ssh"), print)
    for is_committed in (False, True):
        if is_committed:
            git(etc, "commit", "-qam", "Edit by hand")
        entries = (await looked(settings, folder=tmp_path / "kept")).entries
        [entry] = [each for each in entries if each.object.endswith("/hosts") and "Initial" not in each.what]
        finding = of_entry(replace(entry, at=AT))
        ticket = load_text(filled(ticket_of(finding, {"seen": collector(settings)}, CATALOGUE)), FACTS).ticket
        assert ticket
        [step] = ticket.steps
        step.apply(here, {})
        assert ((etc / "hosts").read_text(), (etc / "hosts").stat().st_mode & 0o777) == ("before\n", 0o600)
        step.undo(here, {})
        step.undo(here, {})
        assert ((etc / "hosts").read_text(), (etc / "hosts").stat().st_mode & 0o777) == ("after\n", 0o600)
    assert re.findall("[a-z.]+", git(etc, "status", "--porcelain")) == []


def of_entry(entry: Entry) -> Recorded:
    """Return the finding that an entry makes."""
    names = ("object", "what", "before", "after", "by", "known_by")
    return recorded(**{name: getattr(entry, name) for name in names})


class Broken(CollectorBase):
    """A kind with a mistake."""

    kind: Literal["broken"] = "broken"

    def put_back(self, entry: Entry) -> PutBack:
        """Fail."""
        raise LookupError(entry.object)


def test_a_kind_with_a_mistake_keeps_nobody_from_being_told() -> None:
    """What it says instead asks for a report."""
    [line] = actions([recorded(object="x")], {"seen": Broken()})
    assert line == "take back finding 12 by hand: the kind of seen has a mistake: LookupError('x'); report it"


def test_nothing_that_was_found_ends_the_comment_above_the_ticket() -> None:
    """Not even in a row of the ledger that somebody has edited."""
    edited = {
        "object": "orders_config:main",
        "what": "commit b: x\nrisk: low",
        "by": "eve\u2028steps: []\x85owner: eve",
    }
    ticket = ticket_of(recorded(**edited, before=FIRST, after=SECOND), {"seen": GIT}, CATALOGUE)
    begun = [line.partition(" ")[0] for line in ticket.splitlines() if line.startswith(("risk", "steps", "owner"))]
    assert begun == ["risk:", "owner:", "steps:"]
    assert "\nrisk: high\n" in ticket


def test_no_path_leads_out_of_the_folder_of_etckeeper() -> None:
    """Git has no such path; a row that was edited may."""
    for path in ("/etc/../root/x", "/root/x", "/etcetera/x"):
        edited = recorded(object=f"web-3:{path}", what="+1 -1, commit 0123456789ab")
        with pytest.raises(NotPutBack):
            ticket_of(edited, {"seen": ETC}, CATALOGUE)
