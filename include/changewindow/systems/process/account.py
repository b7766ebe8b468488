"""Says as which account of the worker the programs run that a ticket names, so that they read nothing of Airflow's."""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass

from changewindow.errors import NoAccount

SETTING = "CHANGEWINDOW_RUN_AS"
"""The variable in which the operator of a worker names the account; without it, they run as Airflow does."""


@dataclass(frozen=True)
class Account:
    """An account of the worker."""

    user: int | None = None
    """None: the one that we run as."""
    group: int | None = None

    def __str__(self) -> str:
        """Return it as the guard takes it."""
        return "" if self.user is None else f"{self.user}:{self.group}"

    @property
    def groups(self) -> list[int] | None:
        """Return which further groups a program gets: none of ours."""
        return None if self.user is None else []

    def own(self, folder: str) -> None:
        """Give a folder to the account."""
        if self.user is not None and self.group is not None:
            os.chown(folder, self.user, self.group)


OURS = Account()


def account_for_tickets(ours: Mapping[str, str] = os.environ) -> Account:
    """Return the account of the programs that tickets name.

    Raises:
        NoAccount: the one that the operator wants is not there, or this process may not act as it.
    """
    name = ours.get(SETTING, "")
    if not name:
        return OURS
    try:
        known = pwd.getpwnam(name)
    except KeyError as error:
        raise NoAccount(SETTING, name, "the worker has no account of this name") from error
    if os.geteuid() not in {0, known.pw_uid}:
        raise NoAccount(SETTING, name, "Airflow does not run as root here, so it cannot act as another account")
    return Account(known.pw_uid, known.pw_gid) if os.geteuid() == 0 else OURS
