"""The rights on hosts that the documentation of collectors asks for."""

import re
import subprocess
from pathlib import Path

import pytest

from changewindow import kinds
from changewindow.collectors.aide import Collector as Aide
from changewindow.collectors.etckeeper import LOG, STATUS
from changewindow.collectors.ossec import MOST
from changewindow.collectors.ossec import Collector as Ossec
from step_fixtures import need
from support.looking import collector

FRAGMENT = re.compile(r"^    changewindow ALL=.*?(?=\n\n|\n?\Z)", re.DOTALL | re.MULTILINE)
DOCUMENTED = {
    kind: fragment[0].replace("\n    ", "\n")
    for kind, module in kinds.modules("collectors").items()
    if (
        fragment := re.findall(
            r"^    changewindow ALL=.*?(?=\n\n|\n?\Z)", module.__doc__ or "", re.DOTALL | re.MULTILINE
        )
    )
}


def documented(kind: str) -> list[str]:
    """Return the commands that an account may run as root, as one writes them without sudo."""
    joined = " ".join(DOCUMENTED[kind].replace("\\\n", " ").split())
    commands = re.split(r"(?<!\\),\s*", joined.partition("NOPASSWD: ")[2])
    return [re.sub(r"\\([,:=\\])", r"\1", command) for command in commands]


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_sudo_understands_the_fragment(kind: str, tmp_path: Path) -> None:
    """It can be copied into a file of /etc/sudoers.d."""
    need("/usr/sbin/visudo")
    file = tmp_path / "changewindow"
    file.write_text(DOCUMENTED[kind] + "\n")
    file.chmod(0o440)
    subprocess.run(["/usr/sbin/visudo", "--check", "--strict", f"--file={file}"], check=True, capture_output=True)


def test_etckeeper_runs_what_its_fragment_allows() -> None:
    """Nothing else."""
    git = ("/usr/bin/git", "--no-optional-locks", "-C", "/etc")
    assert documented("etckeeper") == [" ".join((*git, *asked)) for asked in (LOG, STATUS)]


def test_auditd_runs_what_its_fragment_allows() -> None:
    """It asks, and sets nothing."""
    assert documented("auditd") == ["/usr/sbin/auditctl -s", "/usr/sbin/auditctl -l"]


def test_aide_runs_what_its_fragment_allows() -> None:
    """With the places that it has by default."""
    made = collector({"kind": "aide"})
    assert isinstance(made, Aide)
    assert documented("aide") == [
        f"/usr/bin/stat --printf=%Y {made.database}",
        f"/usr/bin/aide --config={made.config} --check",
    ]


def test_ossec_runs_what_its_fragment_allows() -> None:
    """For the file that it reads by default."""
    made = collector({"kind": "ossec"})
    assert isinstance(made, Ossec)
    assert documented("ossec") == [f"/usr/bin/tail -c {MOST} -- {made.alerts}"]
