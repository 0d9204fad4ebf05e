"""A thousand streams at once, beside clients that misbehave: all are answered, and the memory is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import resource
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import aiohttp
import psutil
import pytest

import quackllm
from standin.fixtures import StandIn
from support.gateway_processes import served

pytestmark = pytest.mark.load

STREAMS = 1000
MEBIBYTE = 1 << 20


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def streamed(session: aiohttp.ClientSession, address: str, text: str) -> str:
    body = {"model": "standin", "messages": [{"role": "user", "content": text}], "stream": True}
    said = ""
    async with session.post(f"{address}/v1/chat/completions", json=body) as reply:
        assert reply.status == 200, await reply.text()
        async for line in reply.content:
            if line.startswith(b"data: {"):
                choices = json.loads(line[6:])["choices"]
                said += choices[0]["delta"].get("content", "")
    assert line == b"\n"
    return said


async def junk(session: aiohttp.ClientSession, address: str, drawn: random.Random) -> int:
    body = drawn.choice(
        [drawn.randbytes(100), b"{" * 1000, b'{"model": "echo", "prompt": "' + b"x" * 10_000_000 + b'"}']
    )
    headers = {"Content-Type": "application/json"}
    async with session.post(f"{address}/v1/completions", data=body, headers=headers) as reply:
        return reply.status


async def crowd(address: str, process: psutil.Process) -> tuple[list[str], list[int | BaseException], int]:
    """Stream a thousand answers while others send junk; return what was said, and the most memory that was taken."""
    most, drawn = 0, random.Random(0)

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, process.memory_info().rss)
            await asyncio.sleep(0.2)

    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0), timeout=aiohttp.ClientTimeout(300)
    ) as session:
        watching = asyncio.create_task(watch())
        streams = asyncio.gather(*(streamed(session, address, f"stream {number} " * 20) for number in range(STREAMS)))
        rubbish = await asyncio.gather(*(junk(session, address, drawn) for _ in range(50)), return_exceptions=True)
        said = await streams
        watching.cancel()
    return said, rubbish, most


def test_a_thousand_streams_beside_clients_that_misbehave(service: StandIn) -> None:
    params = service.openai_params()
    quackllm.deploy("standin", "saas/openai", worker_concurrency=STREAMS, infer_params=params)
    service.script([{"fault": "slow", "seconds": 0.5, "piece_seconds": 0.2}])
    with many_files(), served() as (address, process), contextlib.ExitStack() as lazy:
        gateway = psutil.Process(process.pid)
        asyncio.run(crowd_of_one(address))
        before = gateway.memory_info().rss
        place = urlsplit(address)
        for _ in range(200):  # They say half a word and stay.
            idle = lazy.enter_context(socket.create_connection((place.hostname, place.port), timeout=60))
            idle.sendall(b"POST /v1/comp")
        said, rubbish, most = asyncio.run(crowd(address, gateway))
        assert said == [f"answer to: {f'stream {number} ' * 20}" for number in range(STREAMS)]
        assert all(isinstance(outcome, aiohttp.ClientError) or 400 <= outcome < 500 for outcome in rubbish)
        print(f"{before / MEBIBYTE:.0f} MiB before, {most / MEBIBYTE:.0f} MiB at most; {service.state()}")
        assert most - before < 500 * MEBIBYTE
        assert service.state()["most_at_once"] > STREAMS * 0.9
        asyncio.run(crowd_of_one(address))


async def crowd_of_one(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        assert await streamed(session, address, "an honest question") == "answer to: an honest question"
