"""How throughput grows with a model's replicas on Ray, and where the driver's own limit lies.

    python benchmarks/replicas.py [--replicas 1 2 4] [--latency 0.1] [--at-once 32] [--seconds 20]

Every row of a SELECT is another request; each replica answers so many at once, each after `latency` seconds, as a
service over the network would, which costs the replica next to no work. Linear is `replicas x at_once / latency`. The
last line of the table has replicas that answer at once: what is left is the driver, Ray and the call store, and the
second table says which of their processes were busy meanwhile.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections import Counter
from time import perf_counter

os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import psutil
from report import keep, tell

import quackllm

PROCESSES = {
    "ray::Replica": "replicas",
    "ray::CallStore": "call store",
    "ray::Directory": "directory",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs",
}


def main() -> None:
    """Measure each number of replicas, then the driver's limit, and say what held it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicas", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that an answer takes")
    parser.add_argument("--at-once", type=int, default=32, help="requests that one replica works on")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each measurement takes, about")
    options = parser.parse_args()
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    connection = quackllm.connect(cluster="local")
    measured, rows = {}, []
    for replicas in options.replicas:
        linear = replicas * options.at_once / options.latency
        rate, busy = measure(connection, replicas, options.latency, options.at_once, int(linear * options.seconds))
        measured[f"{replicas} replicas"] = {"rows_per_second": rate, "linear": linear, "busy": busy}
        rows.append((str(replicas), f"{linear:,.0f}", f"{rate:,.0f}", f"{rate / linear:.0%}"))
    rate, busy = measure(connection, 2, 0.0, 1024, int(1500 * options.seconds))
    measured["limit"] = {"rows_per_second": rate, "busy": busy}
    rows.append(("2, that answer at once", "", f"{rate:,.0f}", ""))
    tell(f"{options.at_once} at once, {options.latency:g} s each", ("replicas", "linear", "rows/s", "of it"), rows)
    cores = [(name, f"{share:.2f}") for name, share in sorted(busy.items(), key=lambda pair: -pair[1])]
    tell("cores busy at the limit", ("process", "cores"), cores)
    keep("replicas", measured)


def measure(
    connection: quackllm.Connection, replicas: int, latency: float, at_once: int, rows: int
) -> tuple[float, dict[str, float]]:
    """Return rows a second, and how many cores each kind of process kept busy."""
    params = {"delay_seconds": latency}
    workers = {"num_workers": replicas, "worker_concurrency": at_once}
    quackllm.deploy("measured", "echo", **workers, infer_params=params, cluster="local")
    connection.execute(f"SELECT measured('warm ' || i || ' {latency}') FROM range({replicas * 20}) t(i)").fetchall()
    before, started = cpu_seconds(), perf_counter()
    text = f"SELECT llm_result(measured('{replicas} {latency} ' || i)) AS a FROM range({rows}) t(i)"
    (answered,) = connection.execute(f"SELECT count(a) FROM ({text})").fetchone()
    seconds, after = perf_counter() - started, cpu_seconds()
    assert answered == rows
    return rows / seconds, {name: (after[name] - before[name]) / seconds for name in after}


def cpu_seconds() -> Counter[str]:
    """Return the processor time that each kind of process has used so far."""
    used: Counter[str] = Counter()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            line, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        kind = next((name for part, name in PROCESSES.items() if part in line), "rest of Ray")
        used["driver" if process.pid == os.getpid() else kind] += times.user + times.system
    return used


if __name__ == "__main__":
    main()
