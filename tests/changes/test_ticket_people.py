"""A merge counts as an approval where two signatures prove it, and never by what a commit says of its author."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from changewindow.changes.ticket_people import IN_NO_REPOSITORY, SIGNERS, people

TICKET = Path("ticket.yaml")


class Repository:
    """A repository whose people have keys."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.keys, self.signers = folder / "tickets", folder / "keys", folder / SIGNERS
        self.folder.mkdir()
        self.keys.mkdir()
        self.git("init", "-q", "-b", "main")
        self.commit("alice", "begin", "--allow-empty", is_signed=False)
        for name in ("alice", "bob", "mallory"):
            key = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.keys / name)]
            subprocess.run(key, check=True)
        known = [f"{name}@example.com {(self.keys / f'{name}.pub').read_text()}" for name in ("alice", "bob")]
        self.signers.write_text("".join(known))

    def git(self, *arguments: str, who: str = "alice", key: str = "") -> None:
        """Run git as somebody, with somebody's key."""
        person = {f"GIT_{role}_NAME": who for role in ("AUTHOR", "COMMITTER")}
        mail = {f"GIT_{role}_EMAIL": f"{who}@example.com" for role in ("AUTHOR", "COMMITTER")}
        signing = ["-c", "gpg.format=ssh", "-c", f"user.signingkey={self.keys / (key or who)}"]
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), **person, **mail}
        subprocess.run(["git", *signing, *arguments], cwd=self.folder, env=environment, check=True, capture_output=True)

    def commit(self, who: str, text: str, *more: str, is_signed: bool = True, key: str = "") -> None:
        """Commit a text."""
        (self.folder / TICKET).write_text(text)
        self.git("add", ".")
        self.git("commit", "-q", *(["-S"] if is_signed else []), *more, "-m", text, who=who, key=key)

    def merge(self, who: str, *, is_signed: bool = True, key: str = "") -> None:
        """Merge the branch `change`."""
        self.git("checkout", "-q", "main")
        self.git("merge", "-q", "--no-ff", *(["-S"] if is_signed else []), "-m", "Merge", "change", who=who, key=key)

    def branch(self) -> None:
        """Begin the branch `change`."""
        self.git("checkout", "-q", "-b", "change")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Return one."""
    made = Repository(tmp_path)
    made.branch()
    return made


def test_a_signed_merge_of_a_signed_text_names_its_merger(repository: Repository) -> None:
    """Both by keys that are known, and of two persons."""
    repository.commit("alice", "text")
    repository.merge("bob")
    known = people(repository.folder, TICKET, repository.signers)
    assert (known.author, known.merger, known.is_proven) == ("alice", "bob", True)


def _by_mail(repository: Repository) -> None:
    repository.commit("alice", "text", is_signed=False)
    repository.merge("bob", is_signed=False)


def _unknown_key(repository: Repository) -> None:
    repository.commit("alice", "text")
    repository.merge("bob", key="mallory")


def _another_name(repository: Repository) -> None:
    repository.commit("bob", "text", is_signed=False)
    repository.merge("alice")


def _own_key_under_another_name(repository: Repository) -> None:
    repository.commit("alice", "text")
    repository.merge("bob", key="alice")


def _changed_by_the_merge(repository: Repository) -> None:
    repository.commit("alice", "text")
    repository.merge("bob")
    (repository.folder / TICKET).write_text("another text")
    repository.git("commit", "-q", "-a", "-S", "--amend", "-m", "Merge", who="bob")


@pytest.mark.parametrize(
    ("play", "why"),
    [
        pytest.param(_by_mail, "has no signature of anybody in", id="only the e-mail says so"),
        pytest.param(_unknown_key, "has no signature of anybody in", id="the merge is signed by an unknown key"),
        pytest.param(_another_name, "has no signature of anybody in", id="the author wrote somebody else's name"),
        pytest.param(_own_key_under_another_name, "let somebody else merge it", id="the author merged as bob"),
        pytest.param(_changed_by_the_merge, "the merge changed what its author wrote", id="the merge changed the text"),
    ],
)
def test_a_merge_that_proves_nothing_does_not_count(
    repository: Repository, play: Callable[[Repository], None], why: str
) -> None:
    """The log says why, and what to do."""
    play(repository)
    known = people(repository.folder, TICKET, repository.signers)
    assert known.merger is None
    assert why in known.unproven


def test_who_wrote_it_is_proven_by_a_signature_alone(repository: Repository) -> None:
    """Whether it was merged or not; a name in a commit proves nothing, and neither does a folder."""
    repository.commit("alice", "text")
    assert people(repository.folder, TICKET, repository.signers).is_proven
    repository.commit("alice", "another text", is_signed=False)
    claimed = people(repository.folder, TICKET, repository.signers)
    assert (claimed.author, claimed.is_proven) == ("alice", False)
    repository.commit("alice", "one more", key="mallory")
    assert not people(repository.folder, TICKET, repository.signers).is_proven
    assert not IN_NO_REPOSITORY.is_proven


def test_without_known_keys_no_merge_counts(repository: Repository) -> None:
    """It is said where to write them."""
    repository.commit("alice", "text")
    repository.merge("bob")
    known = people(repository.folder, TICKET, repository.keys / "none")
    assert (known.author, known.merger) == ("alice", None)
    assert "write whose SSH key is whose into" in known.unproven
