"""The step git_change: what a worker's account, its environment and odd repositories bring along."""

import subprocess
from pathlib import Path

import pytest

from changewindow.errors import StepFailed, UnusableConnection
from changewindow.systems.git.access import opened
from changewindow.systems.git.files import Files
from step_fixtures.git_change import git
from step_fixtures.git_change import repository as made
from support.git_changes import STEP, busy, commit, context, step

WRITE = step(write={"conf/pool.yaml": "max_idle: 1\n"})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("broken", id="a file that git complains of each time"),
        pytest.param("[clone]\ndefaultRemoteName=up", id="another name for where a clone came from"),
        pytest.param("[fetch]\nprune=true\npruneTags=true", id="branches are pruned"),
        pytest.param("[log]\nshowSignature=true", id="signatures are shown"),
        pytest.param("[push]\ngpgSign=true", id="pushes are signed"),
        pytest.param("[core]\nautocrlf=true", id="the line ends of another system"),
    ],
)
def test_the_settings_of_the_workers_account(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    """They change nothing of what is done, and above all is nothing left that undo takes for reverted."""
    (tmp_path / "settings").write_text(settings)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("CHANGEWINDOW_PASS_ENVIRONMENT", "GIT_CONFIG_GLOBAL")
    here = busy(repository, 1)
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    here.pushes, here.somebody = 1, lambda _: commit(repository, "late", "x")
    STEP.undo(here, remembered)
    assert git(repository, "show", "main:version") == "1"
    assert "Reverts-Step: CHG-1001/1" in git(repository, "log", "--format=%b", "main")


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_TRACE"]
)
def test_the_environment_of_a_worker_that_a_git_hook_started(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """What is done is done in the repository of the connection, and in no other one."""
    other = made(tmp_path / "other")
    before = git(other, "for-each-ref") + git(other, "status", "--porcelain")
    where = {"GIT_DIR": other / ".git", "GIT_WORK_TREE": other, "GIT_INDEX_FILE": other / ".git/index"}
    with monkeypatch.context() as patched:
        patched.setenv(name, str({**where, "GIT_OBJECT_DIRECTORY": other / ".git/objects"}.get(name, 1)))
        here = context(repository)
        remembered = WRITE.remember(here)
        WRITE.apply(here, remembered)
        WRITE.undo(here, remembered)
    assert git(repository, "log", "--format=%s", "main").splitlines()[:2] == ["Revert CHG-1001: Tune", "CHG-1001: Tune"]
    assert git(other, "for-each-ref") + git(other, "status", "--porcelain") == before


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"# idle\r\nmax_idle: 10\r\n", id="lines that end as on Windows"),
        pytest.param("# für\nmax_idle: 10\n".encode("latin-1"), id="not UTF-8"),
        pytest.param(b"max_idle: 10", id="no end of the last line"),
    ],
)
def test_each_other_byte_of_a_file_stays(repository: Path, content: bytes) -> None:
    """Only the value is replaced."""
    git(repository, "checkout", "-q", "main")
    (repository / "pool.yaml").write_bytes(content)
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "by somebody else")
    git(repository, "checkout", "-q", "--detach")
    here, edit = context(repository), step(replace={"file": "pool.yaml", "old": "max_idle: 10", "new": "max_idle: 1"})
    assert edit.missing_prerequisites(here) == []
    edit.apply(here, edit.remember(here))
    held = subprocess.check_output(["git", "show", "main:pool.yaml"], cwd=repository)
    assert held == content.replace(b"max_idle: 10", b"max_idle: 1")
    wrong = step(replace={"file": "pool.yaml", "old": "idle\nmax", "new": "x"})
    with pytest.raises(StepFailed, match="0 times, once was expected") as raised:
        wrong.apply(context(repository, 2), wrong.remember(here))
    assert str(raised.value).endswith("Its lines end with \\r\\n.") == (b"\r" in content)


def test_a_path_where_no_file_can_be(repository: Path) -> None:
    """A folder is no file, and a file is no folder; both are found at the gate."""
    commit(repository, "conf/pool.yaml", "1")
    for path, why in (("conf", "Is a directory"), ("version/pool.yaml", "File exists")):
        message = f"{path} cannot be written on main of example_config: {why}. Correct the path of the file."
        with pytest.raises(StepFailed) as raised:
            step(write={path: "x"}).missing_prerequisites(context(repository))
        assert str(raised.value) == message


def test_a_value_that_is_not_there_once_is_found_at_the_gate(repository: Path) -> None:
    """Unless an earlier step of the change may still write it."""
    late = step(replace={"file": "version", "old": "none", "new": "x"})
    with pytest.raises(StepFailed, match="version on main has 'none' 0 times, once was expected"):
        late.missing_prerequisites(context(repository))
    assert late.missing_prerequisites(context(repository, 2)) == []


def test_names_of_files_are_taken_literally(repository: Path) -> None:
    """A colon or a star is part of a name; a conflict tells a name with blanks and umlauts as it is."""
    names = [":!x", "conf[1]*.txt", "für alle.txt"]
    here, write = context(repository), step(write=dict.fromkeys(names, "1\n"))
    remembered = write.remember(here)
    write.apply(here, remembered)
    assert git(repository, "ls-tree", "-z", "--name-only", "main").strip("\0").split("\0") == [*names, "version"]
    commit(repository, "für alle.txt", "2")
    with pytest.raises(StepFailed, match=r"git revert conflicts in für alle\.txt\. Nothing was pushed"):
        write.undo(here, remembered)


def test_a_tag_of_the_name_of_the_branch(repository: Path) -> None:
    """When others push, it is the branch that is built upon."""
    here = busy(repository, 1)
    git(repository, "tag", "main", "main")

    def somebody(number: int) -> None:
        tree = git(repository, "rev-parse", "refs/heads/main^{tree}")
        made = git(repository, "commit-tree", tree, "-p", "refs/heads/main", "-m", f"by somebody else {number}")
        git(repository, "update-ref", "refs/heads/main", made)

    here.somebody = somebody
    remembered = STEP.remember(here)
    STEP.apply(here, remembered)
    here.pushes = 1
    STEP.undo(here, remembered)
    assert git(repository, "show", "refs/heads/main:version") == "1"
    assert git(repository, "log", "--format=%s", "refs/heads/main").count("by somebody else 0") == 2


def test_a_branch_that_was_force_pushed_away(repository: Path) -> None:
    """The commit that was to be merged is in the repository no more; that is no conflict."""
    here = context(repository)
    remembered = {**STEP.remember(here), "merged": "0123456789" * 4}
    with pytest.raises(StepFailed) as raised:
        STEP.apply(here, remembered)
    assert str(raised.value) == (
        "The repository of connection example_config has no commit 012345678901 any more, which was on top of "
        "release/v2.15.0. Was the branch force-pushed? Review and submit it again."
    )


@pytest.mark.parametrize("is_kept", [True, False], ids=["its content kept", "back to before"])
def test_undo_of_a_commit_that_a_force_push_has_rewritten(repository: Path, *, is_kept: bool) -> None:
    """Squashed by somebody, what was merged stays; only where the branch is as it was is there nothing to undo."""
    remembered = STEP.remember(context(repository))
    STEP.apply(context(repository), remembered)
    squashed = git(repository, "commit-tree", "-p", remembered["head"], "-m", "squashed", "main^{tree}")
    git(repository, "update-ref", "refs/heads/main", squashed if is_kept else remembered["head"])
    if not is_kept:
        STEP.undo(context(repository), remembered)
        return
    problem = "main of example_config has no commit of CHG-1001/1 any more, which was pushed there. Was it force-pushed"
    with pytest.raises(StepFailed, match=problem):
        STEP.undo(context(repository), remembered)
    assert git(repository, "rev-parse", "main") == squashed


def test_a_merge_that_fails_without_a_conflict(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not told to resolve one: here, the worker's account wants signed commits."""
    (tmp_path / "settings").write_text("[merge]\nverifySignatures=true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("CHANGEWINDOW_PASS_ENVIRONMENT", "GIT_CONFIG_GLOBAL")
    with pytest.raises(StepFailed, match=r"does not have a GPG signature\. Nothing was pushed\.$"):
        STEP.missing_prerequisites(context(repository))


@pytest.mark.parametrize("name", ["fix/#481-pool", "für/alle", "it's;$(x)", "+x", "@"])
def test_branches_of_every_name_that_git_takes(repository: Path, name: str) -> None:
    """To merge, and to merge into."""
    git(repository, "branch", name, "release/v2.15.0")
    git(repository, "branch", f"{name}-deployed", "main")
    merge = step(merge=name, into=f"{name}-deployed")
    here = busy(repository, 0)
    assert merge.missing_prerequisites(here) == []
    remembered = merge.remember(here)
    here.pushes, here.somebody = 1, lambda _: commit(repository, "late", "x", f"{name}-deployed")
    merge.apply(here, remembered)
    assert git(repository, "show", f"refs/heads/{name}-deployed:version") == "2"
    merge.undo(here, remembered)
    assert git(repository, "show", f"refs/heads/{name}-deployed:version") == "1"


def test_a_host_that_is_no_name(repository: Path) -> None:
    """It says which connection."""
    with pytest.raises(UnusableConnection, match="'example_config' has no host that can be one: ssh://☃/x"):
        STEP.remember(context(repository, host="ssh://☃/x"))


def test_files_of_which_only_a_pointer_is_there(repository: Path) -> None:
    """Whoever reads files of the repository, such as migrations, is not given what is none."""
    commit(repository, "db/first.sql", "SELECT 1;\n")
    files = Files.model_validate({"repository": "example_config", "at": "main", "folder": "db"})
    with files.opened(context(repository)) as folder:
        assert (folder.path / "first.sql").read_text() == "SELECT 1;\n"
    commit(repository, "db/second.sql", f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 9\n")
    with pytest.raises(StepFailed, match=r"db/second\.sql of example_config is a pointer of Git LFS here"):  # noqa: SIM117
        with files.opened(context(repository)):
            pass


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_shallow_repository(repository: Path, scheme: str) -> None:
    """Of a part of a history, no revert is certain; git itself would fetch the rest from there for ever."""
    commit(repository, "later", "x")
    shallow = repository.parent / "shallow"
    git(
        repository.parent, "clone", "-q", "--bare", "--depth=1", "--no-single-branch", f"file://{repository}", "shallow"
    )
    with pytest.raises(StepFailed, match="source repository is shallow, reject to clone"):
        STEP.missing_prerequisites(context(shallow, host=f"{scheme}{shallow}"))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ("https://bücher.example/x.git", "https://xn--bcher-kva.example/x.git"),
        ("https://bücher.example:8443/für.git", "https://xn--bcher-kva.example:8443/für.git"),
        ("ssh://git@bücher.example:22/x.git", "ssh://git@xn--bcher-kva.example:22/x.git"),
        ("git@bücher.example:für/x.git", "git@xn--bcher-kva.example:für/x.git"),
        ("/srv/für/x.git", "/srv/für/x.git"),
        ("https://example.com/@ü/x.git", "https://example.com/@ü/x.git"),
    ],
)
def test_the_host_of_a_repository_is_named_in_ascii(written: str, asked: str) -> None:
    """As everywhere; neither ssh nor the proxies on the way know any other form."""
    with opened(context(Path("/"), host=written), "example_config") as (address, _):
        assert address == asked
