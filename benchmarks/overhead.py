"""What a row costs beside the model: a service that answers at once, in process and through Ray, and known answers.

    python benchmarks/overhead.py [--rows 20000] [--known 1000000] [--no-ray]

Three questions, each with its own limit in the same run. Calls in process: the echo engine, beside the same engine
called without SQL. Calls through Ray: beside raw calls of a Ray actor with lists of 64 prompts, 16 lists at once.
Known answers: the same statement again, beside an Arrow UDF that looks the same texts up in a dict, in processor time
too and in turns, which a busy machine changes less; and beside DuckDB's own reading of as many stored texts.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ENABLE_UV_RUN_RUNTIME_ENV="0")

import duckdb
import pyarrow as pa
from report import Panel, draw, keep, tell

import quackllm

BATCH, LISTS_AT_ONCE = 64, 16
ROUNDS = 3


def main() -> None:
    """Measure the three, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000, help="calls, each another request")
    parser.add_argument("--known", type=int, default=1_000_000, help="rows whose answers are in the call store")
    parser.add_argument("--distinct", type=int, default=100_000, help="distinct requests among those")
    parser.add_argument("--no-ray", action="store_true")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    rates = {"quackllm: calls in process": calls(options.rows, None)}
    if not options.no_ray:
        rates["quackllm: calls through Ray"] = calls(options.rows, "local")
        rates[f"raw Ray actor, lists of {BATCH}"] = raw_ray(options.rows)
    ours, bare = known(options.known, options.distinct)
    rates["quackllm: known answers, processor time"] = options.known / ours
    rates["Arrow UDF that looks texts up, processor time"] = options.known / bare
    rates["DuckDB: stored texts"] = stored(options.known, options.distinct)
    title = f"{options.rows:,} calls answered at once; {options.known:,} known answers, {options.distinct:,} distinct"
    tell(title, ("", "rows/s"), [(name, f"{rate:,.0f}") for name, rate in rates.items()])
    print(f"known answers: {bare / ours:.0%} of the Arrow UDF")
    if not options.no_ray:
        raw = rates[f"raw Ray actor, lists of {BATCH}"]
        for name in ("quackllm: calls in process", "quackllm: calls through Ray"):
            print(f"{name.partition(': ')[2]}: {rates[name] / raw:.0%} of the raw Ray actor")
    keep("overhead", {"title": title, "rows_per_second": rates})
    draw("overhead", title, [Panel("rows/s", rates, log=True)])


def rate(rows: int, work: Callable[[], object]) -> float:
    """Rows a second of some work."""
    started = perf_counter()
    work()
    return rows / (perf_counter() - started)


def calls(rows: int, cluster: str | None) -> float:
    """A SELECT whose every row is another request, answered by echo at once."""
    quackllm.deploy("parrot", "echo", infer_params={}, cluster=cluster)
    with quackllm.connect(cluster=cluster) as connection:
        connection.execute("SELECT parrot('warm up')").fetchall()
        statement = f"SELECT count(llm_result(parrot('{cluster} ' || i))) FROM range({rows}) t(i)"
        return rate(rows, lambda: connection.execute(statement).fetchall())


def raw_ray(rows: int) -> float:
    """Lists of prompts to a Ray actor that repeats them: what Ray itself takes."""
    import ray

    @ray.remote
    class Parrot:
        def repeat(self, prompts: list[str]) -> list[str]:
            return [f"echo: {prompt}" for prompt in prompts]

    parrot = Parrot.remote()
    ray.get(parrot.repeat.remote(["warm up"]))

    def ask() -> None:
        waiting: deque[object] = deque()
        for start in range(0, rows, BATCH):
            waiting.append(parrot.repeat.remote([f"prompt {i}" for i in range(start, min(start + BATCH, rows))]))
            if len(waiting) == LISTS_AT_ONCE:
                ray.get(waiting.popleft())
        ray.get(list(waiting))

    return rate(rows, ask)


def known(rows: int, distinct: int) -> tuple[float, float]:
    """Return the processor seconds of a statement whose answers are stored, and of an Arrow UDF; they take turns."""
    requests = f"SELECT 'known ' || (i % {distinct}) AS prompt FROM range({rows}) t(i)"
    with quackllm.connect() as connection, duckdb.connect() as plain:
        plain.create_function("look_up", arrow_lookup(distinct), ["VARCHAR"], "VARCHAR", type="arrow")
        ours = f"SELECT count(llm_result(parrot(prompt))) FROM ({requests})"
        bare = f"SELECT count(look_up(prompt)) FROM ({requests})"
        connection.execute(ours).fetchall()
        taken = [(processor_seconds(connection, ours), processor_seconds(plain, bare)) for _ in range(ROUNDS)]
    return median(one for one, _ in taken), median(two for _, two in taken)


def arrow_lookup(distinct: int) -> Callable[[pa.ChunkedArray], pa.Array]:
    """Return what Python can do at best: encode the texts, look the distinct ones up in a dict, take the answers."""
    answers = {f"known {i}": f"echo: known {i}" for i in range(distinct)}

    def look_up(texts: pa.ChunkedArray) -> pa.Array:
        encoded = texts.combine_chunks().dictionary_encode()
        found = pa.array([answers[text] for text in encoded.dictionary.to_pylist()], pa.string())
        return found.take(encoded.indices)

    return look_up


def processor_seconds(connection: duckdb.DuckDBPyConnection, sql: str) -> float:
    """Processor time of one statement, of all threads."""
    started = process_time()
    connection.execute(sql).fetchall()
    return process_time() - started


def stored(rows: int, distinct: int) -> float:
    """DuckDB joins as many rows with a table of their answers: no model, no store."""
    with duckdb.connect(str(Path(tempfile.mkdtemp()) / "answers.duckdb")) as connection:
        connection.execute(
            f"CREATE TABLE answer AS SELECT 'known ' || i AS p, 'echo: ' || p AS a FROM range({distinct}) t(i)"
        )
        asked = f"SELECT 'known ' || (i % {distinct}) AS p FROM range({rows}) t(i)"
        return rate(
            rows, lambda: connection.execute(f"SELECT count(a) FROM ({asked}) JOIN answer USING (p)").fetchall()
        )


if __name__ == "__main__":
    main()
