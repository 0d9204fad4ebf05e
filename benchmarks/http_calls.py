"""What a call over HTTP costs: SQL beside a bare client, against a service that takes 0.1 s for every answer.

    python benchmarks/http_calls.py [--concurrency 64 256 1024] [--seconds 0.1] [--waves 16] [--rounds 3]

The service is the least that can answer, in a process of its own, so that what is measured is the client. "What the
service allows" is the concurrency divided by its latency. The bare client is aiohttp with msgspec under asyncio.gather,
with the same number of slots.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from statistics import median
from time import perf_counter

import aiohttp
import msgspec
from report import keep, tell

import quackllm

ANSWER = (
    b'{"id":"c","object":"chat.completion","created":0,"model":"m","choices":[{"index":0,"finish_reason":"stop",'
    b'"message":{"role":"assistant","content":"an answer of some words"}}],'
    b'"usage":{"prompt_tokens":12,"completion_tokens":6,"total_tokens":18}}'
)
REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(ANSWER), ANSWER)
Run = Callable[[str], None]


class Service(asyncio.Protocol):
    """Answers every request with the same words, after a while."""

    seconds = 0.1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        if end and len(body) >= int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]):
            self.received = b""
            asyncio.get_running_loop().call_later(self.seconds, self.transport.write, REPLY)


async def serve(seconds: float) -> None:
    """Listen on loopback, say where, and go on until the process is ended."""
    Service.seconds = seconds
    server = await asyncio.get_running_loop().create_server(Service, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def bare(address: str, rows: int, concurrency: int, tag: str) -> None:
    """Ask with aiohttp and msgspec, and nothing else."""
    slots = asyncio.Semaphore(concurrency)
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

        async def ask(row: int) -> None:
            body = {"model": "m", "messages": [{"role": "user", "content": f"{tag} {row}"}], "temperature": 0}
            async with slots, session.post(f"{address}/chat/completions", data=msgspec.json.encode(body)) as reply:
                assert msgspec.json.decode(await reply.read())["choices"]

        await asyncio.gather(*(ask(row) for row in range(rows)))


def sql(address: str, rows: int, concurrency: int) -> Run:
    """Ask in a SELECT whose every row is another request."""
    params = {"saas.base_url": address, "saas.model": "m", "saas.api_key": "k"}
    name = f"bench_{concurrency}"
    quackllm.deploy(name, "openai", worker_concurrency=concurrency, infer_params=params)
    connection = quackllm.connect()
    connection.execute(f"SELECT {name}('warm up')").fetchone()

    def run(tag: str) -> None:
        text = f"SELECT llm_result({name}('{tag} ' || i)) AS a FROM range({rows}) t(i)"
        (answered,) = connection.execute(f"SELECT count(a) FROM ({text})").fetchone()
        assert answered == rows

    return run


def measure(run: Run, tag: str) -> tuple[float, float]:
    """Return the seconds and the seconds of CPU of one run."""
    used, started = resource.getrusage(resource.RUSAGE_SELF), perf_counter()
    run(tag)
    took, now = perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
    return took, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def main() -> None:
    """Run both at every concurrency, in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--seconds", type=float, default=0.1, help="how long an answer takes")
    parser.add_argument("--waves", type=int, default=16, help="rows for each of those asked at once")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--serve", action="store_true", help="be the service")
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(options.seconds))
        return
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    command = [sys.executable, __file__, "--serve", "--seconds", str(options.seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as service:
        assert service.stdout is not None
        address = f"http://127.0.0.1:{service.stdout.readline().strip()}/v1"
        try:
            report([line for concurrency in options.concurrency for line in compare(address, concurrency, options)])
        finally:
            service.terminate()


def compare(address: str, concurrency: int, options: argparse.Namespace) -> list[tuple[str, int, float, float, float]]:
    """Return a line for each contender: name, concurrency, rows a second, part of what is possible, CPU a row."""
    rows, possible = concurrency * options.waves, concurrency / options.seconds
    contenders: dict[str, Run] = {
        "aiohttp and msgspec": lambda tag: asyncio.run(bare(address, rows, concurrency, tag)),
        "quackllm": sql(address, rows, concurrency),
    }
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, run in contenders.items():
            taken[name].append(measure(run, f"{concurrency} {name} {number}"))
    lines = []
    for name, times in taken.items():
        seconds, cpu = (median(column) for column in zip(*times, strict=True))
        lines.append((name, concurrency, rows / seconds, rows / seconds / possible, cpu / rows * 1e6))
    return lines


def report(lines: list[tuple[str, int, float, float, float]]) -> None:
    """Print and keep what was measured."""
    columns = ("", "at once", "rows/s", "of what the service allows", "CPU a row, µs")
    rows = [(name, str(many), f"{rate:,.0f}", f"{part:.0%}", f"{cpu:,.0f}") for name, many, rate, part, cpu in lines]
    tell("calls over HTTP", columns, rows)
    keep("http", {"lines": lines})


if __name__ == "__main__":
    main()
