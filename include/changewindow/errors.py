"""Every error that Change Windows raises on purpose, by the person who must act on it."""

from collections.abc import Sequence
from pathlib import Path

from changewindow.documents.findings import Finding


class ChangeError(Exception):
    """The root of all errors raised on purpose; its text says what, where and what to do now."""


class AuthorError(ChangeError):
    """The author of the ticket has to act."""


class BadTicket(AuthorError):
    """A ticket has findings; `findings` holds each as a line."""

    def __init__(self, findings: list[str]) -> None:
        self.findings = findings
        count = f"{len(findings)} finding{'s'[: len(findings) != 1]}"
        super().__init__("\n".join([f"{count}. Correct the ticket and ask again.", *findings]))


class BadRequest(AuthorError):
    """A request asks for nothing, for two things at once, or for something that does not exist."""


class ApproverError(ChangeError):
    """The approver has to act."""


class OperatorError(ChangeError):
    """The person on call has to act."""


class PlatformError(ChangeError):
    """The team that runs Change Windows has to act."""


class NoAccount(PlatformError):
    """The programs of tickets cannot run as the account that the operator wants."""

    def __init__(self, setting: str, name: str, why: str) -> None:
        super().__init__(f"{setting} names the account '{name}', and {why}. Nothing was started. Correct the setting.")


class BadKind(PlatformError):
    """A file in one of the kinds' folders breaks the contract of its folder."""

    def __init__(self, module: str, missing: str) -> None:
        super().__init__(f"{module} has no {missing}. Every kind needs it; see the recipe in CONTRIBUTING.md.")


class BadPolicy(PlatformError):
    """The policy cannot be read; `findings` holds each mistake of its files as a line."""

    def __init__(self, findings: list[str]) -> None:
        self.findings = findings
        listed = "".join(f"\n  {finding}" for finding in findings)
        super().__init__(
            f"The policy cannot be read.{listed}\nNo change starts until the policy can be read. Correct it; "
            "`changewindow policy lint` shows the same."
        )


class BadPublication(PlatformError):
    """A file in the folder of published changes is not what publishing writes; nothing of it is used."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(
            f"{path} {what}. Nothing of it is used. Find out who wrote it and remove it; housekeeping publishes an "
            "approved change again within five minutes."
        )


class UnknownConnection(OperatorError):
    """A ticket, or a file of the policy, names an Airflow Connection that does not exist."""

    def __init__(self, name: str, named_in: str = "the ticket") -> None:
        super().__init__(
            f"There is no Airflow Connection '{name}'. Create it under Admin, Connections, or correct {named_in}."
        )


class OwnConnection(OperatorError):
    """An Airflow Connection leads to the product's own databases and services, under whatever name."""

    def __init__(self, name: str, what: str) -> None:
        super().__init__(
            f"The Airflow Connection '{name}' leads to {what}. No change may use it, since it could approve itself "
            "there. Name the connection of the service that is changed."
        )


class UnusableConnection(OperatorError):
    """An Airflow Connection exists but does not have what is needed here."""

    def __init__(self, name: str, missing: str) -> None:
        super().__init__(f"The Airflow Connection '{name}' has no {missing}. Complete it under Admin, Connections.")


class StepFailed(OperatorError):
    """A step could not be applied or undone; the text names the action and its result."""


class StillUnderWay(StepFailed):
    """A step failed, but what it started may still happen: an answer did not arrive."""


class MemoryUnknown(OperatorError):
    """What undo needs to know cannot be read now, which is not the same as nothing."""

    def __init__(self, change: str, what: str, why: object) -> None:
        super().__init__(
            f"{change}: it is not known {what}. {str(why).rstrip('.')}. Bring the ledger back and run this again, or "
            "undo by hand what was done."
        )


class LockRevoked(OperatorError):
    """A step lost the step lock, because another task has to act now."""

    def __init__(self, change: str, holder: str) -> None:
        super().__init__(f"{change}: {holder} lost the step lock and stopped. The undo that took the lock goes on.")


class LockTaken(OperatorError):
    """Another task of the same change is acting."""

    def __init__(self, change: str, holder: str, by: str) -> None:
        super().__init__(
            f"{change}: {holder} may not act while {by} acts. Wait until {by} has stopped, or abort the run."
        )


class LedgerDown(PlatformError):
    """The ledger's database does not answer."""

    def __init__(self, reason: object) -> None:
        first = str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__
        super().__init__(
            f"The ledger does not answer: {first}. Forward steps are refused until it does; undo goes on without it."
        )


class SealKeyMissing(LedgerDown):
    """Nothing can be sealed or checked here, which is as if the ledger were down: nothing new is done, undo goes on."""

    def __init__(self, reason: str) -> None:
        ChangeError.__init__(
            self,
            f"There is no key for the ledger's seals: {reason}. Nothing is approved or started without it. Give every "
            "process of Change Windows the same CHANGEWINDOW_SEAL_KEY, or a file of it as CHANGEWINDOW_SEAL_KEY_FILE.",
        )


class SyncFailed(PlatformError):
    """The repository of tickets cannot be read."""


class LedgerUnknown(PlatformError):
    """The ledger has no such change."""

    def __init__(self, change: str) -> None:
        super().__init__(f"The ledger has no change {change}. Check the number, or look in another ledger.")


class UnreadableEvent(PlatformError):
    """An event that has to be read was written by a later version."""

    def __init__(self, change: str, sequence: int, kind: str) -> None:
        super().__init__(
            f"{change}: this version of Change Windows cannot read event {sequence} ({kind}) in the ledger. "
            "A later version wrote it; install that version again."
        )


class NotAllowed(OperatorError):
    """The change may not act (now, in this state, with this text); `findings` holds each reason."""

    def __init__(self, change: str, findings: Sequence[Finding]) -> None:
        self.change, self.findings = change, tuple(findings)
        listed = "".join(f"\n  - {reason}" for reason in self.reasons)
        super().__init__(f"{change} may not act. Nothing was touched.{listed}")

    @property
    def reasons(self) -> list[str]:
        """Return each finding as one line."""
        return [finding.reason for finding in self.findings]


class ApprovalRefused(ApproverError):
    """An approval does not count."""


class BrokenChain(PlatformError):
    """The events of a change were altered after they were written."""

    def __init__(self, change: str, sequence: int, what: str) -> None:
        super().__init__(
            f"{change}: event {sequence} {what}. The record was altered after it was written; "
            "compare with the head hash in the change's Slack thread and restore the ledger from backup."
        )


class UnknownSealKey(BrokenChain):
    """Something is sealed by a key that this process does not have: another process has its own, or a stranger has."""

    def __init__(self, change: str, sealed: str, why: str) -> None:
        ChangeError.__init__(self, f"{change}: {sealed} {why}.")


class AlreadySealed(PlatformError):
    """A ledger without seals is to get some, and had them before."""

    def __init__(self, heads: object) -> None:
        super().__init__(
            f"This ledger has no seals, and had some before: {heads} holds the heads of its chains. Somebody has taken "
            "them away, or put an older ledger in its place. If you have restored a backup of a version before 0.2, "
            "move that file away and run this again."
        )


class AlteredRow(PlatformError):
    """A row that carries a seal of its own is not as it was written."""

    def __init__(self, change: str, what: str) -> None:
        super().__init__(f"{change}: {what}. `changewindow verify --all` names everything that is.")


class AlteredText(PlatformError):
    """The text of a change in the ledger is not the one that was submitted."""

    def __init__(self, change: str, digest: str, what: str) -> None:
        super().__init__(
            f"{change}: its text {digest[:12]}… in the ledger {what}. The record was altered after it was written; "
            "`changewindow verify --all` names everything that was. Restore the ledger from backup, or submit the "
            "ticket again."
        )
