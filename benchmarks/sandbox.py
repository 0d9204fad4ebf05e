"""What the sandbox costs a plain question, and what 118 bombs do: `python benchmarks/sandbox.py [cost] [WAY …]`.

Ways: text2sql, gateway (POST /text2sql with `run`), predict (POST /model/predict), ask. A model that writes the bombs
is asked for each, and after each for something plain. Printed: how long each took, how far the process that serves grew
over its size at rest, and how long the plain question took then. Memory and time: 512 MB, 5 s.
"""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import duckdb
import httpx
import psutil
from quackllm.deploy.gateway.serving.server import serving
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.udf.text2sql.checks.check_answer import check_answer
from quackllm.workers.binder import bind
from quackllm.workers.database_schema import Column, Schema, Table

import quackllm

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.bombs import BOMBS, TABLE

MODEL = "bombs"
PLAIN = "SELECT count(*) AS n FROM t"
SECONDS = 5.0
QUESTION = re.compile(r"bomb (\d+)")
warnings.simplefilter("ignore")


class Model(BaseHTTPRequestHandler):
    """Answers 'bomb 7' with the seventh bomb, and all else with a plain query."""

    def do_POST(self) -> None:
        """Answer as an OpenAI-compatible service does."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        asked = [found for turn in body["messages"] for found in QUESTION.findall(str(turn["content"]))]
        sql = BOMBS[int(asked[-1])] if asked else PLAIN
        message = {"role": "assistant", "content": f"```sql\n{sql}\n```"}
        reply = json.dumps({"choices": [{"message": message, "finish_reason": "stop"}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Memory(threading.Thread):
    """Samples how large this process is."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process()
        self.peak = 0

    def run(self) -> None:
        """Sample for ever."""
        while True:
            self.peak = max(self.peak, self.size())
            time.sleep(0.01)

    def size(self) -> int:
        """Return the size now, in bytes."""
        return int(self.process.memory_info().rss)


def measure(way: str, ask: Callable[[str], str], bombs: list[int]) -> None:
    """Ask for each bomb and for something plain after it, and print what came of it."""
    memory = Memory()
    memory.start()
    print(f"{way}: a plain question: {ask('how many')}", flush=True)
    times, growth, after, outcomes = [], [], [], []
    for number in bombs:
        idle, memory.peak = memory.size(), 0
        started = time.monotonic()
        outcomes.append(ask(f"bomb {number}"))
        times.append(time.monotonic() - started)
        growth.append((memory.peak - idle) / 2**20)
        started = time.monotonic()
        plain = ask(f"how many, after {number}")
        after.append(time.monotonic() - started)
        mark = "" if times[-1] <= SECONDS + 1 and growth[-1] <= 300 else "  <<<"
        print(f"  {times[-1]:5.1f} s {growth[-1]:+6.0f} MB, then {after[-1]:.2f} s {plain[:12]!r}: {BOMBS[number][:70]} → {outcomes[-1][:60]}{mark}", flush=True)  # fmt: skip # noqa: E501
    print(
        f"{way}: {len(bombs)} bombs, longest {max(times):.1f} s, growth at most {max(growth):.0f} MB; "
        f"then a plain question: median {statistics.median(after):.2f} s, longest {max(after):.2f} s"
    )


def words(error: BaseException) -> str:
    """Return an error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def in_sql(template: str) -> Callable[[str], str]:
    """Return what asks in this process, in SQL with the question in place of `?`."""
    connection = quackllm.connect(model=MODEL)
    connection.execute(TABLE)

    def ask(question: str) -> str:
        try:
            return str(connection.execute(template.replace("?", question)).fetchmany(3))
        except (duckdb.Error, quackllm.QuackLLMError) as error:
            return words(error)

    return ask


@contextlib.contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """Serve a DuckDB file in this process."""
    with duckdb.connect(str(folder / "t.duckdb")) as connection:
        connection.execute(TABLE)
    databases = folder / "databases.yaml"
    databases.write_text(f"t: duckdb:///{folder}/t.duckdb\n")
    with serving(GatewaySettings(port=0, databases=databases, statement_seconds=SECONDS)) as (address, *_):
        yield address


def over_http(address: str, path: str) -> Callable[[str], str]:
    """Return what asks the gateway."""

    def text2sql(question: str) -> str:
        body = {"question": question, "database": "t", "model": MODEL, "run": True, "max_rows": 3}
        reply = httpx.post(f"{address}/text2sql", json=body, timeout=60).json()
        return str(reply.get("rows") or reply["error"])

    def predict(question: str) -> str:
        found = QUESTION.search(question)
        inner = re.sub(r"\bt\b", "data", BOMBS[int(found[1])]) if found else "SELECT count(*) FROM data"
        rows = [{"n": i, "big": i * 10**8, "name": f"name {i}", "body": "ab" * 500} for i in range(500)]
        form = {"sql": f"select ({inner}) as value", "data": json.dumps(rows), "dataType": "row"}
        return httpx.post(f"{address}/model/predict", data=form, timeout=60).text[:200]

    return {"gateway": text2sql, "predict": predict}[path]


def cost() -> None:
    """Print how long a plain answer takes to check in the sandbox, and how long binding it alone takes here."""
    columns = tuple(Column(f"column_{number}", "VARCHAR") for number in range(10))
    schema = Schema("shop", tuple(Table(f"table_{number}", columns) for number in range(20)))
    sql = "SELECT column_1, count(*) FROM table_3 WHERE column_2 = 'x' GROUP BY column_1 ORDER BY 2 DESC LIMIT 5"
    for name, work in (
        ("binding here", lambda: bind(sql, schema)),
        ("check in the sandbox", lambda: check_answer(sql, schema, True)),
    ):
        times = []
        for _ in range(500):
            started = time.perf_counter()
            work()
            times.append(time.perf_counter() - started)
        quartiles = [1000 * quantile for quantile in statistics.quantiles(times, n=20)]
        print(f"{name}: median {quartiles[9]:.2f} ms, 95 % {quartiles[18]:.2f} ms")


def main(ways: list[str]) -> None:
    """Run what was asked for."""
    if "cost" in ways:
        cost()
    service = ThreadingHTTPServer(("127.0.0.1", 0), Model)
    threading.Thread(target=service.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{service.server_port}/v1"
    quackllm.deploy(
        MODEL, "saas/openai", infer_params={"saas.base_url": address, "saas.model": MODEL, "saas.api_key": "k"}
    )
    numbers = list(range(len(BOMBS)))
    if "text2sql" in ways:
        measure("text2sql", in_sql("SELECT text2sql_detail('?')"), numbers)
    if "ask" in ways:
        measure("ask", in_sql(f"FROM ask('?', seconds := {SECONDS:g})"), numbers)
    with tempfile.TemporaryDirectory() as folder:
        for way in ("gateway", "predict"):
            if way in ways:
                with gateway(Path(folder)) as served:
                    measure(way, over_http(served, way), numbers)


if __name__ == "__main__":
    main(sys.argv[1:] or ["cost", "text2sql", "gateway", "predict", "ask"])
