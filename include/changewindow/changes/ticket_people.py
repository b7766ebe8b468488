"""Who wrote a ticket in a git repository and who merged it: as commits claim, and as signatures prove."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from changewindow.errors import SyncFailed
from changewindow.policy.sign_off import same_person
from changewindow.systems.process.environment import built

NOBODY = "sync"
"""Who requests the tickets of a directory without authors."""
SIGNERS = "allowed_signers"
"""The file beside the policy that says whose SSH key is whose, in the form of ssh-keygen(1)."""
ONLY_SSH = ("-c", "gpg.program=false", "-c", "gpg.x509.program=false", "-c", "gpg.ssh.program=ssh-keygen")
"""Keys that happen to lie on this host prove nothing; those of the file do."""


@dataclass(frozen=True)
class People:
    """Who wrote the newest text of a file, and who brought it to the branch."""

    author: str = NOBODY
    """As a signature proves, or else as the commit claims: anybody can write any name there."""
    is_proven: bool = False
    """Whether a signature proves the author. A forge's API would not: it knows who opened and merged a request, and not
    who pushed its commits, so that whoever merges may have written them in another's name."""
    merger: str | None = None
    """Only where signatures prove both, and that they are two persons."""
    unproven: str = "the tickets lie in no repository, so that nobody has merged them"
    """Why there is no merger, and what to do."""


IN_NO_REPOSITORY = People()


def people(folder: Path, path: Path, signers: Path) -> People:
    """Return who wrote and merged a file of a checkout.

    Raises:
        SyncFailed: git says why.
    """
    wrote = git(folder, "log", "-1", "--no-merges", "--format=%H %ae", "--", str(path)).split()
    onto = ("--first-parent", "--diff-merges=first-parent", "--format=%H")  # it prints the difference, too
    brought = git(folder, "log", "-1", *onto, "--", str(path)).partition("\n")[0]
    author = (user(wrote[1]) if len(wrote) > 1 else "") or NOBODY
    if not wrote or not brought:
        return People(author, unproven="it is not committed")
    if not signers.is_file():
        return People(author, unproven=f"nobody's signature is known: write whose SSH key is whose into {signers}")
    if git(folder, "rev-parse", f"{wrote[0]}:./{path}") != git(folder, "rev-parse", f"{brought}:./{path}"):
        return People(author, unproven="the merge changed what its author wrote: merge it as it is")
    proven, merger = (_signer(folder, commit, signers) for commit in (wrote[0], brought))
    if not proven or not merger:
        whose = f"commit {(brought if proven else wrote[0])[:12]}"
        unproven = f"{whose} has no signature of anybody in {signers}: sign it (git commit -S)"
        return People(proven or author, is_proven=bool(proven), unproven=unproven)
    if same_person(proven, merger):
        unproven = f"{proven} merged what {proven} wrote: let somebody else merge it"
        return People(proven, is_proven=True, unproven=unproven)
    return People(proven, is_proven=True, merger=merger)


def user(mail: str) -> str:
    """Return the user name in an address: what stands before the @."""
    return re.sub(r"^[0-9]+\+", "", mail.strip().partition("@")[0])


def git(folder: Path, *arguments: str) -> str:
    """Return what git prints.

    Raises:
        SyncFailed: it failed, and says why.
    """
    # The worker's own git settings say how the repository of tickets is reached; nothing of it is executed.
    home = {"HOME": str(Path.home()), "GIT_TERMINAL_PROMPT": "0", "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh"}
    with built(home) as environment:
        ran = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if ran.returncode:
        lines = ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"]
        raise SyncFailed(f"git {arguments[0]} failed: {lines[-1]}. Correct the connection or the repository.")
    return ran.stdout.strip()


def _signer(folder: Path, commit: str, signers: Path) -> str:
    """Return whose good signature a commit has, or an empty text."""
    known = ("-c", f"gpg.ssh.allowedSignersFile={signers.resolve()}")
    verdict, _, principal = git(folder, *ONLY_SSH, *known, "log", "-1", "--format=%G?%n%GS", commit).partition("\n")
    return user(principal) if verdict == "G" else ""
