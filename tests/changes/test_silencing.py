"""The silences of a run: opened once, renewed while it lives, ended for good, and never a reason to fail."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from changewindow.changes import silencing
from changewindow.changes.event_text import sentence
from changewindow.changes.silencing import Silencing
from changewindow.errors import UnknownConnection
from changewindow.ledger import changes, events, leases
from changewindow.ledger.database import Ledger
from changewindow.ledger.payloads import Silenced, SilenceEnded, SilenceFailed
from changewindow.systems.measurement import SourceError
from support.changes import NOW, approved, intent
from support.silencing import LEASE, Acting, Product, Twin
from support.tickets import banner, ticket

RUN = "run-1"


class Died(BaseException):
    """The process has ended, whatever it was doing."""


@pytest.fixture
def product() -> Product:
    """Return a product in which nothing is silenced."""
    return Product()


@pytest.fixture
def acting(ledger: Ledger, product: Product) -> Acting:
    """Return a run that has passed its gate and silences one thing."""
    return running(ledger, product)


def running(ledger: Ledger, product: Product, service: str = "orders") -> Acting:
    """Return a run of a change of its own."""
    submitted = approved(ledger, banner(services=[service]))
    targets = (f"production/{service}",)
    leases.start(ledger, submitted.change, intent(submitted.digest), targets=targets, now=NOW)
    wanted = Silencing(change=submitted.change, run=RUN, summary="Switch the banner on.", silences=(Twin.at(product),))
    return Acting(ledger, wanted, ())


def close(acting: Acting) -> None:
    """Record the outcome of the change."""
    changes.close(acting.ledger, acting.silencing.change, run=RUN, outcome="completed", reason="good", now=NOW)


async def test_it_is_opened_once_and_then_renewed(acting: Acting, product: Product) -> None:
    """The record has it once, with when it lapses; renewals are no events."""
    await acting.keep()
    [first] = product.lasting
    await acting.keep()
    [second] = product.lasting
    assert (second.id, second.ends > first.ends) == (first.id, True)
    assert product.acts == ["look", "open", "look", "renew"]
    assert acting.kinds() == ["silenced"]
    [event] = events.past(acting.ledger, acting.silencing.change, Silenced)
    assert (event.run, event.silence, event.connection, event.id) == (RUN, 1, "twin", first.id)
    assert timedelta(0) < LEASE - (event.until - datetime.now(UTC)) < timedelta(seconds=30)


async def test_who_died_before_the_record_has_left_one_that_is_found(acting: Acting, product: Product) -> None:
    """The next try renews it instead of making a second one, and ends what is one too many."""

    def die() -> None:
        raise Died

    product.meanwhile = die
    with pytest.raises(Died):
        await acting.keep()
    [left] = product.lasting
    product.silences["second"] = replace(left, id="second")
    product.meanwhile = lambda: None
    assert acting.kinds() == []
    await acting.keep()
    assert (len(product.lasting), acting.kinds()) == (1, ["silenced"])


async def test_what_has_ended_does_not_come_back(acting: Acting, product: Product) -> None:
    """A renewal that comes late finds in the record that it is over."""
    await acting.keep()
    await acting.end()
    await acting.keep()
    assert (product.lasting, acting.kinds()) == ([], ["silenced", "silence_ended"])
    await acting.end()
    assert acting.kinds() == ["silenced", "silence_ended"]


@pytest.mark.parametrize("is_first", [True, False], ids=["while it is opened", "while it is renewed"])
async def test_a_change_that_closes_meanwhile_is_left_no_silence(
    acting: Acting, product: Product, *, is_first: bool
) -> None:
    """Whoever was late ends it: `close` may have looked before it was there."""
    if not is_first:
        await acting.keep()
    product.meanwhile = lambda: close(acting)
    await acting.keep()
    assert product.lasting == []
    product.meanwhile = lambda: None
    await acting.keep()
    assert product.lasting == []


async def test_the_record_of_the_end_comes_first(acting: Acting, product: Product) -> None:
    """Else a renewal between the two would not know."""
    await acting.keep()
    ended: list[list[str]] = []

    product.before_end = lambda: ended.append(acting.kinds())
    await acting.end()
    assert ended == [["silenced", "silence_ended"]]


@pytest.mark.parametrize("is_over", [True, False], ids=["ended", "given another end"])
async def test_what_a_person_has_changed_is_left_to_them(acting: Acting, product: Product, *, is_over: bool) -> None:
    """It is neither opened again, nor renewed, nor ended."""
    await acting.keep()
    [held] = product.lasting
    ends = datetime.now(UTC) + timedelta(hours=0 if is_over else 2)
    product.silences[held.id] = changed = replace(held, ends=ends, is_over=is_over)
    await acting.keep()
    await acting.keep()
    await acting.end()
    assert list(product.silences.values()) == [changed]
    assert acting.kinds() == ["silenced", "silence_ended"]
    [event] = events.past(acting.ledger, acting.silencing.change, SilenceEnded)
    assert sentence(event) == (
        "found that a person has ended or changed the silence of alerts of the twin, and leaves it to them"
    )


async def test_what_has_lapsed_is_opened_again(acting: Acting, product: Product) -> None:
    """Airflow was away for longer than the lease, and the change goes on."""
    await acting.keep()
    [held] = product.lasting
    product.silences[held.id] = replace(held, is_over=True)
    await acting.keep()
    assert len(product.lasting) == 1


@pytest.mark.parametrize(
    "error",
    [
        SourceError("unreachable", "no reply"),
        UnknownConnection("twin"),
        KeyError("id"),
        RecursionError("brackets without end"),
    ],
    ids=str,
)
async def test_a_product_that_fails_fails_no_change(acting: Acting, product: Product, error: Exception) -> None:
    """One event says that people are told; each try logs a line, and the next one that works opens it."""
    product.error = error
    await acting.keep()
    await acting.keep()
    assert acting.kinds() == ["silence_failed"]
    assert len(acting.lines) == 2
    [event] = events.past(acting.ledger, acting.silencing.change, SilenceFailed)
    foreseen = isinstance(error, SourceError | UnknownConnection)
    reason = str(error) if foreseen else f"'twin' answered something that cannot be read ({type(error).__name__}: "
    assert sentence(event).startswith(f"could not silence alerts of the twin; people are alerted as usual: {reason}")
    product.error = None
    await acting.keep()
    assert (len(product.lasting), acting.kinds()) == (1, ["silence_failed", "silenced"])
    product.error = error
    await acting.keep()
    await acting.keep()
    await acting.end()
    assert acting.kinds() == ["silence_failed", "silenced", "silence_failed", "silence_failed"]
    assert [event.act for event in events.past(acting.ledger, acting.silencing.change, SilenceFailed)] == [
        *("open", "renew", "end"),
    ]


async def test_a_product_that_hangs_is_not_waited_for(
    acting: Acting, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by a step nor by the end."""
    monkeypatch.setattr(silencing, "WITHIN", 0.2)
    product.hangs = True
    began = datetime.now(UTC)
    await acting.keep()
    await acting.end()
    assert datetime.now(UTC) - began < timedelta(seconds=5)
    [event, _] = events.past(acting.ledger, acting.silencing.change, SilenceFailed)
    assert event.reason == "no answer within 0.2 s"


async def test_without_the_ledger_nothing_is_renewed_and_all_is_ended(
    acting: Acting, product: Product, tmp_path: Path
) -> None:
    """What is ended must not come back, and nobody can say that it is not; a silence is found by its mark."""
    await acting.keep()
    [held] = product.lasting
    gone = Ledger(f"sqlite:///{tmp_path}/no/ledger.db")
    without = Acting(gone, acting.silencing, ())
    await without.keep()
    assert product.lasting == [held]
    await without.end()
    assert product.lasting == []


async def test_a_run_that_does_not_hold_its_change_silences_nothing(acting: Acting, product: Product) -> None:
    """Nor does one that is closed."""
    other = acting.silencing.model_copy(update={"run": "run-2"})
    await Acting(acting.ledger, other, ()).keep()
    close(acting)
    await acting.keep()
    assert product.acts == []


async def test_two_changes_do_not_end_each_others(ledger: Ledger, product: Product) -> None:
    """The same alert is silenced until both have ended."""
    orders, payments = running(ledger, product), running(ledger, product, "payments")
    await orders.keep()
    await payments.keep()
    await orders.end()
    [left] = product.lasting
    assert left.comment.startswith(f"{payments.silencing.change} (run-1, silence 1), until ")


def test_a_ticket_without_silences_has_none_to_act_on() -> None:
    """So that nothing is looked up for it."""
    assert Silencing.of("CHG-1", RUN, ticket()) is None
