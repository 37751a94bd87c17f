"""A TCP proxy that misbehaves on order, between a client and a server of HTTP. Runs in a thread of the test's process.

    with faulty(server.port) as proxy:
        proxy.port                   # where the client goes
        proxy.fault = Truncate(100)  # for every connection and request that begins from now on
        proxy.fault = None           # let everything pass again

Each request of a connection is looked at anew, so a fault hits connections that a client has kept open too.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any

BLOCK = 65_536


@dataclass
class Fault:
    """`times`: how many requests it hits, then all is well; -1: all of them. Only those whose method is `method`, and
    only after so many that it lets `pass_first`."""

    times: int = -1
    method: str = ""
    pass_first: int = 0
    hits: int = 0

    def meets(self, head: bytes) -> bool:
        if self.times == 0 or not head.startswith(self.method.encode()):
            return False
        if self.pass_first > 0:
            self.pass_first -= 1
            return False
        self.times -= 1
        self.hits += 1
        return True


@dataclass
class Reset(Fault):
    """Pass so many bytes of the request on, then reset the connection: the server never has it whole."""

    after: int = 0


@dataclass
class BlackHole(Fault):
    """Take everything, pass nothing on, say nothing."""


@dataclass
class Answer(Fault):
    """Answer in the server's stead, without asking it."""

    status: int = 503
    wait: float = 0.0


@dataclass
class Truncate(Fault):
    """Pass the request on, and of the answer only so many bytes behind its header; then close."""

    after: int = 0


@dataclass
class Silence(Fault):
    """Pass the request on and swallow the answer: it is done, and the client cannot know. `reset`: at once."""

    reset: bool = True


@dataclass
class Delay(Fault):
    """Pass the answer on after so many seconds."""

    seconds: float = 0.1


class Broken(Exception):
    """This connection is over, by our own doing."""


@dataclass
class Proxy:
    target: int
    fault: Fault | None = None
    port: int = 0
    requests: list[str] = field(default_factory=list)
    """First lines of all requests so far."""

    async def serve(self, up: threading.Event) -> None:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        up.set()
        with contextlib.suppress(asyncio.CancelledError):
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        try:
            while await self._exchange(Side(reader, writer), Side(far_reader, far_writer)):
                pass
        except (Broken, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            for each in (writer, far_writer):
                each.close()

    async def _exchange(self, client: Side, server: Side) -> bool:
        """One request and its answer. False at the end of the connection."""
        head = await client.head()
        self.requests.append(head.split(b"\r\n", 1)[0].decode())
        fault = self.fault if self.fault and self.fault.meets(head) else None
        if isinstance(fault, BlackHole):
            await client.swallow()
        if isinstance(fault, Answer):
            return await _answered(fault, client, head)
        if isinstance(fault, Reset):
            await _reset(fault, client, server, head)
        answer = await _pass_request(client, server, head)
        if isinstance(fault, Silence):
            await server.drain_body(answer, head)
            await (client.reset() if fault.reset else client.swallow())
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        client.writer.write(answer)
        if isinstance(fault, Truncate):
            await server.copy(client, fault.after)
            raise Broken
        await server.copy_body(client, answer, head)
        return b"connection: close" not in answer.lower()


@dataclass
class Side:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def copy(self, other: Side, count: int) -> None:
        while count > 0:
            block = await self.reader.read(min(BLOCK, count))
            if not block:
                raise Broken
            other.writer.write(block)
            await other.writer.drain()
            count -= len(block)
        await other.writer.drain()

    async def copy_body(self, other: Side, head: bytes, request: bytes) -> None:
        """The body of an answer, by its length or in chunks (RFC 9112 section 7.1, without trailers)."""
        if b"transfer-encoding: chunked" not in head.lower():
            return await self.copy(other, body_length(head, request))
        size = 1
        while size:
            line = await self.reader.readline()
            size = int(line.split(b";")[0], 16)
            other.writer.write(line)
            await self.copy(other, size + 2)

    async def drain_body(self, head: bytes, request: bytes) -> None:
        await self.reader.readexactly(body_length(head, request))

    async def swallow(self) -> None:
        """Until the other side gives up."""
        while await self.reader.read(BLOCK):
            pass
        raise Broken

    async def reset(self) -> None:
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise Broken


async def _pass_request(client: Side, server: Side, head: bytes) -> bytes:
    """Send the request on, body and all; gives the head of the final answer, which may come before the body's end."""
    server.writer.write(head)
    sending = asyncio.create_task(_quietly(client.copy(server, body_length(head))))
    try:
        while (answer := await server.head()).split(b" ", 2)[1] == b"100":
            client.writer.write(answer)
        return answer
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)


async def _quietly(work: Coroutine[Any, Any, None]) -> None:
    with contextlib.suppress(OSError, Broken):
        await work


async def _answered(fault: Answer, client: Side, head: bytes) -> bool:
    if b"expect: 100-continue" not in head.lower():
        await client.reader.readexactly(body_length(head))
    await asyncio.sleep(fault.wait)
    client.writer.write(f"HTTP/1.1 {fault.status} Fault\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await client.writer.drain()
    return False


async def _reset(fault: Reset, client: Side, server: Side, head: bytes) -> None:
    server.writer.write(head)
    if b"expect: 100-continue" in head.lower():
        client.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    await client.copy(server, min(fault.after, body_length(head)))
    server.writer.transport.abort()
    await client.reset()


def body_length(head: bytes, request: bytes = b"") -> int:
    """Bytes of the body that follow this head; `request`: of what it is the answer."""
    if request.startswith(b"HEAD ") or head.split(b" ", 2)[1] in (b"204", b"304"):
        return 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length":
            return int(value)
    return 0


@contextlib.contextmanager
def faulty(target: int) -> Iterator[Proxy]:
    """A proxy before the server on the loopback port `target`."""
    proxy, up, loop = Proxy(target), threading.Event(), asyncio.new_event_loop()
    task = loop.create_task(proxy.serve(up))

    async def finish() -> None:
        for each in asyncio.all_tasks() - {asyncio.current_task()}:
            each.cancel()
        await asyncio.sleep(0)

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            loop.run_until_complete(task)
        loop.run_until_complete(finish())
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert up.wait(10)
    try:
        yield proxy
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
