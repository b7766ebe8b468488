"""Flyway in a Java that runs already, for which a new one takes most of the time of a question.

`warm()` returns it as a program. It hands its arguments and environment to the Java (`WarmFlyway.java`), prints what
that printed, and ends as it did; when it is killed, Java ends too, as a killed Flyway does, and the next question
starts another. What lies in a folder with settings of Flyway runs cold, as Flyway reads them from where it was started.
"""

import atexit
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).with_name("WarmFlyway.java")
OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xlog:disable")
OPENED = "--add-opens=java.base/java.util=ALL-UNNAMED"
"""The variables of a process cannot be changed without."""
TRAINING = ("info", "-skipCheckForUpdate", "-url=jdbc:postgresql://127.0.0.1:1/x")
PROGRAM = """#!{python} -IS
import os, socket, sys
variables = [name + b"=" + value for name, value in os.environb.items()]
told = b"\\0".join([b"%d" % len(sys.argv[1:]), *map(os.fsencode, sys.argv[1:]), *variables])
with socket.socket(socket.AF_UNIX) as asked:
    try:
        if any(name.startswith("flyway.") for name in os.listdir()):
            raise FileExistsError
        asked.connect({place!r})
        asked.sendall(len(told).to_bytes(4, "big") + told)
        answer = asked.makefile("rb")
        code = answer.read(1)
    except OSError:  # it does not run, or has ended before it took the question
        os.execv({cold!r}, [{cold!r}, *sys.argv[1:]])
    sys.stdout.buffer.write(answer.read())
sys.exit(code[0] if code else 137)
"""


@dataclass
class _Java:
    """A Java that waits for questions, as long as this process lives."""

    cold: Path
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def program(self) -> Path:
        """Return what hands a question over."""
        return self.folder / "flyway"

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process and self.process.poll() is None:
            return
        place = self.folder / "socket"
        place.unlink(missing_ok=True)
        main = [*_java(self.cold.parent), "org.flywaydb.commandline.WarmFlyway", str(place)]
        self.process = subprocess.Popen(main, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.process.stdout.readline()

    def end(self) -> None:
        """End it."""
        if self.process:
            self.process.kill()
            self.process.wait()


def warm(cold: Path) -> Path:
    """Return the program that asks the Java that runs; what is not there here is no reason not to run cold."""
    if shutil.which("javac") is None:
        return cold
    java = _of_this_process(cold)
    java.start()
    return java.program


@cache
def _of_this_process(cold: Path) -> _Java:
    folder = tempfile.TemporaryDirectory(prefix="flyway-")
    java = _Java(cold, Path(folder.name))
    atexit.register(folder.cleanup)
    atexit.register(java.end)
    java.program.write_text(
        PROGRAM.format(python=sys.executable, place=str(java.folder / "socket"), cold=str(cold)), encoding="utf-8"
    )
    java.program.chmod(0o755)
    return java


def _java(jars: Path) -> list[str]:
    """Return the start of Java with Flyway and ours; what it reads and checks of them is kept for the next."""
    name = f"warm-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]}"
    ours, kept = jars / f"{name}.zip", jars / f"{name}.jsa"
    flyways = sorted(map(str, jars.glob("*.jar")))
    command = ["java", *OPTIONS, OPENED, "-cp", os.pathsep.join([str(ours), *flyways])]
    with tempfile.TemporaryDirectory(dir=jars) as folder:  # each file appears whole, whoever else makes it now
        if not ours.exists():
            _compile(os.pathsep.join(flyways), Path(folder) / "ours").replace(ours)
        if not kept.exists():
            new = Path(folder) / "kept"
            trained = [*command, f"-XX:ArchiveClassesAtExit={new}", "org.flywaydb.commandline.Main", *TRAINING]
            subprocess.run(trained, capture_output=True, check=False)  # nobody is there to answer it
            new.replace(kept)
    return [*command[:1], f"-XX:SharedArchiveFile={kept}", *command[1:]]


def _compile(path: str, to: Path) -> Path:
    classes = to.with_suffix(".classes")
    subprocess.run(["javac", "-cp", path, "-d", classes, SOURCE], check=True, capture_output=True)
    with zipfile.ZipFile(to, "w") as archive:
        for file in classes.rglob("*.class"):
            archive.write(file, file.relative_to(classes))
    return to
