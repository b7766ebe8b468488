"""The texts of a change on its page: what differs from one to the next, and each as a file."""

from datetime import timedelta

import pytest

from changewindow.changes.change_facts import MOST, differing
from changewindow.documents.yaml import parse
from changewindow.ledger import changes
from changewindow.ledger.database import Ledger
from changewindow.ticket.reader import build_ticket
from changewindow.ticket.revision import digest_of
from support.changes import NOW, approved
from support.pages import Pages
from support.tickets import banner


def test_earlier_texts_are_shown_as_what_differs(pages: Pages, ledger: Ledger) -> None:
    """Field by field."""
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    new = banner(summary="Switch the new banner on.")
    changes.revise(ledger, submitted.change, new, person="alice", now=NOW + timedelta(minutes=1))
    text = pages.get("/changes/CHG-1001")
    assert '<span class="removed">-summary: Switch the banner on.</span>' in text
    assert '<span class="added">+summary: Switch the new banner on.</span>' in text


def test_the_ticket_is_downloaded_as_people_write_it(pages: Pages, ledger: Ledger) -> None:
    """In their order, not in that of the alphabet."""
    changes.submit(ledger, banner(), requester="alice", now=NOW)
    answer = pages.client.get("/changes/CHG-1001/ticket.yaml")
    assert answer.text.startswith("summary: Switch the banner on.\nservices:")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="CHG-1001.yaml"'


def test_what_somebody_has_approved_is_downloaded_whatever_came_after(pages: Pages, ledger: Ledger) -> None:
    """The file gives the digest of their yes again; one that no text has is no altered record."""
    first = approved(ledger, banner())
    new = banner(summary="Switch the new banner on.")
    changes.revise(ledger, first.change, new, person="alice", now=NOW + timedelta(minutes=1))
    address = f"/changes/{first.change}/ticket.yaml?text={first.digest}"
    assert pages.get("/changes/CHG-1001").count(f'<a href="{address}">') == 2  # by who approved it, and by its text
    answer = pages.client.get(address)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="CHG-1001-{first.digest[:12]}.yaml"'
    data = parse(answer.text).data
    assert digest_of(data, build_ticket(data)) == first.digest
    unknown = pages.client.get(f"/changes/{first.change}/ticket.yaml?text={'f' * 64}")
    assert unknown.status_code == 400
    assert "CHG-1001 has no text ffffffffffff. Choose one under Text on its page." in unknown.text


def test_the_last_hundred_texts_are_compared(pages: Pages, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page says so of those before, instead of leading to itself."""
    monkeypatch.setattr("changewindow.web.pages.change.MOST_TEXTS", 5)
    submitted = changes.submit(ledger, banner(), requester="alice", now=NOW)
    for minute in range(1, 8):
        new = banner(summary=f"Switch the banner {minute} on.")
        changes.revise(ledger, submitted.change, new, person="alice", now=NOW + timedelta(minutes=minute))
    assert pages.get("/changes/CHG-1001").count("Compare the last hundred texts") == 3
    text = pages.get("/changes/CHG-1001", texts="all")
    assert text.count("Not compared: only the last hundred are.") == 2
    assert "Compare the last hundred texts" not in text


def test_what_differs_in_a_long_text_is_found_without_comparing_all_of_it() -> None:
    """With the lines around it, and the numbers that they have in the whole text."""
    old = [str(number) for number in range(5 * MOST)]
    new = [*old[:7000], "new", *old[7001:]]
    assert list(differing(old, new)) == ["@@ -6999,5 +6999,5 @@", " 6998", " 6999", "-7000", "+new", " 7001", " 7002"]


@pytest.mark.parametrize("new", [[], ["a"], ["a", "b", "b"], ["x", "a", "b"], ["b"], ["a", "b"]])
def test_what_differs_in_a_short_text_is_found(new: list[str]) -> None:
    """Also where lines come or go at its ends."""
    told = [line for line in differing(["a", "b"], new) if not line.startswith("@@")]
    assert [line[1:] for line in told if line[0] != "-"] == (new if told else [])
    assert bool(told) == (new != ["a", "b"])


def test_texts_that_differ_in_too_many_lines_are_not_compared() -> None:
    """Forty thousand lines of an author kept the server busy for half a minute, each time somebody looked."""
    old, new = ([str(number * step % 101) for number in range(20 * MOST)] for step in (1, 7))
    [said] = differing(old, new)
    assert said.endswith("too many to compare here @@")
