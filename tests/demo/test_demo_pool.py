"""The pool against the real database, and its limits under any order of use."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.database import Database, DatabaseCosts
from demo.pool import Connection, Link, NoConnectionError, Pool, PoolSettings, RefusedError

QUICK = DatabaseCosts(max_connections=4, handshake=0.001, query=0.001, cleanup=0.2)


@pytest.fixture
def database() -> Iterator[Database]:
    """A database with four slots."""
    database = Database(costs=QUICK)
    database.start()
    yield database
    database.stop()


def pool_on(database: Database, max_open: int = 4, max_idle: int = 4, timeout_ms: int = 5000) -> Pool:
    """Return a pool of this database."""
    settings = PoolSettings(max_open=max_open, max_idle=max_idle, acquire_timeout_ms=timeout_ms)
    return Pool(lambda timeout: Connection(database.address, timeout), settings)


def lend(pool: Pool, count: int, stack: ExitStack) -> list[Link]:
    """Borrow several connections at once, until the stack is closed."""
    return [stack.enter_context(pool.connection()) for _ in range(count)]


def test_answers_queries(database: Database) -> None:
    """A lent connection answers a query with its row."""
    with pool_on(database).connection() as connection:
        assert connection.query(7) == "ROW 7"


def test_lends_again(database: Database) -> None:
    """A released connection is lent again instead of dialling a new one."""
    pool = pool_on(database)
    with pool.connection() as first:
        pass
    with pool.connection() as second:
        assert second is first
    assert pool.numbers().opened == 1


def test_closes_beyond_max_idle(database: Database) -> None:
    """Of three connections released, one is kept with max_idle 1, and two are closed."""
    pool = pool_on(database, max_idle=1)
    with ExitStack() as stack:
        lend(pool, 3, stack)
        assert pool.numbers().in_use == 3
    numbers = pool.numbers()
    assert (numbers.in_use, numbers.idle, numbers.opened, numbers.closed) == (0, 1, 3, 2)


def test_refuses_beyond_max_open(database: Database) -> None:
    """A caller beyond max_open waits for its time, and is then told why."""
    pool = pool_on(database, max_open=2)
    with ExitStack() as stack:
        lend(pool, 2, stack)
        with pytest.raises(NoConnectionError) as caught, pool.connection(timeout=0.02):
            pass
    assert str(caught.value) == "No database connection within 20 ms: all 2 of max_open are in use."


def test_hands_over_to_a_waiting_caller(database: Database, eventually: Callable[..., None]) -> None:
    """A caller who waits at max_open gets the released connection, even when none may be idle."""
    pool = pool_on(database, max_open=1, max_idle=0)
    got: list[Link] = []

    def borrow() -> None:
        with pool.connection() as connection:
            got.append(connection)

    with pool.connection() as first:
        caller = threading.Thread(target=borrow)
        caller.start()
        eventually(lambda: pool._waiting == 1)
    caller.join(5)
    assert got == [first]


def test_closes_a_failed_connection(database: Database) -> None:
    """A connection on which the caller fails is not lent again."""
    pool = pool_on(database)
    with pytest.raises(OSError, match="broken"), pool.connection():
        raise OSError("broken")
    assert pool.numbers().idle == 0
    assert pool.numbers().closed == 1


def test_the_database_has_a_limit(database: Database) -> None:
    """Beyond its limit the database refuses, and the pool passes its words on."""
    with ExitStack() as stack:
        lend(pool_on(database), 4, stack)
        with pytest.raises(RefusedError, match="FATAL too many connections"):
            Connection(database.address, 5)
        with pytest.raises(NoConnectionError) as caught, pool_on(database, timeout_ms=900).connection():
            pass
    assert str(caught.value) == "No database connection within 900 ms: FATAL too many connections."


def test_a_slot_lingers(database: Database, eventually: Callable[..., None]) -> None:
    """A closed connection keeps its slot until the database has cleaned up; a refused caller asks again till then."""
    pool = pool_on(database, max_idle=0)
    with ExitStack() as stack:
        lend(pool, 4, stack)
    assert pool.numbers().closed == 4
    assert database.slots_taken == 4
    with pool.connection() as connection:
        assert connection.query(1) == "ROW 1"
    eventually(lambda: database.slots_taken == 0)


def test_warms_up_to_max_idle(database: Database) -> None:
    """A warm pool has its idle connections before the first caller comes."""
    pool = pool_on(database, max_idle=3)
    pool.warm()
    assert pool.numbers().idle == 3


def test_warms_with_what_it_gets(database: Database) -> None:
    """Warming ends without complaint when the database has fewer slots than asked for."""
    pool = pool_on(database, max_open=9, max_idle=9)
    pool.warm()
    assert pool.numbers().idle == 4


def test_drains(database: Database) -> None:
    """A drained pool keeps nothing, and still serves who holds it."""
    pool = pool_on(database)
    pool.warm()
    with pool.connection() as held:
        pool.drain()
        assert held.query(1) == "ROW 1"
        assert pool.numbers().idle == 0
    numbers = pool.numbers()
    assert (numbers.in_use, numbers.idle) == (0, 0)
    assert numbers.opened == numbers.closed


class Line:
    """A link that only knows whether it is open."""

    def __init__(self, opened: list["Line"]) -> None:
        """Count as open."""
        self.opened = opened
        opened.append(self)

    def query(self, number: int) -> str:
        """Return a row."""
        return f"ROW {number}"

    def close(self) -> None:
        """Count as open no more."""
        self.opened.remove(self)


@given(
    max_open=st.integers(1, 4),
    max_idle=st.integers(0, 4),
    uses=st.lists(st.integers(-1, 3), max_size=30),
)
def test_limits_hold(max_open: int, max_idle: int, uses: list[int]) -> None:
    """Whatever is borrowed and released in whatever order, max_open and max_idle hold and no connection is lost."""
    opened: list[Line] = []
    settings = PoolSettings(max_open=max_open, max_idle=max_idle, acquire_timeout_ms=1)
    pool = Pool(lambda _: Line(opened), settings)
    lent: list[AbstractContextManager[Link]] = []
    for use in uses:
        if use < 0 and len(lent) < max_open:
            lent.append(pool.connection())
            lent[-1].__enter__()
        elif 0 <= use < len(lent):
            lent.pop(use).__exit__(None, None, None)
        numbers = pool.numbers()
        assert numbers.in_use == len(lent)
        assert numbers.idle <= max_idle
        assert len(opened) == numbers.in_use + numbers.idle == numbers.opened - numbers.closed
        assert len(opened) <= max_open
