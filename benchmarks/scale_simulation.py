"""What 1,000 replicas, 100 drivers and 1 billion rows would do: a simulation, compared with what was measured.

    python benchmarks/scale_simulation.py [--seconds 2] [--latency 1.0 0.1] [--shards 1 4 16] [--gpu-hour 2.0]
        [--measured benchmarks/scale_points.json]

The first table compares the simulation (`simulated_cluster.py`) with every measured point; `benchmarks/replicas.py`
measures anew and writes `.bench/results/replicas.json`. What a row costs in processor time is fitted to the points that
the table names; the others are predictions. Then come the large cluster's rows a second, how busy its busiest processes
are, its network, its memory and its cost.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.request_key import request_key
from quackllm.workers.messages import Request, Response, Usage
from replicas import Point
from report import keep, tell
from simulated_cluster import Cluster, Costs, Measured

GROUPS = {"driver": "drivers", "replica": "replicas", "store": "call store"}
MESSAGES = {
    "driver": ("driver_message", "driver_call"),
    "replica": ("replica_message",),
    "store": ("store_call",),
}
CORES = 2  # Of the machine where the points were measured.
TOKENS_IN, TOKENS_OUT, TOKEN_BYTES = 400, 100, 4
LIMITS = {"driver": "the drivers", "shard": "the call store", "replica": "the replicas' processes"}


def main() -> None:
    """Fit, compare with what was measured, and simulate the large cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.0, help="simulated seconds of each point")
    parser.add_argument("--rows", type=int, default=10**9)
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--drivers", type=int, default=100)
    parser.add_argument("--concurrency", type=int, default=32, help="requests that a replica works on at a time")
    parser.add_argument("--shards", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--latency", type=float, nargs="+", default=[1.0, 0.1], help="seconds of a request")
    parser.add_argument("--gpu-hour", type=float, default=2.0, help="price of one replica's GPU, an assumption")
    parser.add_argument("--measured", type=Path, default=Path(__file__).with_name("scale_points.json"))
    options = parser.parse_args()
    measured = json.loads(options.measured.read_text("utf-8"))["measured"]["points"]
    costs = fit(measured)
    compared = compare(measured, costs)
    large = []
    for latency in options.latency:
        for shards in options.shards:
            point = Point(options.replicas, options.drivers, shards, options.concurrency, latency)
            large.append((point, Cluster(point, costs).run(options.seconds, options.seconds)))
    show_large(large, options.rows, options.gpu_hour)
    show_sizes(large[0][0], large, options.rows)
    keep("scale_simulation", {"compared": compared, "costs": asdict(costs)})


def point_of(found: dict[str, Any]) -> Point:
    """Return which point was measured."""
    return Point(**{name: found[name] for name in ("replicas", "drivers", "shards", "concurrency", "latency")})


def fitted_points(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the points with one driver where processor time is the limit: many rows a message, and one if measured."""
    alone = [found for found in measured if found["drivers"] == 1 and not found["latency"]]
    return sorted(alone, key=lambda found: -found["concurrency"])


def fit(measured: list[dict[str, Any]]) -> Costs:
    """Find what a row and a message cost, so that the fitted points have the measured rate and processor time.

    Without a point where every message carries one row, messages and the call store cost what `Costs` says.
    """
    costs = Costs()
    for _ in range(20):
        for found in fitted_points(measured):
            costs = _adjusted(costs, found, Cluster(point_of(found), costs, CORES).run(1, 3))
    return costs


def _adjusted(costs: Costs, found: dict[str, Any], simulated: Measured) -> Costs:
    """Change what rows cost (many rows a message), or messages (one), by what the simulated rows need too little."""
    rate, changed = found["rows_per_second"], {}
    got = {"driver": simulated.driver, "replica": simulated.replica * found["replicas"], "store": simulated.shard}
    for name, group in GROUPS.items():
        if group not in found["cores"]:
            continue
        missing = found["cores"][group] / rate - got[name] / simulated.rows
        if name == "driver":  # It is the limit of these points; a part of its time runs in threads beside Python.
            missing = 1 / rate - 1 / simulated.rows
        steps = (f"{name}_row",) if found["concurrency"] > 1 else MESSAGES[name]
        changed |= {step: max(getattr(costs, step) + missing / (2 * len(steps)), 1e-6) for step in steps}
    others = sum(cores for group, cores in found["cores"].items() if group not in GROUPS.values())
    return replace(costs, **changed, other_row=others / rate)


def compare(measured: list[dict[str, Any]], costs: Costs) -> list[tuple[str, ...]]:
    """Print each measured point, what the simulation says, and by how much they differ."""
    fitted, rows = fitted_points(measured), []
    for found in measured:
        point, rate = point_of(found), found["rows_per_second"]
        simulated = Cluster(point, costs, CORES).run(5, 20).rows
        counts = (str(point.replicas), str(point.drivers), str(point.shards), str(point.concurrency))
        rates = (f"{rate:,.0f}", f"{simulated:,.0f}", f"{simulated / rate - 1:+.0%}")
        rows.append((*counts, f"{point.latency:g} s", *rates, "fitted" if found in fitted else ""))
    names = ("replicas", "drivers", "shards", "concurrency", "latency", "measured rows/s", "simulated", "off by", "")
    tell(f"measured and simulated on {CORES} cores", names, rows)
    return rows


def show_large(large: list[tuple[Point, Measured]], rows: int, gpu_hour: float) -> None:
    """Print rows a second, hours, cost, and the busiest process of each kind."""
    lines = []
    for point, found in large:
        hours = rows / found.rows / 3600
        limit = max(LIMITS, key=lambda name: getattr(found, name))
        limit_text = LIMITS[limit] if getattr(found, limit) > 0.9 else "the replicas' latency"
        busy = tuple(f"{getattr(found, name):.2f}" for name in LIMITS)
        cost = f"{hours * point.replicas * gpu_hour:,.0f}"
        shape = (f"{point.latency:g} s", str(point.shards), f"{found.rows:,.0f}", f"{found.rows / point.linear:.0%}")
        lines.append((*shape, f"{hours:.1f}", cost, *busy, f"{found.answers / found.messages:.1f}", limit_text))
    first = large[0][0]
    title = f"{first.replicas:,} replicas, {first.drivers} drivers, {rows:,} rows; a core for each process"
    busy_names = ("driver busy", "shard busy", "replica busy")
    names = ("latency", "shards", "rows/s", "of linear", "hours", "GPU cost", *busy_names, "rows a message", "limit")
    tell(title, names, lines)


def show_sizes(point: Point, large: list[tuple[Point, Measured]], rows: int) -> None:
    """Print the network and the memory that so many rows need."""
    texts = [Request.of(f"{number:08}" + "x" * (TOKENS_IN * TOKEN_BYTES - 8)) for number in range(256)]
    response = Response("y" * TOKENS_OUT * TOKEN_BYTES, usage=Usage(TOKENS_IN, TOKENS_OUT), finish_reason="stop")
    keys = [request_key("model", request) for request in texts]
    records = [
        CallRecord(key, "model", "vllm", request.messages[-1].content, response, "", "llm_chat", "SELECT …")
        for key, request in zip(keys, texts, strict=True)
    ]
    bytes_sent = {
        "to a replica": len(pickle.dumps(texts)) / 256,
        "from a replica": len(pickle.dumps([(0, replace_output(response, n)) for n in range(256)])) / 256,
        "to the call store": len(pickle.dumps(records)) / 256 + 2 * len(pickle.dumps(keys)) / 256,
    }
    fastest = max(found.rows for _, found in large)
    lines = [(f"network {name}, bytes a row", f"{size:,.0f}") for name, size in bytes_sent.items()]
    total = sum(bytes_sent.values())
    lines.append(("network of one driver at most", f"{fastest / point.drivers * total / 1e6:.1f} MB/s"))
    lines.append(("network of the head (all shards)", f"{fastest * bytes_sent['to the call store'] / 1e6:,.0f} MB/s"))
    # `CachingClient.prefetch` holds so many.
    queued = max(8192, 4 * point.replicas * point.concurrency)
    lines.append((f"memory of the {queued:,} requests that a driver holds", f"{queued * request_bytes() / 1e9:.2f} GB"))
    lines.append(("connections of a driver, of a replica", f"{point.replicas + 64:,}, {point.drivers}"))
    tell(f"{TOKENS_IN} tokens in, {TOKENS_OUT} out", ("what", "size"), lines)


def replace_output(response: Response, number: int) -> Response:
    """Return the response with a text of its own, so that pickling cannot share it."""
    from msgspec.structs import replace as changed

    return changed(response, output=f"{number:04}" + (response.output or "")[4:])


def request_bytes() -> float:
    """Return how much memory a request with its answer takes."""
    tracemalloc.start()
    held = [
        (
            Request.of(f"{n:08}" + "x" * (TOKENS_IN * TOKEN_BYTES - 8)),
            Response(f"{n:08}" + "y" * TOKENS_OUT * TOKEN_BYTES),
        )
        for n in range(2000)
    ]
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return size / len(held)


if __name__ == "__main__":
    main()
