"""How much memory a long statement takes: a million rows, a hundred thousand distinct requests, answered at once.

    python benchmarks/memory.py [--rows 1000000] [--distinct 100000]

Each statement runs in a process of its own, whose greatest resident size is read from the system. The limit beside
it is DuckDB alone, with the same rows and as long a text in place of each answer.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import Any

from report import Panel, draw, keep, tell

PROGRAM = """
import json, resource, sys, time
import {module}
connection = {module}.connect()
requests = "SELECT 'what is to be said about row ' || (i % {distinct}) AS prompt FROM range({rows}) t(i)"
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
started = time.perf_counter()
connection.execute("CREATE TEMP TABLE kept AS SELECT prompt, {answer} AS answer FROM (" + requests + ")")
(count,) = connection.execute("SELECT count(answer) FROM kept").fetchone()
seconds = time.perf_counter() - started
assert count == {rows}, count
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({{"seconds": seconds, "before": before / 1024, "peak": peak / 1024}}))
"""
SAID = "llm_result(llm_chat('echo', prompt))"
CONTENDERS = {
    "quackllm": ("quackllm", SAID),
    "DuckDB alone": ("duckdb", "'echo: ' || prompt"),
}


def main() -> None:
    """Run each in its process, and print peaks and seconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--distinct", type=int, default=100_000)
    options = parser.parse_args()
    found = {name: measured(*parts, options) for name, parts in CONTENDERS.items()}
    title = f"{options.rows:,} rows, {options.distinct:,} distinct requests, answered at once"
    rows = [
        (name, f"{one['before']:,.0f}", f"{one['peak']:,.0f}", f"{one['seconds']:.1f}") for name, one in found.items()
    ]
    tell(title, ("", "MiB before", "MiB at most", "seconds"), rows)
    keep("memory", {"title": title, **found})
    draw("memory", title, [Panel("MiB at most", {name: one["peak"] for name, one in found.items()})])


def measured(module: str, answer: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run the statement in a fresh process, and return what it says of itself."""
    program = PROGRAM.format(module=module, answer=answer, rows=options.rows, distinct=options.distinct)
    environment = {**os.environ, "QUACKLLM_HOME": tempfile.mkdtemp()}
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(told.stdout.splitlines()[-1])
    return result


if __name__ == "__main__":
    main()
