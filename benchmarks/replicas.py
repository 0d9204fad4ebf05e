"""How throughput grows with replicas, drivers and shards of the call store on Ray, and which processes were busy.

    python benchmarks/replicas.py [--replicas 1 2 4] [--drivers 1 2 4] [--shards 1 2 4] [--latency 0.1]
        [--concurrency 32] [--seconds 20]

Every row of a SELECT is another request. First each number of replicas, with one driver: a replica works on so many
requests at a time, each of which takes `latency` seconds, as a service over the network would, which costs the replica
next to no work. Linear is `replicas x concurrency / latency`. Then 2 replicas that answer immediately, so that the
drivers, Ray and the call store are the limit: each number of drivers on one shard, the most drivers on each number of
shards, and one driver whose replicas work on one request at a time, so that every message carries one row.
`.bench/results/replicas.json` has what `scale_simulation.py` is compared with.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

os.environ.setdefault("RAY_AUTH_MODE", "disabled")

import psutil
import ray
from quackllm.udf.calls.async_store import SHARD
from report import keep, tell

import quackllm

DRIVER = "--driver"
PROCESSES = {
    DRIVER: "drivers",
    "ray::Replica": "replicas",
    "ray::StoreShard": "call store",
    "ray::ModelDirectory": "directory",
    "raylet/raylet": "raylet",
    "gcs_server": "gcs",
}
# A driver's program: it connects, sends one request, and runs one SELECT for each line that it reads.
PROGRAM = """
import sys, quackllm
connection = quackllm.connect(cluster=sys.argv[2])
for line in sys.stdin:
    print(*connection.execute(line).fetchone(), flush=True)
"""


@dataclass(frozen=True)
class Point:
    """A cluster: so many of each, and how fast a replica is.

    Args:
        replicas, drivers, shards: how many.
        concurrency: requests that a replica works on at a time.
        latency: seconds of one request.
    """

    replicas: int
    drivers: int
    shards: int
    concurrency: int
    latency: float

    @property
    def linear(self) -> float:
        """Rows a second if nothing but the replicas took time."""
        return self.replicas * self.concurrency / self.latency if self.latency else float("inf")


def main() -> None:
    """Measure each point, and print rows a second and busy cores."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("replicas", "drivers", "shards"):
        parser.add_argument(f"--{name}", type=int, nargs="*", default=[1, 2, 4])
    parser.add_argument("--latency", type=float, default=0.1, help="seconds that an answer takes")
    parser.add_argument("--concurrency", type=int, default=32, help="requests that one replica works on at a time")
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each measurement takes, about")
    options = parser.parse_args()
    points = [Point(replicas, 1, 1, options.concurrency, options.latency) for replicas in options.replicas]
    points += [Point(2, drivers, 1, 1024, 0.0) for drivers in options.drivers]
    points += [Point(2, max(options.drivers or [1]), shards, 1024, 0.0) for shards in options.shards if shards > 1]
    points.append(Point(2, 1, 1, 1, 0.0))
    os.environ["QUACKLLM_HOME"] = tempfile.mkdtemp()
    connection = quackllm.connect(cluster="local")
    measured = [measure(connection, point, options.seconds) for point in points]
    busy = sorted({name for _, cores in measured for name in cores})
    columns = ("replicas", "drivers", "shards", "linear", "rows/s", "of it", *busy, "all cores")
    rows = [
        (
            *(str(point.replicas), str(point.drivers), str(point.shards), f"{point.linear:,.0f}", f"{rate:,.0f}"),
            f"{rate / point.linear:.0%}",
            *(f"{cores[name]:.2f}" for name in busy),
            f"{cores.total():.2f}",
        )
        for point, (rate, cores) in zip(points, measured, strict=True)
    ]
    tell(f"{options.concurrency} at a time, {options.latency:g} s each; cores by process", columns, rows)
    load = os.getloadavg()[0]
    found = [
        {**asdict(p), "rows_per_second": rate, "cores": cores}
        for p, (rate, cores) in zip(points, measured, strict=True)
    ]
    keep("replicas", {"load_average": load, "points": found})


def measure(connection: quackllm.Connection, point: Point, seconds: float) -> tuple[float, Counter[str]]:
    """Return the rows a second of all drivers, and how many cores each kind of process kept busy meanwhile."""
    params = {"delay_seconds": point.latency}
    workers = {"num_workers": point.replicas, "worker_concurrency": point.concurrency}
    quackllm.deploy("measured", "echo", **workers, infer_params=params, cluster="local")
    wait_for_shards(connection, point.shards)
    rows = int(min(point.linear * seconds, 1500 * seconds) / point.drivers)
    command = [sys.executable, "-c", PROGRAM, DRIVER, ray.get_runtime_context().gcs_address]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    drivers = [subprocess.Popen(command, **pipes) for _ in range(point.drivers)]
    try:
        tag = f"{time.time()} {{0}}"
        run(drivers, f"warm {tag}", 20 * point.replicas)
        before, started = cpu_seconds(), time.perf_counter()
        assert run(drivers, tag, rows) == rows * point.drivers
        wall, after = time.perf_counter() - started, cpu_seconds()
    finally:
        for driver in drivers:
            driver.kill()
            driver.wait()
    return rows * point.drivers / wall, Counter({name: (after[name] - before[name]) / wall for name in after})


def run(drivers: list[subprocess.Popen[str]], tag: str, rows: int) -> int:
    """Let every driver run a SELECT of its own at the same time; return how many rows were answered."""
    for number, driver in enumerate(drivers):
        assert driver.stdin
        text = f"SELECT llm_result(measured('{tag.format(number)} ' || i)) AS a FROM range({rows}) t(i)"
        driver.stdin.write(f"SELECT count(a) FROM ({text})\n")
        driver.stdin.flush()
    return sum(int(driver.stdout.readline()) for driver in drivers if driver.stdout)


def wait_for_shards(connection: quackllm.Connection, shards: int) -> None:
    """Ask for so many shards, and return when every answer is on its shard."""
    (Path(os.environ["QUACKLLM_HOME"]) / "settings.yaml").write_text(f"store_shards: {shards}\n")
    connection.execute("SELECT measured('first')").fetchall()
    first = ray.get_actor(f"{SHARD}0")
    while (layout := ray.get(first.layout.remote())).is_moving or layout.shards != shards:
        connection.execute("SELECT * FROM llm_usage()").fetchall()  # Whoever reads the layout starts the move.
        time.sleep(0.2)


def cpu_seconds() -> Counter[str]:
    """Return the processor time that each kind of process has used so far; the drivers' is not this process's."""
    used: Counter[str] = Counter()
    for process in psutil.Process().children(recursive=True):
        try:
            line, times = " ".join(process.cmdline()), process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        kind = next((name for part, name in PROCESSES.items() if part in line), "rest of Ray")
        used[kind] += times.user + times.system
    return used


if __name__ == "__main__":
    main()
