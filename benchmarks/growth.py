"""What a row costs while the call store grows: stored, found, not found, asked by SQL; and how long a deletion locks.

    python benchmarks/growth.py [--sizes 10000 1000000 5000000] [--rows 20000]

At each size: CPU microseconds an answer of storing 256 together, of finding 2,048 that are known, and of looking up
2,048 that are not; CPU microseconds a row of a SELECT whose every row is another request, answered by echo at once; and
the size of the file. At the largest size `llm_forget` of a model that nobody knows, and of one with a tenth of the
answers, while another process asks for the file's lock over and over and says how long it waited at most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from quackllm.udf.calls.async_store import close_store
from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.call_store import CallStore
from quackllm.workers.messages import Response, Usage
from report import keep, tell

import quackllm

TOGETHER, LOOKED_UP = 256, 2048
MEASURED = 20_480
WAITER = """
import sqlite3, sys, time
file, longest = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None), 0.0
print("ready", flush=True)
while not sys.stdin.closed:
    began = time.perf_counter()
    file.execute("BEGIN IMMEDIATE"); file.execute("COMMIT")
    longest = max(longest, time.perf_counter() - began)
    print(longest, flush=True)
    time.sleep(0.001)
"""


def main() -> None:
    """Measure at each size, then delete, and print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000, 5_000_000])
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the SELECT")
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    os.environ["QUACKLLM_HOME"] = str(home)
    quackllm.deploy("parrot", "echo")
    rows, stored = {}, 0
    for size in options.sizes:
        rows[f"{size:,}"] = measured(home / "calls.sqlite", stored, size, options.rows)
        stored = size
        print(size, rows[f"{size:,}"], flush=True)
    columns = ("answers", "store µs", "find µs", "not found µs", "SELECT µs a row", "MB")
    tell("What a row costs while the store grows", columns, [(n, *(f"{v:,.1f}" for v in r)) for n, r in rows.items()])
    locks = {name: locked(home / "calls.sqlite", name) for name in ("nobody", "model 3")}
    for name, (gone, seconds, longest) in locks.items():
        print(f"forget {name!r}: {gone:,} answers in {seconds:.1f} s, longest wait of another {longest * 1e3:.0f} ms")
    keep("growth", {"rows": rows, "locks": locks})


def measured(path: Path, stored: int, size: int, rows: int) -> tuple[float, ...]:
    """Fill the store up to this size, and return what storing, finding, missing and a SELECT's row cost there."""
    store = CallStore(path, max_bytes=1 << 40)
    for start in range(stored, size - MEASURED, TOGETHER):
        store.record(calls(start, TOGETHER), "growth")
    batches = [calls(start, TOGETHER) for start in range(max(size - MEASURED, stored), size, TOGETHER)]
    settled = microseconds(len(batches) * TOGETHER, lambda: [store.record(batch, "growth") for batch in batches])
    found = looked_up(store, [key((n * 7919) % size) for n in range(MEASURED)])
    missing = looked_up(store, [key(-n - 1) for n in range(MEASURED)])
    store.close()
    with quackllm.connect() as connection:
        connection.execute("SELECT parrot('warm up')").fetchall()
        statement = f"SELECT count(llm_result(parrot('at {size}: ' || i))) FROM range({rows}) t(i)"
        selected = microseconds(rows, lambda: connection.execute(statement).fetchall())
    close_store(path.parent)
    return settled, found, missing, selected, path.stat().st_size / 1e6


def key(number: int) -> bytes:
    """The key of a made-up request."""
    return blake2b(b"%d" % number, digest_size=20).digest()


def calls(start: int, count: int) -> list[CallRecord]:
    """Calls of ten models, one after another, whose answers are of everyday length."""
    return [
        CallRecord(
            key(n),
            f"model {n % 10}",
            "echo",
            f"prompt number {n}",
            Response(f"answer number {n}: " + "word " * 16, usage=Usage(30, 20)),
        )
        for n in range(start, start + count)
    ]


def answer(number: int) -> Response:
    """A made-up answer of a hundred characters."""
    return Response(f"answer number {number}: " + "word " * 16, usage=Usage(30, 20))


def looked_up(store: CallStore, keys: list[bytes]) -> float:
    """CPU microseconds a key."""
    parts = [keys[start : start + LOOKED_UP] for start in range(0, len(keys), LOOKED_UP)]
    return microseconds(len(keys), lambda: [store.get_many(part) for part in parts])


def microseconds(count: int, work: Callable[[], object]) -> float:
    """CPU microseconds that each of so many took."""
    began = time.process_time()
    work()
    return (time.process_time() - began) * 1e6 / count


def locked(path: Path, model: str) -> tuple[int, float, float]:
    """Delete a model's answers; return how many went, in how many seconds, and the longest wait of another process."""
    store = CallStore(path, max_bytes=1 << 40)
    waiter = subprocess.Popen(
        [sys.executable, "-c", WAITER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert waiter.stdout
    waiter.stdout.readline()
    began = time.perf_counter()
    gone = store.forget(model)
    seconds = time.perf_counter() - began
    waiter.terminate()
    *_, last = waiter.stdout.read().splitlines()
    store.close()
    return gone, seconds, float(last)


if __name__ == "__main__":
    main()
