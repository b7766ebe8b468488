"""The command line: findings and exit codes, and never a traceback."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from changewindow import __version__, kinds, settings
from changewindow.cli import embedded
from changewindow.cli.main import main
from changewindow.ledger import changes, events
from changewindow.ledger.database import Ledger
from changewindow.policy.check import Facts
from changewindow.policy.review import load_text
from changewindow.ticket.reader import NEW
from support.tampering import tamper
from support.tickets import BANNER, EXAMPLES, NOW, POLICY, SOURCE, TESTS, golden

RELEASE = str(EXAMPLES[1])
BLANKS = {
    "<one sentence, what is being changed and why>": "Switch the banner on.",
    "<service affected>": "orders",
    "<your user name>": "alice",
    "<a second person>": "bob",
    "<person on call>": "carol",
    "<start of the window>": "2031-03-18 14:00",
    "<end of the window>": "2031-03-18 15:00",
    "<airflow_connection>": "shop",
    "<link to the review>": "https://git.example.com/1",
    "<owner/repository#number>": "example/orders#481",
    "<service there>": "orders",
    "<service in its labels>": "orders",
    "<pattern of the backups>": "/backup/orders-*.dump",
    "<schedule there>": "orders primary",
    "<name of who is on call>": "Carol",
    "<what the step does>": "Switch it on",
    "<program>": "banner",
    "<program that undoes it>": "banner",
    "<argument>": "state",
    "<PromQL that returns one number>": "sum(rate(errors[1m]))",
    "<what people still have to do>": "Tell everybody",
}
SHIPPED = f"policy: {TESTS.parent}/include/policy\n"
"""What is said beside, where nobody names a policy."""
Capture = pytest.CaptureFixture[str]


def write(path: Path, text: str) -> str:
    """Write a file; return its name."""
    path.write_text(text, encoding="utf-8")
    return str(path)


def process(*arguments: str, stdout: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[bytes]:
    """Start the command line as its own process."""
    return subprocess.Popen(
        [sys.executable, "-m", "changewindow", *arguments],
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(TESTS.parent / "include"), **environment},
    )


def test_lint_prints_every_finding_of_every_file(tmp_path: Path, capsys: Capture) -> None:
    """All at once, each with its file and line; the exit code says that there are some."""
    bad = write(tmp_path / "bad.yaml", json.dumps({**BANNER, "risk": "tiny", "owner": 5}))
    assert main(["lint", bad, RELEASE, str(tmp_path / "missing.yaml")]) == 1
    out, err = capsys.readouterr()
    missing = "the file cannot be read: No such file or directory. Check the name and its permissions. [yaml]"
    assert out.splitlines() == [
        f"{bad}:1: risk: 'tiny' is not allowed. Allowed: high, low, medium. [ticket]",
        f"{bad}:1: owner: found 5 where text is expected. Put it into quotes. [ticket]",
        f"{tmp_path}/missing.yaml:1: {missing}",
    ]
    assert err == f"{SHIPPED}3 findings in 3 tickets\n"


def test_lint_is_silent_about_good_tickets(capsys: Capture) -> None:
    """No finding, nothing on the standard output, exit code 0."""
    assert main(["lint", *map(str, EXAMPLES)]) == 0
    assert capsys.readouterr() == ("", f"{SHIPPED}2 tickets, no findings\n")


def test_a_warning_is_no_reason_to_fail(tmp_path: Path, capsys: Capture) -> None:
    """It is printed and counted for itself; the plan is printed all the same."""
    text = json.dumps({**BANNER, "services": ["order"]})
    without_connection = text.replace(json.dumps(SOURCE), '{"kind": "tcp", "host": "shop", "port": 80}')
    warned = write(tmp_path / "warned.yaml", without_connection)
    bad = write(tmp_path / "bad.yaml", json.dumps({**BANNER, "risk": "tiny"}))
    warning = "warning: services.0: 'order' is not in the service catalogue. Did you mean 'orders'? [known_service]\n"
    assert main(["lint", warned]) == 0
    assert capsys.readouterr() == (f"{warned}:1: {warning}", f"{SHIPPED}1 warning in 1 ticket\n")
    assert main(["lint", warned, bad]) == 1
    assert capsys.readouterr().err == f"{SHIPPED}1 finding and 1 warning in 2 tickets\n"
    assert main(["plan", warned]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("CHG-…: Switch the banner on.")
    assert err == f"{SHIPPED}{warned}:1: {warning}"


def test_lint_asks_the_policy_that_is_named(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """By option, or by CHANGEWINDOW_POLICY; a policy that cannot be read is reported, and nothing else."""
    folder = shutil.copytree(TESTS.parent / "include" / "policy", tmp_path / "policy")
    (folder / "services.yaml").write_text("configuration: high\nservices: {}\nunlisted: allow\n")
    assert main(["lint", RELEASE, "--policy", str(folder)]) == 1
    assert "a change of configuration ('Merge the release') is at least high" in capsys.readouterr().out
    (folder / "services.yaml").write_text("[]")
    monkeypatch.setenv("CHANGEWINDOW_POLICY", str(folder))
    finding = f"{folder}/services.yaml:1: it is not a mapping of names to values. Write `name: value` lines. [yaml]\n"
    assert main(["lint", RELEASE]) == 1
    out, err = capsys.readouterr()
    assert (out, finding in err) == ("", True)
    assert "No change starts until the policy can be read." in err
    assert main(["policy", "lint"]) == 1
    assert capsys.readouterr() == (finding, "1 finding in the policy; no change starts\n")


def test_lint_reports_every_layer_in_one_pass(tmp_path: Path, capsys: Capture) -> None:
    """Schema, kinds, people and catalogue at once, as far as what is right allows; and without a policy too."""
    wrong = {
        **BANNER,
        "services": ["order"],
        "risk": "tiny",
        "reviewer": "alice",
        "steps": [{**BANNER["steps"][0], "kind": "comand"}],
    }
    bad = write(tmp_path / "bad.yaml", json.dumps(wrong))
    assert main(["lint", bad]) == 1
    codes = re.findall(r"\[(\w+)\]$", capsys.readouterr().out, re.MULTILINE)
    assert sorted(codes) == ["known_service", "ticket", "ticket", "two_people"]
    folder = shutil.copytree(TESTS.parent / "include" / "policy", tmp_path / "policy")
    (folder / "services.yaml").write_text("[]")
    assert main(["lint", bad, "--policy", str(folder)]) == 1
    out, err = capsys.readouterr()
    assert sorted(re.findall(r"\[(\w+)\]$", out, re.MULTILINE)) == ["ticket", "ticket", "two_people"]
    assert "Judged without the policy. The policy cannot be read." in err


def test_policy_lint_reads_the_templates_too(tmp_path: Path, capsys: Capture) -> None:
    """A standard change is judged by the policy before anybody asks for it."""
    assert main(["policy", "lint"]) == 0
    assert capsys.readouterr() == ("", f"{SHIPPED}the policy and 2 templates, no findings\n")
    folder = shutil.copytree(TESTS.parent / "include" / "policy", tmp_path / "policy")
    shutil.copytree(TESTS.parent / "include" / "templates", tmp_path / "templates")
    restart = tmp_path / "templates" / "restart.yaml"
    restart.write_text(restart.read_text().replace("[orders]", "[order]"))
    (tmp_path / "templates" / "max_idle.yaml").write_text("[]")
    assert main(["policy", "lint", "--policy", str(folder)]) == 1
    out, err = capsys.readouterr()
    bad, warned, foreign = out.splitlines()
    assert bad.startswith(f"{tmp_path}/templates/max_idle.yaml:1: a ticket is a mapping of names to values.")
    assert warned.startswith(f"{restart}:4: warning: services.0: 'order' is not in the service catalogue.")
    assert "connection 'orders' serves orders in production, staging" in foreign
    assert err == "2 findings and 1 warning in the policy and 2 templates\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["lint"], "the following arguments are required: FILE"),
        (["lnit", "x"], "invalid choice: 'lnit'"),
        (["plan", "a", "b"], "unrecognized arguments: b"),
        (["kinds", "comand"], "there is no kind 'comand'. Did you mean 'command'?"),
        (["kinds", "x"], "there is no kind 'x'. Allowed: "),
        (["lint", RELEASE, "--policy", "/none"], "there is no policy in /none. Give --policy FOLDER, or set CHANGEW"),
        (["policy", "lint", "--policy", "/none"], "there is no policy in /none. Give --policy FOLDER, or set CHANGEW"),
        (["policy", "show"], "invalid choice: 'show'"),
        (["history", "--outcome", "lost"], "argument --outcome: invalid choice: 'lost'"),
        (["verify", "CHG-1", "--head", "5eff98"], "--head: '5eff98' is no whole hash; copy all 64 digits from the"),
        (["history", "--limit", "0"], "--limit 0 shows nothing; write 1 or more"),
        (["history", "CHG-1", "--person", "bob"], "--person look through all changes: leave out CHG-1."),
        (["history", "--ledger", "foo://x"], "--ledger: there is no driver for foo."),
        (["history", "--ledger", "sqlite://"], "--ledger names no file."),
        (["history", "CHG-1"], "no ledger is named, and no demo has left one. Give --ledger URL, or set AIRFLOW_C"),
    ],
)
def test_misuse_ends_with_2_and_a_message(
    arguments: list[str], message: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong call is told apart from a wrong ticket; a demo of this checkout is no part of that."""
    monkeypatch.setattr(embedded, "DEMO", Path("/none"))
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err


def test_plan_prints_what_would_be_done(capsys: Capture) -> None:
    """The plan has no id yet; below it stands every field of the ticket."""
    assert main(["plan", RELEASE]) == 0
    plan = golden("plan_release.txt").replace("CHG-1042", "CHG-…")
    assert capsys.readouterr().out == f"{plan}\n{golden('fields_release.txt')}"


def test_plan_of_a_bad_ticket_is_its_findings(tmp_path: Path, capsys: Capture) -> None:
    """Nothing is planned that could not be done."""
    bad = write(tmp_path / "bad.yaml", "[]")
    assert main(["plan", bad]) == 1
    assert capsys.readouterr() == (
        "",
        f"{SHIPPED}{bad}:1: a ticket is a mapping of names to values. `changewindow new` shows one. [yaml]\n",
    )


def test_a_new_ticket_has_a_finding_for_every_blank(tmp_path: Path, capsys: Capture) -> None:
    """Linting it as it is names each blank in use."""
    main(["new"])
    new = write(tmp_path / "new.yaml", capsys.readouterr().out)
    assert main(["lint", new]) == 1
    findings = capsys.readouterr().out
    used = re.findall("<[^<>]+>", "\n".join(line.split("#")[0] for line in NEW.read_text().splitlines()))
    assert re.findall("the blank (<[^<>]+>) is not filled in", findings) == used


@pytest.mark.parametrize("with_options", [False, True], ids=["as it is", "with all that is commented out"])
def test_a_new_ticket_is_valid_once_its_blanks_are_filled(with_options: bool) -> None:  # noqa: FBT001
    """Every blank has an obvious value, and what is commented out can be used."""
    head, body = NEW.read_text(encoding="utf-8").split("\n\n", 1)
    for blank, value in BLANKS.items():
        body = body.replace(blank, value)
    if with_options:
        body = re.sub(r"^( *)# ", r"\1", body, flags=re.MULTILINE)
    loaded = load_text(f"{head}\n\n{body}", Facts(now=NOW, policy=POLICY))
    assert loaded.findings == ()
    assert loaded.ticket
    assert (loaded.ticket.on_call == "carol") == with_options


def test_schema_prints_json(capsys: Capture) -> None:
    """Editors read it."""
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Ticket"


def test_kinds_lists_every_kind(capsys: Capture) -> None:
    """One line each, with what it does."""
    assert main(["kinds"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.split(None, 2) == ["checks", "two_people", "Owner and reviewer are two people."] for line in lines)
    assert {line.split()[0] for line in lines} == set(kinds.CONTRACTS)
    starts = {line.index(line.split(None, 2)[2]) for line in lines}
    assert len(starts) == 1, "however long a name is, what it does stands in one column"


def test_a_kind_is_shown_with_fields_and_an_example_to_copy(capsys: Capture) -> None:
    """The example is YAML; a name that two folders have is shown twice."""
    assert main(["kinds", "command"]) == 0
    out = capsys.readouterr().out
    assert '  run          needed    The program and its arguments, as a list; or `shell: "…"`.\n' in out
    assert "  undo         needed  " in out
    assert re.findall(r"^(\w+) command$", out, re.MULTILINE) == ["steps", "sources"]
    example = yaml.safe_load(out.split("Example:")[1].split("sources command")[0])
    assert example["kind"] == "command"


def test_the_ledger_is_kept_from_here(tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Upgrade, history and verify work with an address, or with Airflow's own variable."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert main(["ledger", "upgrade", "--ledger", url]) == 0
    change = changes.submit(Ledger(url), BANNER, requester="alice", now=NOW).change
    assert main(["history", change, "--ledger", url]) == 0
    assert "2026-03-01 00:00:00  alice  asked for the change: Switch the banner on." in capsys.readouterr().out
    connection = {"conn_type": "sqlite", "host": f"{tmp_path}/ledger.db"}
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", json.dumps(connection))
    assert main(["verify", change]) == 0
    assert f"{change}: every event follows the one before it; head " in capsys.readouterr().out
    assert main(["history", "CHG-77"]) == 1
    assert capsys.readouterr().err == "The ledger has no change CHG-77. Check the number, or look in another ledger.\n"


def test_the_whole_record_is_verified_from_here(tmp_path: Path, capsys: Capture) -> None:
    """Every finding is a line, and its exit code 1; a hash that somebody has kept is found in the chain, or not.

    The other event and head are those of the line's record.
    """
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url)
    ledger.upgrade()
    change = changes.submit(ledger, BANNER, requester="alice", now=NOW).change
    head = events.head(ledger, change)
    assert main(["verify", "--all", "--ledger", url]) == 0
    assert "0 findings in 1 change, 2 events; compared with 2 heads kept in " in capsys.readouterr().err
    assert main(["verify", change, "--head", head, "--ledger", url]) == 0
    assert f"{change}: the hash you have kept is that of event 1 of 1" in capsys.readouterr().out
    assert main(["verify", change, "--head", "0" * 64, "--ledger", url]) == 1
    assert "The record was altered or cut off" in capsys.readouterr().err
    tamper(ledger, "UPDATE changes SET status = 'approved' WHERE number = 1001")
    assert main(["verify", "--all", "--ledger", url]) == 1
    finding = f"{change}: its status is 'approved', and its events say 'submitted'."
    assert capsys.readouterr().out == f"{finding}\n"
    assert main(["verify", "--all", "--json", "--ledger", url]) == 1
    assert json.loads(capsys.readouterr().out) == {"changes": 1, "events": 2, "heads": 2, "altered": [finding]}


def test_the_key_of_the_embedded_default_is_found_beside_its_ledger(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever looks into its ledger need not say where it lives."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    for name in ("CHANGEWINDOW_SEAL_KEY", "CHANGEWINDOW_HEADS", "AIRFLOW_HOME"):
        monkeypatch.delenv(name, raising=False)
    ledger = Ledger(url, lambda: settings.read({"AIRFLOW_HOME": str(tmp_path)}))
    ledger.upgrade()
    changes.submit(ledger, BANNER, requester="alice", now=NOW)
    assert main(["verify", "--all", "--ledger", url]) == 0
    assert f"2 heads kept in {tmp_path}/changewindow-heads/" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["verify"], ["verify", "CHG-1", "--all"]])
def test_one_change_or_all_are_verified(arguments: list[str], capsys: Capture) -> None:
    """Not none, and not both."""
    with pytest.raises(SystemExit):
        main(arguments)
    assert "name a change, or give --all" in capsys.readouterr().err


@pytest.mark.parametrize("given", ["nonsense", "[]", "{}", '"text"'])
def test_a_connection_that_is_none_is_misuse(given: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.setenv("AIRFLOW_CONN_CHANGEWINDOW_LEDGER", given)
    with pytest.raises(SystemExit):
        main(["verify", "CHG-1"])
    assert "AIRFLOW_CONN_CHANGEWINDOW_LEDGER is not a connection as JSON with conn_type" in capsys.readouterr().err


def test_a_ledger_that_does_not_answer_is_reported(tmp_path: Path, capsys: Capture) -> None:
    """No traceback; the exit code is not 0."""
    assert main(["verify", "CHG-1", "--ledger", f"sqlite:///{tmp_path}/none/ledger.db"]) == 1
    assert capsys.readouterr().err.startswith(f"There is no ledger at {tmp_path}/none/ledger.db.")
    assert main(["verify", "CHG-1", "--ledger", "postgresql://somebody:secret@127.0.0.1:9/ledger"]) == 1
    refused = capsys.readouterr().err
    assert refused.startswith("The ledger at postgresql://somebody:***@127.0.0.1:9/ledger cannot be opened: ")
    assert "secret" not in refused


def test_names_of_files_and_terminals_may_be_anything(tmp_path: Path) -> None:
    """A name that is no UTF-8, and a terminal that knows only ASCII, are no reason to fail."""
    name = os.fsencode(tmp_path) + b"/\xff\xfc.yaml"
    Path(os.fsdecode(name)).write_text("a: ü")
    running = process("lint", os.fsdecode(name), RELEASE, PYTHONIOENCODING="ascii")
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1
    assert b"/\\udcff\\udcfc.yaml:1: unknown field 'a'." in out
    assert b"Traceback" not in err


@pytest.mark.integration
def test_a_reader_that_goes_away_is_no_error() -> None:
    """`changewindow schema | head -1` ends without a traceback, and not with success."""
    read, written = os.pipe()
    running = process("schema", stdout=written)
    os.close(read)
    os.close(written)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (1, b"")


def test_lint_starts_without_database_and_airflow() -> None:
    """Authors wait for it: neither SQLAlchemy nor Airflow is imported."""
    heavy = "{'airflow', 'sqlalchemy', 'alembic', 'argcomplete'}"
    code = f"import sys, changewindow.cli.main, changewindow.cli.tickets; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=TESTS.parent / "include"
    )
    assert done.stdout == "[]\n"


def test_it_prints_its_version(capsys: Capture) -> None:
    """As the package does."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"changewindow {__version__}\n"


def test_nothing_that_is_printed_acts_on_the_terminal(tmp_path: Path, capsys: Capture) -> None:
    """A ticket's name for a field is shown with its escape sequence."""
    bad = tmp_path / "bad\x1b[2J\u202e.yaml"
    bad.write_text("[]")
    assert main(["lint", str(bad)]) == 1
    printed = capsys.readouterr()
    assert r"bad\u001b[2J\u202e.yaml:1: a ticket is a mapping" in printed.out + printed.err
    assert "\x1b" not in printed.out + printed.err
