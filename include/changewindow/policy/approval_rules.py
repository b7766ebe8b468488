"""The gate's rules about approvals: whether the newest text is approved by enough people, and who is asked next."""

from changewindow.documents.findings import Finding
from changewindow.errors import BadPolicy
from changewindow.policy.decision import Answers, Satisfied
from changewindow.policy.sign_off import PendingApproval, RecordedApproval, same_person
from changewindow.policy.standing import Case


def newest_text(case: Case) -> Answers:
    """Say whether the text of the run is the newest one."""
    digest, newest = case.intent.digest, case.standing.digest
    if newest in (None, digest):
        yield Satisfied("newest_text", f"its text ({digest[:12]}…) is the newest one")
    else:
        sentence = f"its text ({digest[:12]}…) is not the newest one ({str(newest)[:12]}…)"
        yield Finding("text_outdated", sentence, case.remedy("Have the newest one approved; it is published then."))


def approved(case: Case) -> Answers:
    """Say whether everybody whose approval is required has approved exactly this text."""
    of_text = _of_text(case)
    rejected = [approval for approval in of_text if not approval.is_yes]
    if case.standing.digest not in (None, case.intent.digest):
        return  # Whatever was said of an old text counts no more, and asking for it would not help.
    if rejected:
        yield Finding("rejected", f"{rejected[0].person} rejected it", case.remedy("Submit a corrected ticket."))
    elif case.is_declared:
        yield Satisfied("approved", case.standing.declared[case.intent.digest])
    elif isinstance(case.assessment, BadPolicy):
        yield Satisfied("approved", "who must approve it is not known until the policy can be read", is_asked=False)
    elif pending := next_approval(case):
        yield _why_not_approved(case, pending)
    elif case.required:
        people = ", ".join(dict.fromkeys(f"{approval.person} ({approval.level})" for approval in _valid(case)))
        yield Satisfied("approved", f"its text is approved by {people}")
    else:
        yield Satisfied("approved", "the policy approves it in advance, as a standard change")


def next_approval(case: Case) -> PendingApproval | None:
    """Return what approval is asked for next, level by level; None when all are given."""
    valid = _valid(case)
    excluded = (case.standing.requester, *(approval.person for approval in valid))
    for required in case.required:
        missing = required.count - sum(approval.level == required.level for approval in valid)
        if missing > 0:
            may = [person for person in required.people if not any(same_person(person, name) for name in excluded)]
            return PendingApproval(required, missing, tuple(may), excluded)
    return None


def approvers(case: Case) -> list[str]:
    """Return whose approvals of exactly this text count now."""
    return [approval.person for approval in _valid(case)]


def _of_text(case: Case) -> list[RecordedApproval]:
    """Return what people said of exactly this text."""
    return [approval for approval in case.standing.approvals if approval.digest == case.intent.digest]


def _valid(case: Case) -> list[RecordedApproval]:
    """Return the approvals that count: the newest of each person who is not the requester, unless it has expired."""
    newest = {
        approval.person.strip().casefold(): approval
        for approval in _of_text(case)
        if approval.is_yes and approval.expires_at > case.now
    }
    newest.pop(case.standing.requester.strip().casefold(), None)
    return list(newest.values())


def _why_not_approved(case: Case, pending: PendingApproval) -> Finding:
    yes = [approval for approval in case.standing.approvals if approval.is_yes]
    same_text = [approval for approval in yes if approval.digest == case.intent.digest]
    others = [approval for approval in same_text if not same_person(approval.person, case.standing.requester)]
    expired = [approval for approval in others if approval.expires_at <= case.now]
    if not yes:
        return Finding("nobody_approved", "nobody has approved it", case.remedy(_ask(case, pending)))
    if not same_text:
        sentence = f"its text ({case.intent.digest[:12]}…) is not the approved one ({yes[-1].digest[:12]}…)"
        return Finding("text_not_approved", sentence, case.remedy("Have the new text approved."))
    if not others:
        sentence = f"only its requester {case.standing.requester} approved it"
        return Finding("only_requester", sentence, case.remedy(_ask(case, pending)))
    if expired:
        newest = expired[-1]
        sentence = f"the approval of {newest.person} expired {newest.expires_at:%Y-%m-%d %H:%M} UTC"
        return Finding("approval_expired", sentence, case.remedy(_ask(case, pending, "to approve it again")))
    required = pending.required
    sentence = f"level '{required.level}' lacks {pending.missing} of {required.count} approvals"
    return Finding("approvals_missing", sentence, case.remedy(_ask(case, pending)))


def _ask(case: Case, pending: PendingApproval, what: str = "to approve it") -> str:
    """Return whom to ask for what; once its window is over, nobody can approve it before it has another one."""
    people = " or ".join(pending.people) if pending.people else "a second person"
    is_over = case.intent.closes <= case.now
    return f"Once it has another window, ask {people} {what}." if is_over else f"Ask {people} {what}."
