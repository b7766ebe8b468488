"""Says what a review, and a word about a follow-up or a workaround, have led to."""

from changewindow.changes.owed import minute
from changewindow.ledger.payloads import FollowedUp
from changewindow.policy.aftercare import Aftercare, FollowUp
from changewindow.policy.sign_off import same_person


def review_lines(owed: Aftercare, person: str) -> list[str]:
    """Return what a person's review has led to: whether it settles what is owed, and what has to be followed up."""
    first = f"{owed.change} is reviewed by {person}; that is settled."
    adds = f"{owed.change} was reviewed by {owed.reviewed_by}, which counts; what {person} says is added to it."
    still = [each for each in owed.follow_ups if not each.is_done]
    head = first if same_person(owed.reviewed_by, person) else adds
    return [head, *(f"Follow-up {each.number}: {each.what} ({whose(each)})" for each in still)]


def follow_up_lines(owed: Aftercare, said: FollowedUp, person: str) -> list[str]:
    """Return what a word about a follow-up or a workaround has led to, and what is still open."""
    still = [f"{each.number} ({whose(each)})" for each in owed.follow_ups if not each.is_done]
    workaround = [f"the workaround (by {minute(owed.workaround_until)})"] if owed.workaround_until else []
    left = ", ".join([*still, *workaround])
    return [_done(owed.change, said, person), f"Still open: {left}." if left else "Nothing of it is open any more."]


def followed_up(change: str, said: FollowedUp, person: str) -> str:
    """Return the message about it."""
    return f"{'✔️' if said.done else '↪️'} {_done(change, said, f'@{person}')}"


def whose(follow_up: FollowUp) -> str:
    """Return who does it by when, as people read it."""
    return f"{follow_up.owner or 'NO OWNER'}, {f'by {minute(follow_up.due)}' if follow_up.due else 'NO DATE'}"


def _done(change: str, said: FollowedUp, person: str) -> str:
    what = said.about.replace("_", "-").replace(":", " ")
    if said.done:
        return f"{change}: {what} is {'gone' if said.about == 'workaround' else 'done'}, says {person}: {said.reason}"
    to, by = f" to {said.owner}" if said.owner else "", f" until {minute(said.due)}" if said.due else ""
    return f"{change}: {person} moves {what}{to}{by}: {said.reason}"
