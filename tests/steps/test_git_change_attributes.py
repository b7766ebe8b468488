"""The step git_change in repositories whose `.gitattributes` say that a checkout is not what is stored."""

import subprocess
from pathlib import Path

import pytest

from changewindow.errors import StepFailed
from changewindow.systems.git.clone import cloned
from changewindow.systems.git.contents import replaced
from step_fixtures.git_change import git
from step_fixtures.git_change import repository as made
from support.git_changes import context, step

CRLF = b"a: 1\r\nmax_idle: 10\r\nb: 2\r\nc: 2\r\nz: 3\r\n"
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 3\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a repository with a release on a branch of its own."""
    return made(tmp_path / "config")


def store(repository: Path, files: dict[str, bytes | None], branch: str = "main") -> None:
    """Commit files on a branch, byte for byte; None removes one."""
    git(repository, "read-tree", branch)
    for name, content in files.items():
        if content is None:
            git(repository, "update-index", "--force-remove", name)
            continue
        (repository.parent / "content").write_bytes(content)
        blob = git(repository, "hash-object", "-w", "--no-filters", str(repository.parent / "content"))
        git(repository, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}")
    tree = git(repository, "write-tree")
    commit = git(repository, "commit-tree", tree, "-p", branch, "-m", f"by somebody else: {', '.join(files)}")
    git(repository, "update-ref", f"refs/heads/{branch}", commit)


def held(repository: Path, name: str, branch: str = "main") -> bytes:
    """Return what a branch holds, byte for byte."""
    return subprocess.check_output(["git", "cat-file", "blob", f"{branch}:{name}"], cwd=repository)


@pytest.mark.parametrize(
    ("before", "release"),
    [
        pytest.param(None, b"*.yaml text\n", id="added, text"),
        pytest.param(None, b"* text=auto\n", id="added, text=auto"),
        pytest.param(None, b"*.yaml eol=crlf\n", id="added, eol=crlf"),
        pytest.param(None, b"*.yaml working-tree-encoding=UTF-16\n", id="added, another encoding"),
        pytest.param(None, b"* filter=lfs diff=lfs merge=lfs -text\n", id="added, Git LFS"),
        pytest.param(b"*.yaml -text\n", b"*.yaml text ident\n", id="changed"),
        pytest.param(b"*.yaml text\n", None, id="removed"),
    ],
)
def test_a_release_that_says_other_attributes(repository: Path, before: bytes | None, release: bytes | None) -> None:
    """It is merged and reverted as it is stored: no line but the release's own changes."""
    store(repository, {"pool.yaml": CRLF, **({".gitattributes": before} if before else {})})
    branch = "fix/#481;$(touch-x)/für@2"
    git(repository, "branch", branch, "main")
    changed = CRLF.replace(b"10", b"1")
    store(repository, {"pool.yaml": changed, ".gitattributes": release}, branch)
    here, merge = context(repository), step(merge=branch)
    first = git(repository, "rev-parse", "main^{tree}")
    assert merge.missing_prerequisites(here) == []
    remembered = merge.remember(here)
    merge.apply(here, remembered)
    assert git(repository, "rev-parse", "main^{tree}") == git(repository, "rev-parse", f"refs/heads/{branch}^{{tree}}")
    store(repository, {"pool.yaml": changed.replace(b"z: 3", b"z: 4")})
    merge.undo(here, remembered)
    assert held(repository, "pool.yaml") == CRLF.replace(b"z: 3", b"z: 4")
    store(repository, {"pool.yaml": CRLF})
    assert git(repository, "rev-parse", "main^{tree}") == first


REPLACED = {
    "text": (b"text", CRLF),
    "auto": (b"text=auto", CRLF),
    "eol": (b"eol=crlf", CRLF),
    "ident": (b"ident", b"# $Id: 0123 $\nmax_idle: 10\n"),
    "utf-16": (b"", "max_idle: 10\r\n".encode("utf-16")),
    "utf-16, the other way round": (b"", b"\xfe\xff" + "max_idle: 10\n".encode("utf-16-be")),
    "utf-32": (b"", "ü max_idle: 10\n".encode("utf-32")),
    "stored in UTF-8": (b"working-tree-encoding=UTF-16", "ü: max_idle: 10\n".encode()),
    "with a mark": (b"text", b"\xef\xbb\xbfmax_idle: 10\r\n"),
    "latin-1": (b"text", b"\xfcber\r\nmax_idle: 10\r\n"),
}
WRITTEN = {
    "as given": (b"", None, "a\r\nb\n", b"a\r\nb\n"),
    "text": (b"text", None, "a\r\nb\n", b"a\nb\n"),
    "eol": (b"eol=crlf", b"x\n", "a\r\nb\n", b"a\nb\n"),
    "auto": (b"text=auto", b"x\n", "a\r\nb\n", b"a\nb\n"),
    "auto over CRLF": (b"text=auto", b"x\r\n", "a\r\nb\r\n", b"a\r\nb\r\n"),
    "not text": (b"-text", b"x\n", "a\r\n", b"a\r\n"),
    "ident": (b"ident", b"x\n", "# $Id: 0123 $\n", b"# $Id$\n"),
    "encoded": (b"working-tree-encoding=UTF-16", "ä\n".encode(), "ü\n", "ü\n".encode()),
    "encoded, new": (b"working-tree-encoding=UTF-16LE", None, "ü\n", "ü\n".encode()),
    "utf-16 as before": (b"", "ä\n".encode("utf-16"), "ü\n", "ü\n".encode("utf-16")),
    "ascii over latin-1": (b"", b"\xe4\n", "u\n", b"u\n"),
}
REFUSED = {
    "pointer": (b"filter=lfs", POINTER, "goes through the filter lfs of .gitattributes, which does not run here."),
    "secret": (b"filter=git-crypt", b"\0GITCRYPT", "goes through the filter git-crypt of .gitattributes"),
    "binary": (b"", "max_idle: 10".encode("utf-16-le"), "is no text in UTF-8: it is binary, or UTF-16 without a mark."),
    "latin-1": (b"", b"max_idle: 10 \xfc", "is not in UTF-8, and the new text would be."),
    "half": (b"", b"\xff\xfem", "is not in UTF-16-LE, and the new text would be."),
}
"""By the name of the file: its attributes, what is stored, and what becomes of it."""


def store_all(repository: Path, table: dict[str, tuple[bytes, bytes | None, *tuple[object, ...]]]) -> None:
    """Commit each file of a table that is there, with the attributes of all."""
    lines = [f'"{name}" '.encode() + row[0] + b"\n" for name, row in table.items()]
    files = {name: row[1] for name, row in table.items() if row[1] is not None}
    store(repository, {".gitattributes": b"".join(lines), **files})


def test_only_the_value_is_replaced(repository: Path) -> None:
    """Each other byte stays as it is stored, in all encodings and with all attributes."""
    store_all(repository, REPLACED)
    with cloned(context(repository), "example_config", "main") as clone:
        clone.git("read-tree", "HEAD")
        for name, (_, content) in REPLACED.items():
            edited = replaced(clone, name, "max_idle: 10", "max_idle: 1").content
            width = 4 if name == "utf-32" else 2 if name.startswith("utf-16") else 1
            at = content.rindex(b"0") - ("round" in name)
            assert edited == content[:at] + content[at + width :], name


def test_files_are_written_as_git_stores_them(repository: Path) -> None:
    """What others then check out is clean, and each file is in the encoding that it had; undo restores every byte."""
    store_all(repository, WRITTEN)
    before = git(repository, "rev-parse", "main^{tree}")
    here, write = context(repository), step(write={name: text for name, (_, _, text, _) in WRITTEN.items()})
    remembered = write.remember(here)
    write.apply(here, remembered)
    assert {name: held(repository, name) for name in WRITTEN} == {name: row[3] for name, row in WRITTEN.items()}
    git(repository.parent, "clone", "-q", str(repository), "-b", "main", "theirs")
    assert git(repository.parent / "theirs", "status", "--porcelain") == ""
    write.undo(here, remembered)
    assert git(repository, "rev-parse", "main^{tree}") == before


def test_a_file_of_which_nobody_knows_how_it_is_stored(repository: Path) -> None:
    """It is found at the gate, and not made garbage."""
    store_all(repository, REFUSED)
    for name, (_, _, message) in REFUSED.items():
        with pytest.raises(StepFailed) as raised:
            step(write={name: "ü"}).missing_prerequisites(context(repository))
        assert message in str(raised.value)
        assert str(raised.value).endswith(" Commit it on a branch, and use `merge`.")
    with pytest.raises(StepFailed, match="filter lfs"):
        step(replace={"file": "pointer", "old": "size 3", "new": "size 4"}).missing_prerequisites(context(repository))


def test_no_program_of_the_account_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a filter nor a merge driver that a release names is started."""
    ran, program = tmp_path / "ran", tmp_path / "program"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >> {ran}\ncat\n')
    program.chmod(0o755)
    settings = "".join(f'[filter "{name}"]\nclean={program}\nsmudge={program}\nrequired=true\n' for name in ("x", "y"))
    (tmp_path / "settings").write_text(f'{settings}[merge "x"]\ndriver={program} %A\n[merge]\nrenormalize=true\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("CHANGEWINDOW_PASS_ENVIRONMENT", "GIT_CONFIG_GLOBAL")
    store(repository, {"pool.yaml": CRLF, ".gitattributes": b"*.yaml filter=x merge=x\n"})
    git(repository, "branch", "rel", "main")
    store(repository, {"pool.yaml": CRLF.replace(b"10", b"1")}, "rel")
    here, merge = context(repository), step(merge="rel")
    store(repository, {"pool.yaml": CRLF.replace(b"z: 3", b"z: 4")})
    remembered = merge.remember(here)
    ran.unlink(missing_ok=True)
    merge.apply(here, remembered)
    assert held(repository, "pool.yaml") == CRLF.replace(b"10", b"1").replace(b"z: 3", b"z: 4")
    merge.undo(here, remembered)
    assert held(repository, "pool.yaml") == CRLF.replace(b"z: 3", b"z: 4")
    assert not ran.exists()


def test_files_that_are_not_to_be_merged_line_by_line(repository: Path) -> None:
    """What `.gitattributes` say of it holds, in folders as well; a revert never keeps the lines of both sides."""
    lines = b"".join(b"%d\n" % number for number in range(9))
    attributes = b"lock -merge\nnews merge=union\n"
    store(repository, {"a/.gitattributes": attributes, "a/lock": lines, "a/news": lines})
    for branch, name in (("lock", "a/lock"), ("news", "a/news")):
        git(repository, "branch", branch, "main")
        store(repository, {name: b"ours\n" + lines}, branch)
    store(repository, {"a/lock": lines + b"theirs\n", "a/news": b"theirs\n" + lines})
    here = context(repository)
    with pytest.raises(StepFailed, match=r"git merge conflicts in a/lock\. Nothing was pushed"):
        step(merge="lock").missing_prerequisites(here)
    merge = step(merge="news")
    remembered = merge.remember(here)
    merge.apply(here, remembered)
    assert held(repository, "a/news") == b"theirs\nours\n" + lines
    store(repository, {"a/news": b"theirs\nours and more\n" + lines})
    with pytest.raises(StepFailed, match=r"git revert conflicts in a/news\. Nothing was pushed"):
        merge.undo(here, remembered)


def test_what_else_is_no_plain_file_stays_as_it_is(repository: Path) -> None:
    """Bits, links and submodules survive both ways; a file in place of a folder conflicts by name."""
    first = git(repository, "rev-parse", "main")
    blob = git(repository, "hash-object", "-w", str(repository / "version"))
    git(repository, "read-tree", "main")
    for mode, entry, name in (("100755", blob, "run.sh"), ("120000", blob, "link"), ("160000", first, "vendored")):
        git(repository, "update-index", "--add", "--cacheinfo", f"{mode},{entry},{name}")
    tree = git(repository, "write-tree")
    git(repository, "update-ref", "refs/heads/main", git(repository, "commit-tree", tree, "-p", "main", "-m", "x"))
    before = git(repository, "ls-tree", "main")
    here, write = context(repository), step(write={"run.sh": "echo\n", "new": "1\n", "./d//e": "2\n"})
    remembered = write.remember(here)
    write.apply(here, remembered)
    listed = [line.split() for line in git(repository, "ls-tree", "-r", "main").splitlines()]
    modes = {name: mode for mode, _, _, name in listed}
    wanted = {"run.sh": "100755", "link": "120000", "vendored": "160000", "new": "100644", "d/e": "100644"}
    assert modes == {**wanted, "version": "100644"}
    write.undo(here, remembered)
    assert git(repository, "ls-tree", "main") == before
    for name in ("vendored", "vendored/x"):
        with pytest.raises(StepFailed, match=f"{name} on main is or lies in the submodule vendored"):
            step(write={name: "x"}).missing_prerequisites(context(repository, 1))
    merged = step(merge="swap")
    git(repository, "branch", "swap", "main")
    store(repository, {"run.sh": None, "run.sh/x": b"1\n"}, "swap")
    store(repository, {"run.sh": b"echo more\n"})
    with pytest.raises(StepFailed, match=r"git merge conflicts in .*run\.sh"):
        merged.missing_prerequisites(context(repository, 2))


def test_a_warning_is_no_name_of_a_file(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What git complains of beside its answer is not told as a conflict, and hides none."""
    (tmp_path / "settings").write_text("[core]\nunknown\n[color]\nui=always\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "settings"))
    monkeypatch.setenv("GIT_TRACE", "1")
    monkeypatch.setenv("CHANGEWINDOW_PASS_ENVIRONMENT", "GIT_CONFIG_GLOBAL,GIT_TRACE")
    store(repository, {'od"d\tname': b"1\n"})
    git(repository, "branch", "rel", "main")
    store(repository, {'od"d\tname': b"2\n"}, "rel")
    store(repository, {'od"d\tname': b"3\n"})
    with pytest.raises(StepFailed) as raised:
        step(merge="rel").missing_prerequisites(context(repository))
    assert str(raised.value).startswith('git merge conflicts in od"d\tname. Nothing was pushed.')


def test_an_unrelated_branch(repository: Path) -> None:
    """Git's reason is told; there is no conflict to resolve."""
    tree = git(repository, "rev-parse", "main^{tree}")
    git(repository, "branch", "other", git(repository, "commit-tree", tree, "-m", "its own first commit"))
    with pytest.raises(StepFailed) as raised:
        step(merge="other").missing_prerequisites(context(repository))
    assert str(raised.value) == "git merge failed: fatal: refusing to merge unrelated histories. Nothing was pushed."
