"""A TCP proxy of one server, whose wire can be cut, or be still so that neither side hears of it."""

import asyncio
from contextlib import suppress


class Proxy:
    """Passes bytes on while `is_whole`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._may_pass = asyncio.Event()
        self._may_pass.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        """Break every connection and take no new one."""
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    def hold(self) -> None:
        """Pass nothing on."""
        self._may_pass.clear()

    def release(self) -> None:
        self._may_pass.set()

    async def stop(self) -> None:
        self.release()
        await self.cut()
        await asyncio.sleep(0.05)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        pair = {writer, far_writer}
        self._writers |= pair
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, far_writer))
                group.create_task(self._pass(far_reader, writer))
        finally:
            self._writers -= pair

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while content := await source.read(65536):
                await self._may_pass.wait()
                target.write(content)
                await target.drain()
        target.transport.abort()
