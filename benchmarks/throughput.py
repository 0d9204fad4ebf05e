"""How near SQL comes to the vendor's own client when answers take unlike times: the same rows, service and run.

    python benchmarks/throughput.py [--rows 2000] [--mean 0.1] [--sigma 1] [--concurrency 64 256] [--rounds 1]

    python benchmarks/throughput.py --rows 20000 --concurrency 64     # the figures of docs/performance.md, 4 minutes
    python benchmarks/throughput.py --rows 20000 --concurrency 256

A stand-in service on loopback answers each request after a log-normal time of that mean in seconds; every row is
another request. The limit that counts is the openai client under `asyncio.gather`, with the draws of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "standin"))

import aiohttp
import openai
from fixtures import KEY, StandIn, running_service
from report import Panel, draw, keep, tell

import quackllm

VENDOR = "openai client, asyncio.gather"
Contender = Callable[[str], None]


def main() -> None:
    """Run every contender at every concurrency, in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--mean", type=float, default=0.1, help="seconds that an answer takes in the mean")
    parser.add_argument("--sigma", type=float, default=1.0, help="spread of the log-normal draw; 0: all take the same")
    parser.add_argument("--concurrency", type=int, nargs="+", default=[64, 256])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--no-ray", action="store_true", help="leave the Ray actor out")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    for concurrency in options.concurrency:
        latency = options.mean / math.exp(options.sigma**2 / 2)  # The stand-in takes the median, not the mean.
        with running_service("--latency", str(latency), "--sigma", str(options.sigma)) as service:
            rates = measure(service, concurrency, options)
        report(rates, concurrency, options)


def measure(service: StandIn, concurrency: int, options: argparse.Namespace) -> dict[str, float]:
    """Return the median rows a second of each contender; their rounds take turns, so that a busy minute hits all."""
    rows = options.rows
    contenders: dict[str, Contender] = {
        VENDOR: lambda tag: asyncio.run(vendor(service, rows, concurrency, tag)),
        "openai client, its aiohttp transport": lambda tag: asyncio.run(vendor(service, rows, concurrency, tag, True)),
        "aiohttp alone, asyncio.gather": lambda tag: asyncio.run(bare(service, rows, concurrency, tag)),
        "quackllm, without prefetch": sql(service, rows, concurrency, prefetch=False),
        "quackllm": sql(service, rows, concurrency),
    }
    if not options.no_ray:
        contenders["quackllm, through a Ray actor"] = sql(service, rows, concurrency, cluster="local")
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(options.rounds):
        for name, run in contenders.items():
            service.reset()
            started = perf_counter()
            run(f"{concurrency} {name} {number}")
            seconds[name].append(perf_counter() - started)
            assert service.count() == rows, (name, service.count())
            print(f"{name}: {rows / seconds[name][-1]:,.0f} rows/s", file=sys.stderr, flush=True)
    return {name: rows / median(times) for name, times in seconds.items()}


async def vendor(service: StandIn, rows: int, concurrency: int, tag: str, with_aiohttp: bool = False) -> None:
    """The vendor's client as its documentation shows it; with its aiohttp transport it is what our engine uses."""
    transport = openai.DefaultAioHttpClient() if with_aiohttp else None
    address = {"base_url": service.openai_url, "api_key": KEY}
    async with openai.AsyncOpenAI(**address, max_retries=0, http_client=transport) as client:

        async def ask(row: int) -> None:
            messages = [{"role": "user", "content": f"{tag} {row}"}]
            await client.chat.completions.create(model="standin", messages=messages, temperature=0)

        await gathered(ask, rows, concurrency)


async def bare(service: StandIn, rows: int, concurrency: int, tag: str) -> None:
    """No vendor client at all."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(headers=headers, connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(row: int) -> None:
            body = {"model": "standin", "messages": [{"role": "user", "content": f"{tag} {row}"}], "temperature": 0}
            async with session.post(f"{service.openai_url}/chat/completions", json=body) as reply:
                await reply.json()

        await gathered(ask, rows, concurrency)


async def gathered(ask: Callable[[int], object], rows: int, concurrency: int) -> None:
    """Ask for every row under asyncio.gather, so many at once."""
    slots = asyncio.Semaphore(concurrency)

    async def one(row: int) -> None:
        async with slots:
            await ask(row)  # type: ignore[misc]

    await asyncio.gather(*(one(row) for row in range(rows)))


def sql(
    service: StandIn, rows: int, concurrency: int, *, cluster: str | None = None, prefetch: bool = True
) -> Contender:
    """A SELECT whose every row is another request."""
    params = service.openai_params()
    name = f"standin_{concurrency}"
    quackllm.deploy(name, "openai", worker_concurrency=concurrency, infer_params=params, cluster=cluster)
    connection = quackllm.connect(cluster=cluster)
    if not prefetch:
        connection.execute("SET VARIABLE llm_prefetch = 'off'")
    connection.execute(f"SELECT {name}('warm up')").fetchone()
    return partial(_select, connection, name, rows)


def _select(connection: quackllm.Connection, name: str, rows: int, tag: str) -> None:
    text = f"SELECT llm_result({name}('{tag} ' || i)) AS a FROM range({rows}) t(i)"
    (answered,) = connection.execute(f"SELECT count(a) FROM ({text})").fetchone()
    assert answered == rows


def report(rates: dict[str, float], concurrency: int, options: argparse.Namespace) -> None:
    """Print rows a second, and each as a part of the vendor client's."""
    limit = rates[VENDOR]
    shape = f"log-normal times of mean {options.mean:g} s, sigma {options.sigma:g}"
    title = f"{options.rows:,} rows, {shape}, {concurrency} at once"
    bound = f"no more than {concurrency / options.mean:,.0f} rows/s fit through {concurrency} at once"
    rows = [(name, f"{rate:,.0f}", f"{rate / limit:.0%}") for name, rate in rates.items()]
    tell(f"{title}; {bound}", ("", "rows/s", "of the vendor's client"), rows)
    keep(f"throughput-{concurrency}", {"title": title, "rows_per_second": rates})
    draw(f"throughput-{concurrency}", title, [Panel("rows/s (dotted: the vendor's client)", rates, limit=limit)])


if __name__ == "__main__":
    main()
