"""What the gateway adds: throughput, latency, and the delay of a streamed token, beside calling the engine itself.

    python benchmarks/gateway.py [--calls 2000] [--concurrency 32] [--streams 1 16 64]

The engine is a process of its own that answers at once in OpenAI's protocol; a stream of its has 50 tokens, one each
20 ms, and each token is the time at which it was sent, so that whoever reads it knows how long it was on its way.
Client, gateway and engine share the machine's cores. Every call is another request, except in the line that says so.
With vLLM's CPU build (`make test-vllm` makes its environment), `--vllm` compares vLLM's own server with the gateway
over vLLM's engine instead, one after the other, on the same Llama of random weights.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import quantiles
from time import monotonic
from typing import Any

import aiohttp
from aiohttp import web
from report import ROOT, keep, tell

TOKENS, TOKEN_SECONDS = 50, 0.02
NUMBERS = count()


def main() -> None:
    """Measure the engine and the gateway in turn, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2000)
    parser.add_argument("--concurrency", type=int, default=32)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--vllm", action="store_true", help="compare with vLLM's own server too")
    parser.add_argument("--engine", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.engine:
        asyncio.run(engine())
        return
    with tempfile.TemporaryDirectory() as home:
        os.environ["QUACKLLM_HOME"] = home
        if options.vllm:
            beside_vllm(Path(home))
            return
        with program([sys.executable, __file__, "--engine"]) as direct:
            deploy(direct)
            with program([sys.executable, "-m", "quackllm", "serve", "--port", "0"]) as gateway:
                asyncio.run(measure({"the engine itself": direct, "through the gateway": gateway}, options))


def deploy(address: str) -> None:
    """Deploy the engine as a service of ours."""
    import quackllm

    params = {"saas.base_url": f"{address}/v1", "saas.model": "clock"}
    quackllm.deploy("clock", "saas/openai", worker_concurrency=256, infer_params={**params, "saas.api_key": "none"})


@contextmanager
def program(command: list[str], **environment: str) -> Iterator[str]:
    """Run a server; yield the address that it prints."""
    more = {"env": {**os.environ, **environment}, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **more) as process:
        try:
            assert process.stdout
            said = deque[str](maxlen=15)
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"http://[\d.]+:\d+", line):
                    threading.Thread(target=process.stdout.read, daemon=True).start()
                    yield found[0]
                    break
            else:
                raise SystemExit(f"{' '.join(command[:4])} … ended before it served:\n{''.join(said)}")
        finally:
            process.terminate()


def beside_vllm(home: Path) -> None:
    """Measure vLLM's own server and the gateway over vLLM, each alone on the machine."""
    import on_vllm

    python = str(ROOT / ".venv-vllm" / "bin" / "python")
    model, words = on_vllm.make_model(home / "model", argparse.Namespace(width=384, layers=6))
    params = {"backend": "vllm", "model_path": model, **on_vllm.ENGINE, "disable_log_stats": True}
    (home / "models.yaml").write_text(json.dumps({"clock": {"type": "custom/auto", "infer_params": params}}))
    arguments = ["--model", model, "--served-model-name", "clock", "--dtype", "float32", "--enforce-eager"]
    own = [*arguments, "--max-model-len", "1024", "--host", "127.0.0.1", "--port", str(free_port())]
    servers = {
        "vLLM's own server": ([python, "-m", "vllm.entrypoints.openai.api_server", *own], {"ignore_eos": True}),
        "the gateway over vLLM": (
            [python, "-m", "quackllm", "serve", "--port", "0"],
            {"extra": {"ignore_eos": True}},
        ),
    }
    quiet = {"OMP_NUM_THREADS": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_CPU_KVCACHE_SPACE": "1"}
    drawn, rows = random.Random(1), []
    for name, (command, more) in servers.items():
        with program(command, **quiet) as address:
            rows.append([name, *asyncio.run(completions(address, more, words, drawn))])
    columns = ["", "1 token, ms, p50", "p99", "tokens/s, 16 at once"]
    tell("The same model on a CPU", columns, [[name, *(f"{value:,.1f}" for value in values)] for name, *values in rows])
    keep("gateway_vllm", rows)


async def completions(address: str, more: dict[str, Any], words: list[str], drawn: random.Random) -> list[float]:
    """Return the latency of a completion of one token in milliseconds, and the tokens a second of sixteen at once."""

    async def ask(tokens: int) -> float:
        prompt = " ".join(drawn.sample(words, 24))
        body = {"model": "clock", "prompt": prompt, "max_tokens": tokens, "temperature": 0, **more}
        started = monotonic()
        async with session.post(f"{address}/v1/completions", json=body) as reply:
            assert (await reply.json())["usage"]["completion_tokens"] == tokens
        return monotonic() - started

    async def several(count: int) -> None:
        for _ in range(count):
            await ask(32)

    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)) as session:
        await until_ready(session, address)
        await asyncio.gather(*(several(1) for _ in range(16)))
        cut = quantiles([await ask(1) for _ in range(100)], n=100)
        started = monotonic()
        await asyncio.gather(*(several(4) for _ in range(16)))
        return [1e3 * cut[49], 1e3 * cut[98], 16 * 4 * 32 / (monotonic() - started)]


async def until_ready(session: aiohttp.ClientSession, address: str) -> None:
    """Wait until the server takes connections."""
    while True:
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with session.get(f"{address}/v1/models") as reply:
                if reply.status == 200:
                    return
        await asyncio.sleep(0.2)


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


async def engine() -> None:
    """Answer in OpenAI's protocol: at once, or token by token, each the time at which it was sent."""

    async def answer(request: web.Request) -> web.StreamResponse:
        body = await request.json()
        if not body.get("stream"):
            message = {"role": "assistant", "content": "answered"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return web.json_response(
                {"id": "1", "choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for number in range(TOKENS + 1):
            await asyncio.sleep(TOKEN_SECONDS)
            ends = number == TOKENS
            delta = {} if ends else {"content": f"{monotonic():.6f} "}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop" if ends else None}
            await response.write(f"data: {json.dumps({'id': '1', 'choices': [choice]})}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.add_routes([web.post("/v1/chat/completions", answer)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()


def body_of(text: str, **more: Any) -> dict[str, Any]:
    return {"model": "clock", "messages": [{"role": "user", "content": text}], **more}


async def measure(servers: dict[str, str], options: argparse.Namespace) -> None:
    """Measure each server, and print the tables."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        for address in servers.values():  # The first calls load modules and open connections.
            await calls(session, address, [str(next(NUMBERS)) for _ in range(200)], options.concurrency)
        rows, kept = [], {}
        for name, address in servers.items():
            texts = [str(next(NUMBERS)) for _ in range(options.calls)]
            kept[name] = await one_by_one_and_together(session, address, texts, options.concurrency)
            rows.append([name, *kept[name].values()])
        last = list(servers)[-1]
        known = f"{last}, known answers"
        kept[known] = await one_by_one_and_together(session, servers[last], texts, options.concurrency)
        rows.append([known, *kept[known].values()])
        columns = ["", "ms, p50", "ms, p99", f"calls/s, {options.concurrency} at once"]
        tell("Whole answers", columns, [[name, *(f"{value:,.1f}" for value in values)] for name, *values in rows])
        delays = [
            [f"{name}, {streams} streams", *await delays_of(session, address, streams)]
            for streams in options.streams
            for name, address in servers.items()
        ]
        tell(
            "Delay of a streamed token, ms",
            ["", "p50", "p99", "most"],
            [[n, *(f"{v:.2f}" for v in d)] for n, *d in delays],
        )
        keep("gateway", {"whole": kept, "tokens": delays})


async def one_by_one_and_together(
    session: aiohttp.ClientSession, address: str, texts: list[str], concurrency: int
) -> dict[str, float]:
    """Return the latency of calls one after the other, in milliseconds, and the calls a second of many at once."""
    alone, rest = texts[: len(texts) // 4], texts[len(texts) // 4 :]
    seconds = await calls(session, address, alone, 1)
    started = monotonic()
    await calls(session, address, rest, concurrency)
    rate = len(rest) / (monotonic() - started)
    return {"p50": 1e3 * quantiles(seconds, n=100)[49], "p99": 1e3 * quantiles(seconds, n=100)[98], "rate": rate}


async def calls(session: aiohttp.ClientSession, address: str, texts: list[str], concurrency: int) -> list[float]:
    """Ask each text; return the seconds that each took."""
    waiting, seconds = iter(texts), list[float]()

    async def ask() -> None:
        for text in waiting:
            started = monotonic()
            async with session.post(f"{address}/v1/chat/completions", json=body_of(text)) as reply:
                assert (await reply.json())["choices"][0]["message"]["content"]
            seconds.append(monotonic() - started)

    await asyncio.gather(*(ask() for _ in range(concurrency)))
    return seconds


async def delays_of(session: aiohttp.ClientSession, address: str, streams: int) -> list[float]:
    """Return the median, the 99th percentile and the most of the milliseconds that tokens were on their way."""
    delays: list[float] = []

    async def read() -> None:
        body = body_of(str(next(NUMBERS)), stream=True)
        async with session.post(f"{address}/v1/chat/completions", json=body) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    choices = json.loads(line[6:])["choices"]
                    sent = choices[0]["delta"].get("content") if choices else None
                    if sent:
                        delays.append(1e3 * (monotonic() - float(sent)))

    await asyncio.gather(*(read() for _ in range(streams)))
    assert len(delays) == streams * TOKENS
    cut = quantiles(delays, n=100)
    return [cut[49], cut[98], max(delays)]


if __name__ == "__main__":
    main()
