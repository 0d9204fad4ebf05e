"""A service on loopback that answers with whatever bytes a test wants: any framing, any size, any lie."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any


@dataclass(frozen=True)
class RawReply:
    """What is sent back.

    Args:
        body: the bytes; a list is sent in as many writes.
        status: the HTTP status.
        headers: beside the Content-Length, which `chunked` leaves out.
        chunked: send the parts as HTTP chunks.
        cut: close the connection when the parts are sent, however long the body was said to be.
        seconds: how long after the request it is sent.
    """

    body: bytes | list[bytes] = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False
    cut: bool = False
    seconds: float = 0.0

    @staticmethod
    def json(value: Any, status: int = 200, **headers: str) -> RawReply:
        """A reply that holds a JSON value."""
        return RawReply(json.dumps(value).encode(), status, {"Content-Type": "application/json", **headers})

    @staticmethod
    def events(*values: Any, end: str = "data: [DONE]\n\n") -> RawReply:
        """A reply of server-sent events; a text is written as it is."""
        lines = [f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n" for value in values]
        return RawReply("".join([*lines, end]).encode(), headers={"Content-Type": "text/event-stream"})


@dataclass(frozen=True)
class Received:
    """One request that came in."""

    path: str
    headers: dict[str, str]
    body: Any


Respond = Callable[[Received], RawReply]


class RawService:
    """The running service: `reply` decides what each request gets, `received` keeps what came in."""

    def __init__(self) -> None:
        self.reply: RawReply | Respond = RawReply()
        self.received: list[Received] = []
        self.port = 0

    @property
    def url(self) -> str:
        """Its address, up to and with the version."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                received = await self._read(head, reader)
                self.received.append(received)
                reply = self.reply(received) if callable(self.reply) else self.reply
                await asyncio.sleep(reply.seconds)
                await _write(writer, reply)
                if reply.cut:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _read(self, head: bytes, reader: asyncio.StreamReader) -> Received:
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Received(first.split(" ")[1], headers, json.loads(body) if body else None)


async def _write(writer: asyncio.StreamWriter, reply: RawReply) -> None:
    parts = reply.body if isinstance(reply.body, list) else [reply.body]
    length = {} if reply.chunked else {"Content-Length": str(sum(map(len, parts)) + 9 * reply.cut)}
    framing = {"Transfer-Encoding": "chunked"} if reply.chunked else length
    head = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in {**framing, **reply.headers}.items())]
    writer.write("\r\n".join([*head, "", ""]).encode() + (b"" if len(parts) > 1 or reply.chunked else parts[0]))
    for part in parts if len(parts) > 1 or reply.chunked else ():
        if part:
            writer.write(b"%x\r\n%s\r\n" % (len(part), part) if reply.chunked else part)
            await writer.drain()
            await asyncio.sleep(0)
    if reply.chunked and not reply.cut:
        writer.write(b"0\r\n\r\n")
    await writer.drain()


@contextmanager
def running_raw_service() -> Iterator[RawService]:
    """Run a service in a thread of its own, and end it afterwards."""
    service, up, ends = RawService(), threading.Event(), []

    async def main() -> None:
        ended = asyncio.Event()
        ends.append(partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set))
        server = await asyncio.start_server(service.handle, "127.0.0.1", 0, limit=2**24)
        service.port = server.sockets[0].getsockname()[1]
        up.set()
        await ended.wait()
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(main(),), daemon=True)
    thread.start()
    up.wait()
    try:
        yield service
    finally:
        ends[0]()
        thread.join()
