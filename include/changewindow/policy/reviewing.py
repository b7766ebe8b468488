"""Says why a review, or a word about what has to be followed up, does not count, and what to do instead."""

from datetime import datetime

from changewindow.documents.findings import Finding
from changewindow.policy.aftercare import Aftercare, FollowUp
from changewindow.policy.sign_off import same_person

WORKAROUND = "workaround"


def why_no_review(owed: Aftercare | None, change: str, person: str) -> Finding | None:
    """Return why a person's review of a change is not taken; nothing if it is.

    Anybody may review what owes a review, once; the first review settles it, and whoever comes later adds to it.
    """
    if owed is None:
        sentence = f"{change} owes no review: it was no emergency, is no record, and was not rolled back"
        return Finding("nothing_owed", sentence, "There is nothing to review.")
    if owed.review_due is None and not owed.has_acted:
        return Finding("nothing_owed", f"{change} has not acted", "Until it does, there is nothing to review.")
    if owed.review_due is None and owed.because == "emergency":
        return Finding("not_over", f"{change} has not ended", "Review it when it has; its review is asked for then.")
    if owed.review_due is None:
        return Finding("nothing_owed", f"nobody has asked for a review of {change}", "There is nothing to review.")
    if any(same_person(person, name) for name in owed.reviewers):
        sentence = f"{person} has reviewed {change} already, and each person does so once"
        return Finding(
            "reviewed", sentence, "Somebody else may add to it; what was followed up belongs to `follow_up`."
        )
    return None


def why_no_follow_up(owed: Aftercare | None, change: str, about: str) -> Finding | None:
    """Return why there is nothing to say about a follow-up or a workaround of a change; nothing if there is."""
    if owed is None:
        sentence = f"{change} owes nothing: it was no emergency, is no record, and was not rolled back"
        return Finding("nothing_owed", sentence, "Check the number.")
    if about == WORKAROUND:
        if owed.workaround_until is None:
            return Finding("nothing_owed", f"{change} has no workaround that has to go", "There is nothing to do.")
        return None
    follow_up = next((each for each in owed.follow_ups if each.about == about), None)
    if follow_up is None:
        listed = "; ".join(_line(each) for each in owed.follow_ups if not each.is_done) or ""
        remedy = f"Open: {listed}." if listed else "None of it is open."
        return Finding("unknown", f"{change} has no {about.replace('_', '-').replace(':', ' ')}", remedy)
    if follow_up.is_done:
        return Finding("done", f"follow-up {follow_up.number} of {change} is done already", "There is nothing to do.")
    return None


def is_past(moment: datetime | None, now: datetime) -> bool:
    """Return whether a moment is known and has passed."""
    return moment is not None and moment < now


def _line(follow_up: FollowUp) -> str:
    return f"{follow_up.number} {follow_up.what}"
