"""What 1,000 replicas, 100 drivers and 1 billion rows would do: a simulation, compared with what was measured.

    python benchmarks/replicas.py                  # measures 1 to 4 replicas, drivers and shards: minutes
    python benchmarks/scale_simulation.py [--seconds 2] [--latency 1.0] [--gpu-hour 2.0]

The first table compares the simulation (`simulated_cluster.py`) with every measured point. What a step costs in
processor time is fitted to two of these points, which the table names; the others are predictions. Then come the large
cluster's rows a second with 1 to 64 shards, how busy its busiest processes are, and its network, memory and cost.
"""

from __future__ import annotations

import argparse
import json
import pickle
import tracemalloc
from dataclasses import replace
from typing import Any

from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.request_key import request_key
from quackllm.workers.messages import Request, Response, Usage
from replicas import Point
from report import RESULTS, keep, tell
from simulated_cluster import MAX_QUEUED, Cluster, Costs, Measured

GROUPS = {"driver": "drivers", "replica": "replicas", "store": "call store"}
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
    options = parser.parse_args()
    measured = json.loads((RESULTS / "replicas.json").read_text("utf-8"))["measured"]["points"]
    costs, cores = fit(measured)
    compared = compare(measured, costs, cores)
    large = []
    for latency in options.latency:
        for shards in options.shards:
            point = Point(options.replicas, options.drivers, shards, options.concurrency, latency)
            large.append((point, Cluster(point, costs).run(options.seconds, options.seconds)))
    show_large(large, options.rows, options.gpu_hour)
    show_sizes(large[0][0], large, options.rows)
    keep("scale_simulation", {"compared": compared, "costs": repr(costs), "cores": cores})


def point_of(found: dict[str, Any]) -> Point:
    """Return which point was measured."""
    return Point(**{name: found[name] for name in ("replicas", "drivers", "shards", "concurrency", "latency")})


def fitted_points(measured: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the points with one driver where processor time is the limit: many rows a message, and one."""
    alone = [found for found in measured if found["drivers"] == 1 and not found["latency"]]
    return sorted(alone, key=lambda found: -found["concurrency"])


def fit(measured: list[dict[str, Any]]) -> tuple[Costs, float]:
    """Find what a row and a message cost, so that two points need the processor time that was measured.

    Returns:
        the costs, and how many cores the measured processes had together at the busiest point.
    """
    costs = Costs(driver_row=2e-4, replica_row=5e-5, store_row=5e-5, other_row=2e-5)
    for _ in range(20):
        for found in fitted_points(measured):
            costs = _adjusted(costs, found, Cluster(point_of(found), costs, cores=2).run(1, 2))
    return costs, max(sum(found["cores"].values()) for found in measured)


def _adjusted(costs: Costs, found: dict[str, Any], simulated: Measured) -> Costs:
    """Change what rows cost (many rows a message), or messages (one), by what the simulated rows need too little."""
    rate, changed = found["rows_per_second"], {}
    got = {"driver": simulated.driver, "replica": simulated.replica * found["replicas"], "store": simulated.shard}
    for name, group in GROUPS.items():
        missing = found["cores"].get(group, 0.0) / rate - got[name] / simulated.rows
        if found["concurrency"] > 1:
            changed[f"{name}_row"] = max(getattr(costs, f"{name}_row") + missing / 2, 1e-6)
        else:  # A row is a message to a replica and one back, and its part of three calls of a shard.
            for step in {"driver": ("driver_message", "driver_call"), "store": ("store_call",)}.get(
                name, ("replica_message",)
            ):
                changed[step] = max(getattr(costs, step) + missing / 8, 1e-5)
    others = sum(cores for group, cores in found["cores"].items() if group not in GROUPS.values())
    return replace(costs, **changed, other_row=others / rate)


def compare(measured: list[dict[str, Any]], costs: Costs, cores: float) -> list[tuple[str, ...]]:
    """Print each measured point, what the simulation says, and by how much they differ."""
    slowed = replace(costs, **{name: cost * 2 / cores for name, cost in vars(costs).items()})
    fitted = fitted_points(measured)
    rows = []
    for found in measured:
        point, rate = point_of(found), found["rows_per_second"]
        simulated = Cluster(point, slowed, cores=2).run(2, 10).rows
        counts = (str(point.replicas), str(point.drivers), str(point.shards), f"{point.latency:g} s")
        note = "fitted" if found in fitted else ""
        rows.append((*counts, f"{rate:,.0f}", f"{simulated:,.0f}", f"{simulated / rate - 1:+.0%}", note))
    names = ("replicas", "drivers", "shards", "latency", "measured rows/s", "simulated", "deviation", "")
    tell(f"measured and simulated, {cores:.2f} cores in all", names, rows)
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
    queued = max(MAX_QUEUED, 4 * point.replicas * point.concurrency)
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
