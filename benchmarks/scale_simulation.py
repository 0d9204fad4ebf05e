"""What 1,000 replicas, 100 drivers and 1 billion rows would do: a simulation, compared with what was measured here.

    python benchmarks/scale_simulation.py [--seconds 10] [--measured .bench/results/replicas.json]

The simulated drivers, replicas and shards follow the rules of `udf/calls/client.py`, `workers/serving/router.py` and
`workers/cluster/actors.py`: a driver looks up, leases and sends 256 requests together, sends a replica no more than
twice what it works on, and stores what has arrived in one transaction per shard. Each process is single-threaded. What
a step costs in processor time is fitted (`fit`) to the processes' measured time. The first table compares the
simulation with every point that `benchmarks/replicas.py` measured; the second is the large cluster.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, deque
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import simpy
from report import RESULTS, keep, tell

from replicas import Point

Work: TypeAlias = Generator[simpy.Event, Any, None]
BATCH_SIZE, MAX_QUEUED, QUEUE_FACTOR, GATHER_SECONDS = 256, 8192, 2.0, 0.004
NETWORK_SECONDS = 0.0005  # One way, Ray's own threads included.


@dataclass(frozen=True)
class Costs:
    """Processor seconds of one step.

    Args:
        driver_row, replica_row, store_row: everything that a row costs in each process, without messages.
        driver_message, replica_message, store_message: a batch of requests, or of answers; a call of a shard.
        ray_row: what a row costs in Ray's own processes.
        look: looking at one replica while requests are dispatched.
    """

    driver_row: float = 250e-6
    driver_message: float = 400e-6
    replica_row: float = 50e-6
    replica_message: float = 400e-6
    store_row: float = 50e-6
    store_message: float = 500e-6
    ray_row: float = 20e-6
    look: float = 0.15e-6


@dataclass
class Process:
    """A single-threaded process; `cores` are those of a machine that it shares, None if it has its own."""

    environment: simpy.Environment
    cores: simpy.Resource | None
    busy: float = 0.0
    turn: simpy.Resource = field(init=False)

    def __post_init__(self) -> None:
        self.turn = simpy.Resource(self.environment)

    def work(self, seconds: float) -> Work:
        """Keep the process, and a core, busy."""
        with self.turn.request() as turn:
            yield turn
            if self.cores is None:
                yield self.environment.timeout(seconds)
            else:
                with self.cores.request() as core:
                    yield core
                    yield self.environment.timeout(seconds)
            self.busy += seconds
