import asyncio
import socket
import sys

from wzp_cli.defaults.endpoint import TUNNEL_UNSENT_BYTES
from wzp_cli.endpoint.tcp.unsent import _TCP_NOTSENT_LOWAT, keep_little_unsent


def test_neither_asyncio_nor_the_kernel_keeps_much() -> None:
    async def scenario(where: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, *where)
        keep_little_unsent(transport)
        assert transport.get_write_buffer_limits() == (0, 1)
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        option = _TCP_NOTSENT_LOWAT.get(sys.platform)
        if option is not None:
            kept = sock.getsockopt(socket.IPPROTO_TCP, option)
            assert kept == TUNNEL_UNSENT_BYTES
        transport.abort()
        await asyncio.sleep(0)

    with socket.create_server(("127.0.0.1", 0)) as server:
        asyncio.run(scenario(server.getsockname()))
