"""The configuration of the service `orders`, as branch main of a git repository has it."""

import os
import subprocess
import tomllib
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from demo.pool import PoolSettings

ModelT = TypeVar("ModelT", bound=BaseModel)


class ConfigError(Exception):
    """The configuration cannot be fetched, or is not valid."""

    def __init__(self, place: str, fault: str) -> None:
        """Name the file or the command, and what is wrong."""
        super().__init__(f"{place}: {fault}")


class Release(BaseModel):
    """What `release.toml` may say."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    version: str = Field(pattern=r"^v\d+\.\d+\.\d+$")


def git(*arguments: str, folder: Path, **variables: str) -> str:
    """Run git without the configuration of user and machine, and return its output.

    Raises:
        ConfigError: git failed; the text is git's own.
    """
    variables |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    variables |= {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    run = subprocess.run(["git", *arguments], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    if run.returncode:
        raise ConfigError(f"git {arguments[0]}", run.stderr.strip())
    return run.stdout.strip()


class Checkout:
    """The service's own checkout of branch main."""

    def __init__(self, repository: Path, folder: Path) -> None:
        """Clone the repository into the folder."""
        git("clone", "--quiet", "--branch", "main", str(repository), str(folder), folder=repository)
        self._folder = folder

    def fetch(self) -> str:
        """Return the commit at which branch main of the repository now is."""
        git("fetch", "--quiet", "--no-auto-maintenance", "origin", "main", folder=self._folder)
        return (self._folder / ".git" / "FETCH_HEAD").read_text().split()[0]

    def read(self, commit: str) -> tuple[Release, PoolSettings]:
        """Check out the commit, and return what its two files say.

        Raises:
            ConfigError: a file is missing or not valid; the text names the file.
        """
        git("reset", "--quiet", "--hard", commit, folder=self._folder)
        return self._read("release.toml", Release), self._read("pool.toml", PoolSettings)

    def _read(self, name: str, model: type[ModelT]) -> ModelT:
        try:
            return model.model_validate(tomllib.loads((self._folder / name).read_text()))
        except ValidationError as error:
            faults = [f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors()]
            raise ConfigError(name, "; ".join(faults)) from error
        except (OSError, ValueError) as error:
            raise ConfigError(name, str(error)) from error
