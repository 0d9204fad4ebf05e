"""How near SQL comes to the vendor's own client: the same rows, the same service, the same concurrency, in one run.

    python benchmarks/throughput.py [--rows 2000] [--latency 0.1] [--concurrency 64] [--rounds 3] [--json]

A stand-in service on loopback answers each request after `--latency` seconds. Printed: rows a second of
the openai client under `asyncio.gather` (the limit that counts: 100 %), the same with its faster transport,
a bare aiohttp client, a SELECT in this process, and a SELECT through a Ray actor.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "standin"))

import aiohttp
import openai
from fixtures import KEY, StandIn, running_service
from rich.console import Console
from rich.table import Table

VENDOR = "openai client, asyncio.gather"


def main() -> None:
    """Run every contender `--rounds` times, in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    with running_service("--latency", str(options.latency)) as service:
        rates = measure(service, options.rows, options.concurrency, options.rounds)
    rates["no client could be faster"] = options.concurrency / options.latency
    report(rates, options)


def measure(service: StandIn, rows: int, concurrency: int, rounds: int) -> dict[str, float]:
    """Return the median rows a second of each contender; their rounds take turns, so that a busy minute hits all."""
    contenders: dict[str, Callable[[str], None]] = {
        VENDOR: lambda tag: asyncio.run(vendor(service, rows, concurrency, tag)),
        "the same, its aiohttp transport": lambda tag: asyncio.run(
            vendor(service, rows, concurrency, tag, aiohttp=True)
        ),
        "aiohttp, asyncio.gather": lambda tag: asyncio.run(bare(service, rows, concurrency, tag)),
        "SQL, in this process": sql(service, rows, concurrency, None),
        "SQL, through a Ray actor": sql(service, rows, concurrency, "local"),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            service.reset()
            started = perf_counter()
            run(f"{name} {number}")
            seconds[name].append(perf_counter() - started)
            assert service.count() == rows, (name, service.count())
    return {name: rows / median(times) for name, times in seconds.items()}


async def vendor(service: StandIn, rows: int, concurrency: int, tag: str, *, aiohttp: bool = False) -> None:
    """The vendor's client as its documentation shows it; with its aiohttp transport it is what our engine uses."""
    slots = asyncio.Semaphore(concurrency)
    transport = openai.DefaultAioHttpClient() if aiohttp else None
    address = {"base_url": service.openai_url, "api_key": KEY}
    async with openai.AsyncOpenAI(**address, max_retries=0, http_client=transport) as client:

        async def ask(row: int) -> str | None:
            async with slots:
                messages = [{"role": "user", "content": f"{tag} {row}"}]
                reply = await client.chat.completions.create(model="standin", messages=messages, temperature=0)
                return reply.choices[0].message.content

        await asyncio.gather(*(ask(row) for row in range(rows)))


async def bare(service: StandIn, rows: int, concurrency: int, tag: str) -> None:
    """No vendor client at all."""
    slots = asyncio.Semaphore(concurrency)
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as session:

        async def ask(row: int) -> str:
            body = {"model": "standin", "messages": [{"role": "user", "content": f"{tag} {row}"}], "temperature": 0}
            async with slots, session.post(f"{service.openai_url}/chat/completions", json=body) as reply:
                return (await reply.json())["choices"][0]["message"]["content"]

        await asyncio.gather(*(ask(row) for row in range(rows)))


def sql(service: StandIn, rows: int, concurrency: int, cluster: str | None) -> Callable[[str], None]:
    """A SELECT whose every row is another request."""
    import quackllm

    quackllm.deploy(
        "standin", "openai", worker_concurrency=concurrency, infer_params=service.openai_params(), cluster=cluster
    )
    connection = quackllm.connect(cluster=cluster)

    def run(tag: str) -> None:
        text = f"SELECT llm_result(standin('{tag} ' || i)) AS a FROM range({rows}) t(i)"
        (answered,) = connection.execute(f"SELECT count(a) FROM ({text})").fetchone()
        assert answered == rows

    run_once = connection.execute("SELECT standin('warm up')").fetchone()
    assert run_once
    return run


def report(rates: dict[str, float], options: argparse.Namespace) -> None:
    """Print rows a second, and each as a part of the vendor client's."""
    limit = rates[VENDOR]
    if options.json:
        print(json.dumps({name: {"rows_per_second": rate, "ratio": rate / limit} for name, rate in rates.items()}))
        return
    title = f"{options.rows} rows, {options.latency:g} s each, {options.concurrency} at once"
    table = Table("", "rows/s", "of the vendor's client", title=title)
    for name, rate in rates.items():
        table.add_row(name, f"{rate:,.0f}", f"{rate / limit:.0%}")
    Console().print(table)


if __name__ == "__main__":
    main()
