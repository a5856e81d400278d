"""STUN transactions under way: what is asked, how often, and what counts as the answer.

An answer is known by its transaction id, 12 random bytes that nobody off the path can
guess; a reflection counts only from the address that was asked.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress

from wzp_cli.defaults.endpoint import STUN_TRIES_S
from wzp_cli.endpoint.stun import message as stun
from wzp_cli.protocol.nat.facts import Reflection
from wzp_cli.protocol.traversal.route import DirectRoute, Route

__all__ = ["StunSink", "Transactions"]

StunSink = Callable[[stun.BindingMessage, DirectRoute], None]
"""Takes a message that belongs to a transaction of ours, and where it came from."""

Send = Callable[[bytes, DirectRoute], None]


class Transactions:
    """The transactions of one endpoint."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._sinks: dict[bytes, StunSink] = {}

    def __len__(self) -> int:
        """Count those under way."""
        return len(self._sinks)

    @contextmanager
    def expecting(self, transaction_id: bytes, sink: StunSink) -> Iterator[None]:
        """Bring whatever comes with this id to `sink`, from wherever it comes."""
        self._sinks[transaction_id] = sink
        try:
            yield
        finally:
            del self._sinks[transaction_id]

    def take(self, message: stun.BindingMessage, route: Route) -> bool:
        """Take what arrived; return whether it belongs to a transaction."""
        sink = self._sinks.get(message.transaction_id)
        if sink is not None and isinstance(route, DirectRoute):
            sink(message, route)
        return sink is not None

    async def reflect(self, route: DirectRoute) -> Reflection:
        """Ask the server at a route's end for the address that it sees us at.

        Raises:
            TimeoutError: No answer to any of the requests (STUN_TRIES_S).
        """
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[Reflection] = loop.create_future()

        def expect(transaction_id: bytes, sent: int) -> AbstractContextManager[None]:
            sent_at = loop.time()

            def take(message: stun.BindingMessage, source: DirectRoute) -> None:
                is_answer = message.kind == "response" and message.mapped is not None
                if source == route and is_answer and not answered.done():
                    assert message.mapped is not None
                    seen = (route.address, message.mapped, loop.time() - sent_at)
                    answered.set_result(
                        Reflection(*seen, sent, message.other, route.spare)
                    )

            return self.expecting(transaction_id, take)

        with ExitStack() as expected:
            for sent, wait_s in enumerate(_waits_s(), 1):
                # Each has an id of its own, so that its answer tells how long it took.
                transaction_id = stun.new_transaction_id()
                expected.enter_context(expect(transaction_id, sent))
                self._send(stun.encode_request(transaction_id), route)
                with suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        return await asyncio.shield(answered)
        raise TimeoutError(f"no STUN answer from {route.address}")


def _waits_s() -> list[float]:
    """Return how long to wait after each request."""
    ends = (*STUN_TRIES_S[1:], 2 * STUN_TRIES_S[-1])
    return [end - at for at, end in zip(STUN_TRIES_S, ends, strict=True)]
