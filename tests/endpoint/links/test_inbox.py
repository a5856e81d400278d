"""What came on the signalling stream, kept until it is read."""

import asyncio

from wzp_cli.defaults.endpoint import MAX_QUEUED_BYTES
from wzp_cli.endpoint.links.inbox import Inbox


def test_pieces_are_read_in_order_and_then_the_end_for_ever() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        assert inbox.put(b"one")
        assert inbox.put(b"")
        assert inbox.put(b"two")
        assert inbox.size == 6
        inbox.end()
        assert [await inbox.read() for _ in range(4)] == [b"one", b"two", b"", b""]
        assert inbox.size == 0

    asyncio.run(scenario())


def test_who_reads_is_woken_by_a_piece_and_by_the_end() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        for wake, expected in ((lambda: inbox.put(b"x"), b"x"), (inbox.end, b"")):
            async with asyncio.TaskGroup() as group:
                reading = group.create_task(inbox.read())
                await asyncio.sleep(0)
                assert not reading.done()
                wake()
            assert reading.result() == expected

    asyncio.run(scenario())


def test_there_is_room_for_so_much_that_nobody_has_read() -> None:
    async def scenario() -> None:
        inbox = Inbox()
        assert inbox.put(bytes(MAX_QUEUED_BYTES))
        await inbox.read()
        assert inbox.put(bytes(MAX_QUEUED_BYTES))
        assert not inbox.put(b"x")

    asyncio.run(scenario())
