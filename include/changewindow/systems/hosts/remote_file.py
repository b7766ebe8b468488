"""Reads a file of a host, and replaces it in one move, so that nobody ever sees half of it."""

import base64
import hashlib
import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from changewindow.errors import StepFailed
from changewindow.systems.hosts.host import Host

LARGEST = 64 * 1024
"""In bytes: the content of the file is kept in the record of the change."""
ABSENT = "absent"
CHANGED, ALTERED = 9, 8
MARK = "changewindow-file "
READ = f"""
set -e
file=$(readlink -f -- "$1") || {{ echo "there is no folder for it"; exit 1; }}
if [ ! -e "$file" ]; then printf '{MARK}%s\\n{ABSENT}\\n' "$file"; exit; fi
[ -f "$file" ] || {{ echo "it is not a regular file"; exit 1; }}
found=$(stat -c '%h %a %u %g %s' -- "$file")
if [ "${{found##* }}" -gt {LARGEST} ]; then content=; else content=$(base64 < "$file" | tr -d '\\n'); fi
printf '{MARK}%s\\n%s\\n%s\\n' "$file" "$found" "$content"
"""
REPLACEABLE = """
folder=${1%/*}
[ -w "${folder:-/}" ] || { echo "the account may not write in its folder, or that is read-only"; exit 1; }
[ -e "$1" ] || exit 0
if [ "$(id -u)" = 0 ]; then [ -w "$1" ] || { echo "it is immutable"; exit 1; }
else [ -O "$1" ] || { echo "it belongs to somebody else, and the account may not give files away"; exit 1; }; fi
"""
PREPARE = """
set -e; umask 077
rm -f -- "$2"
cat > "$2"
[ ! -e "$1" ] || cp --attributes-only --preserve=all --no-preserve=timestamps -- "$1" "$2" 2> /dev/null || true
[ -z "$4" ] || chown "$4" -- "$2"
chmod "$3" -- "$2"
sync -- "$2" 2> /dev/null || true
"""
REPLACE = f"""
set -e
now={ABSENT}
if [ -e "$1" ]; then now=$(sha256sum < "$1"); now=${{now%% *}}; fi
[ "$now" = "$3" ] || exit {CHANGED}
[ -n "$2" ] || {{ rm -f -- "$1"; exit; }}
new=$(sha256sum < "$2")
[ "${{new%% *}}" = "$4" ] || exit {ALTERED}
mv -f -- "$2" "$1"
"""


def digest(content: bytes | None) -> str:
    """Return the SHA-256 of a file's content, or `absent` where there is no file."""
    return ABSENT if content is None else hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class FileState:
    """A file as it is: its real path, its content (None if there is no file), mode, owner, size and number of names."""

    path: str
    content: bytes | None = None
    mode: str = ""
    owner: str = ""
    size: int = 0
    names: int = 1

    @property
    def is_whole(self) -> bool:
        """Return whether the content was read; that of a file that is too large is not."""
        return self.size <= LARGEST


@dataclass(frozen=True)
class RemoteFile:
    """A file on a host; `mark` names the step that replaces it."""

    host: Host
    path: str
    mark: str

    @property
    def candidate(self) -> str:
        """Return where new content waits: beside the file, hidden from wildcards, with the same ending."""
        folder, name = posixpath.split(self.path)
        return posixpath.join(folder, f".{self.mark.replace('/', '-')}.{name}")

    @property
    def name(self) -> str:
        """Return the file and its host, for messages."""
        return f"{self.path} on {self.host.name}"

    def read(self) -> FileState:
        """Return the file as it is now; only reads. The content of a file that is too large is not read.

        Raises:
            StepFailed: it cannot be read.
        """
        ran = self.host.look(["sh", "-c", READ, "sh", self.path])
        _, mark, report = ran.output.rpartition(MARK)
        if ran.code or not mark:
            raise StepFailed(f"{self.name} cannot be read: {_last(ran.output)}.")
        path, stat, *rest = report.split("\n")
        if stat == ABSENT:
            return FileState(path)
        names, mode, user, group, size = stat.split()
        content = base64.b64decode(rest[0])
        state = FileState(path, content, mode, f"{user}:{group}", size=int(size), names=int(names))
        if state.is_whole and len(content) != state.size:
            arrived = f"its size is {size} bytes, and {len(content)} arrived"
            raise StepFailed(f"{self.name} cannot be read: {arrived}. May the account read it?")
        return state

    def cannot_be_replaced(self, path: str) -> str:
        """Return why the account could not replace the file at its real path, or an empty text."""
        ran = self.host.look(["sh", "-c", REPLACEABLE, "sh", path])
        return f"{self.name} cannot be replaced: {_last(ran.output)}. Let the account do it." if ran.code else ""

    def prepare(self, content: bytes, *, mode: str, owner: str) -> None:
        """Write the candidate, with this mode and owner, and the other attributes of the file."""
        self._act(f"write {self.candidate}", PREPARE, [self.candidate, mode, owner], content=content)

    def replace(self, expected: str, content: bytes) -> bool:
        """Move the candidate over the file, if the file has the expected digest; return whether it had.

        Raises:
            StepFailed: the candidate does not hold the content that was written.
        """
        arguments = [self.candidate, expected, digest(content)]
        code = self._act(f"move {self.candidate} to {self.path}", REPLACE, arguments)
        if code == ALTERED:
            self.discard()
            raise StepFailed(
                f"The new {self.name} was not used: it is no longer what was written. Does its check change it? A "
                "check may only read. The old one was not touched."
            )
        return code != CHANGED

    def remove(self, expected: str) -> bool:
        """Remove the file, if it has the expected digest; return whether it had."""
        return self._act(f"remove {self.path}", REPLACE, ["", expected]) != CHANGED

    def discard(self) -> None:
        """Remove the candidate, if there is one."""
        self.host.run(["rm", "-f", "--", self.candidate])

    def _act(self, description: str, script: str, arguments: Sequence[str], *, content: bytes = b"") -> int:
        command, answers = ["sh", "-c", script, "sh", self.path, *arguments], (CHANGED, ALTERED)
        ran = self.host.run(command, content=content, shown_as=description, answers=answers)
        if ran.code not in {0, *answers}:
            raise StepFailed(f"{self.host.name} could not {description}: {_last(ran.output)}.")
        return ran.code


def _last(output: str) -> str:
    lines = [line for line in output.splitlines() if line.strip()]
    return lines[-1].rstrip(".") if lines else "no reason given"
