"""Few pages are made at a time, and nobody who reads slowly keeps the others waiting."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from changewindow.web.turns import Turns


@dataclass
class House:
    """Pages that count how many of them are made at a time; each is sent in two parts."""

    now: int = 0
    most: int = 0
    answered: list[str] = field(default_factory=list)
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether those who read slowly read on."""

    async def made(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Make a page."""
        for part in range(2):
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(0.01)
            finally:
                self.now -= 1
            await send({"type": "http.response.body", "more_body": part == 0})
        self.answered.append(scope["path"])

    async def ask(self, turns: Turns, path: str, method: str = "GET") -> None:
        """Ask for a page; whoever asks for `/slow` reads it only once the others have theirs."""

        async def send(_message: Message) -> None:
            if path == "/slow":
                await self.reads.wait()

        async def receive() -> Message:
            return {"type": "http.request"}

        scope: dict[str, Any] = {"type": "http", "method": method, "path": path, "root_path": ""}
        await turns(scope, receive, send)


async def test_only_so_many_pages_are_made_at_a_time() -> None:
    """All are made in the end."""
    house = House()
    turns = Turns(house.made, 3)
    await asyncio.gather(*(house.ask(turns, "/now") for _ in range(12)))
    assert (house.most, len(house.answered)) == (3, 12)


async def test_whoever_reads_slowly_keeps_nobody_waiting() -> None:
    """However many they are; and they have their pages, too."""
    house = House()
    turns = Turns(house.made, 2)
    slow = [asyncio.create_task(house.ask(turns, "/slow")) for _ in range(5)]
    await asyncio.sleep(0.1)
    async with asyncio.timeout(5):
        await asyncio.gather(*(house.ask(turns, "/now") for _ in range(3)))
        house.reads.set()
        await asyncio.gather(*slow)
    assert house.answered == ["/now"] * 3 + ["/slow"] * 5


async def test_files_and_what_other_processes_judge_need_no_turn() -> None:
    """They come while pages are made."""
    house = House()
    turns = Turns(house.made, 1)
    await asyncio.gather(house.ask(turns, "/static/page.css"), house.ask(turns, "/ask/judge", "POST"))
    assert house.most == 2


async def test_whoever_leaves_while_others_are_waited_for_has_no_turn_to_give_back() -> None:
    """Otherwise each of them would let one more page be made at a time, for ever."""
    house = House()
    turns = Turns(house.made, 1)
    slow = [asyncio.create_task(house.ask(turns, "/slow")) for _ in range(3)]
    await asyncio.sleep(0.1)
    house.reads.set()
    await asyncio.sleep(0)  # now one of them has the turn again, and the others wait for it
    for each in slow:
        each.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    await asyncio.gather(*(house.ask(turns, "/now") for _ in range(5)))
    assert (house.most, house.answered) == (1, ["/now"] * 5)


async def test_whoever_asks_only_for_the_head_of_a_page_waits_as_well() -> None:
    """It is made like the page itself: that of a feed holds every change."""
    house = House()
    turns = Turns(house.made, 1)
    await asyncio.gather(*(house.ask(turns, "/feed/token.ics", "HEAD") for _ in range(5)))
    assert house.most == 1
