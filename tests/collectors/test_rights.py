"""The rights on hosts that the documentation of collectors asks for."""

import os
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
def test_sudo_allows_what_the_fragment_names_and_no_argument_more(kind: str, tmp_path: Path) -> None:
    """It is put into a sudoers.d that only this test sees, for an account that nobody uses."""
    need("sudo", "unshare", "setpriv")
    if os.geteuid() != 0:
        pytest.skip("only root can give this test a sudoers.d of its own")
    file = tmp_path / "changewindow"
    file.write_text(DOCUMENTED[kind].replace("changewindow ALL", "nobody ALL") + "\n")
    file.chmod(0o440)
    tmp_path.chmod(0o755)
    as_nobody = 'mount --bind "$1" /etc/sudoers.d; shift; exec setpriv --reuid=nobody --clear-groups sudo -n -l -- "$@"'
    for command in documented(kind):
        asked = ["unshare", "--mount", "sh", "-c", as_nobody, "sh", str(tmp_path), *command.split()]
        assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
        assert subprocess.run([*asked, "--more"], capture_output=True, check=False).returncode == 1


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
