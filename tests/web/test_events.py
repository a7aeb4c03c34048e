"""Events to pages: a slow page loses messages and then gets the whole state; nothing is sent twice."""

import asyncio
import json
from collections.abc import AsyncIterator

from iolab.web.events import MOST_WAITING, Audience


def told(message: bytes) -> tuple[str, object]:
    name, data = message.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def next_of(messages: AsyncIterator[bytes]) -> tuple[str, object]:
    return told(await asyncio.wait_for(anext(messages), 5))


def test_a_page_gets_the_state_and_then_what_happens() -> None:
    async def look() -> None:
        audience = Audience()
        messages = audience.messages(lambda: {"count": 1})
        assert await next_of(messages) == ("state", {"count": 1})
        audience.send("moves", [1])
        audience.send("moves", [2])
        assert [await next_of(messages), await next_of(messages)] == [("moves", [1]), ("moves", [2])]
        assert audience.size == 1
        await messages.aclose()  # type: ignore[attr-defined]
        assert audience.size == 0

    asyncio.run(look())


def test_closing_ends_the_messages_at_once() -> None:
    async def look() -> None:
        audience = Audience()
        messages = audience.messages(lambda: 0)
        await next_of(messages)
        audience.send("moves", 1)
        audience.close()
        assert [message async for message in messages] == []
        assert audience.size == 0

    asyncio.run(look())


def test_a_slow_page_has_a_bounded_buffer_and_gets_the_state_of_now() -> None:
    async def look() -> None:
        count = 0
        audience = Audience()
        messages = audience.messages(lambda: count)
        assert await next_of(messages) == ("state", 0)
        for _ in range(3 * MOST_WAITING):
            count += 1
            audience.send("moves", count)
        found = [await next_of(messages)]
        assert found == [("state", count)]  # and nothing that is part of it follows
        audience.send("moves", "after")
        assert await next_of(messages) == ("moves", "after")

    asyncio.run(look())


def test_what_is_told_before_a_page_looks_is_part_of_its_state() -> None:
    async def look() -> None:
        audience = Audience()
        first = audience.messages(lambda: "one")
        await next_of(first)

        def state() -> str:
            audience.send("moves", "before")  # as the stage does: the others must get it
            return "two"

        second = audience.messages(state)
        assert await next_of(second) == ("state", "two")
        assert await next_of(first) == ("moves", "before")
        audience.send("moves", "after")
        assert await next_of(second) == ("moves", "after")

    asyncio.run(look())
