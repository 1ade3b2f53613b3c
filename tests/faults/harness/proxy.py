"""TCP proxy in front of PostgreSQL that simulates network faults.

with Proxy(socket_path, dice) as proxy:
    proxy.url(system_url)              # the same database, through the proxy
    proxy.cut_after(is_finish)         # the statement commits, its answer is lost
    proxy.swallow()                    # a black hole: packets are dropped, TCP does not answer
    proxy.stall()                      # connections stay open, nothing is passed on
    proxy.slow(seconds=0.2, jitter=0.05, resets=0.01)
    proxy.heal()
"""

from __future__ import annotations

import asyncio
import ctypes
import random
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from tests.faults.harness.wire import ClientSide, ServerSide

CHUNK = 65536
# From <linux/socket.h>; a filter of one instruction that drops every packet.
SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
BPF_RETURN = 0x06

Chooses = Callable[[bytes], bool]


class Proxy:
    """Listens on loopback, connects to a unix socket; its faults apply to all connections."""

    def __init__(self, target: Path, dice: random.Random) -> None:
        self.target = target
        self.dice = dice
        self.latency = 0.0
        self.jitter = 0.0
        self.resets = 0.0
        self.chooses: Chooses | None = None
        self.cuts = 0
        self.reset_count = 0
        self.swallowing = False
        self.connections: set[Connection] = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port = int(self.listener.getsockname()[1])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy")

    def __enter__(self) -> Self:
        self._thread.start()
        self._in_loop(self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._in_loop(self._end)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def url(self, direct: str) -> str:
        """Return a database's URL with this proxy as its host."""
        parts = urlsplit(direct)
        user = parts.username or "tasks"
        return f"postgresql://{user}@127.0.0.1:{self.port}{parts.path}"

    def cut_after(self, chooses: Chooses | None) -> None:
        """Cut the connection of each chosen statement once the server has ended it."""
        self.chooses = chooses

    def slow(self, *, seconds: float, jitter: float = 0.0, resets: float = 0.0) -> None:
        """Delay each round trip, and reset this share of them."""
        self.latency, self.jitter, self.resets = seconds, jitter, resets

    def stall(self) -> None:
        """Pass nothing on, while connections stay open."""
        self._in_loop(self._stall)

    def swallow(self) -> None:
        """Drop every packet without an answer to its sender."""
        self._in_loop(self._swallow)

    def heal(self) -> None:
        """End all faults."""
        self.chooses = None
        self.slow(seconds=0.0)
        self._in_loop(self._heal)

    def reset_all(self) -> None:
        """Reset every connection."""
        self._in_loop(self._reset_all)

    def _in_loop(self, work: Callable[[], Any]) -> None:
        async def call() -> None:
            result = work()
            if asyncio.iscoroutine(result):
                await result

        asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    async def _begin(self) -> None:
        self.open = asyncio.Event()
        self.open.set()
        self._server = await asyncio.start_server(self._serve, sock=self.listener)

    async def _end(self) -> None:
        self._heal()
        self._server.close()
        self._reset_all()
        while self.connections:
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server = await asyncio.open_unix_connection(str(self.target))
        except OSError:
            # The server is down: refuse the connection, as its own address would.
            _set_abortive(writer)
            writer.close()
            return
        connection = Connection(self, (reader, writer), server)
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    def _stall(self) -> None:
        self.open.clear()

    def _swallow(self) -> None:
        self.open.clear()
        self.swallowing = True
        drop_packets(self.listener)
        for connection in self.connections:
            drop_packets(connection.client_socket())

    def _heal(self) -> None:
        if self.swallowing:
            self.swallowing = False
            for endpoint in (self.listener, *(each.client_socket() for each in self.connections)):
                endpoint.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
        self.open.set()

    def _reset_all(self) -> None:
        for connection in self.connections:
            connection.reset()


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connection:
    """A client's connection and the matching one to the server."""

    def __init__(self, proxy: Proxy, client: Streams, server: Streams) -> None:
        self._proxy = proxy
        self._from_client, self._to_client = client
        self._from_server, self._to_server = server
        self._client_side = ClientSide()
        self._server_side = ServerSide(self._client_side)
        # The connection is cut when this round ends; its answer is withheld.
        self._cut_at: int | None = None

    async def run(self) -> None:
        """Pass data on both ways until either side ends."""
        pumps = [
            asyncio.create_task(
                self._pump(self._from_client, self._to_server, self._on_client_data)
            ),
            asyncio.create_task(
                self._pump(self._from_server, self._to_client, self._on_server_data)
            ),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        await asyncio.wait(pumps)
        for writer in (self._to_client, self._to_server):
            writer.close()

    def client_socket(self) -> Any:
        return self._to_client.get_extra_info("socket")

    def reset(self) -> None:
        """End both connections as if the client had died, its own with RST."""
        _set_abortive(self._to_client)
        for writer in (self._to_client, self._to_server):
            writer.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        inspect: Callable[[bytes], bool],
    ) -> None:
        """Pass on what is read, each piece after the latency, in order."""
        due: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(due, writer))
        clock = asyncio.get_running_loop().time
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while data := await reader.read(CHUNK):
                    if inspect(data):
                        due.put_nowait((clock() + self._one_way(), data))
            due.put_nowait((clock(), b""))
            await asyncio.wait([delivery])
        finally:
            delivery.cancel()
            await asyncio.wait([delivery])

    async def _deliver(
        self, due: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        """Pass on what is due, until the empty piece that marks the end."""
        clock = asyncio.get_running_loop().time
        with suppress(ConnectionError):
            while (piece := await due.get())[1]:
                at, data = piece
                if (left := at - clock()) > 0:
                    await asyncio.sleep(left)
                await self._proxy.open.wait()
                writer.write(data)
                await writer.drain()

    def _one_way(self) -> float:
        proxy = self._proxy
        return max(0.0, proxy.latency + proxy.jitter * proxy.dice.uniform(-1, 1)) / 2

    def _on_client_data(self, data: bytes) -> bool:
        """Inspect data from the client; return whether to pass it on."""
        proxy = self._proxy
        for sql, ends_at in self._client_side.feed(data):
            if proxy.chooses and self._cut_at is None and proxy.chooses(sql):
                self._cut_at = ends_at
            if proxy.resets and proxy.dice.random() < proxy.resets:
                proxy.reset_count += 1
                self.reset()
                return False
        return True

    def _on_server_data(self, data: bytes) -> bool:
        """Inspect data from the server; return whether to pass it on."""
        self._server_side.feed(data)
        if self._cut_at is None:
            return True
        if self._server_side.rounds >= self._cut_at:
            self._proxy.cuts += 1
            self.reset()
        return False


def _set_abortive(writer: asyncio.StreamWriter) -> None:
    """Make the connection end with RST instead of FIN."""
    linger = struct.pack("ii", 1, 0)
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


def drop_packets(endpoint: Any) -> None:
    """Let a socket receive nothing more, not even acknowledgements, and acknowledge nothing."""
    instruction = ctypes.create_string_buffer(struct.pack("HBBI", BPF_RETURN, 0, 0, 0))
    program = struct.pack("HL", 1, ctypes.addressof(instruction))
    endpoint.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
