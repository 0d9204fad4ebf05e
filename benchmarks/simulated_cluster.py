"""A cluster of quackllm in simulated time: drivers, replicas and shards, by the rules that the real ones follow.

`udf/calls/caching_client.py`: a driver looks up, leases and sends 256 requests together, holds a limited number of
them, and stores all answers that have arrived in one transaction per shard. `workers/serving/router.py`: a replica gets
its fair share, at most twice what it works on, and never a trickle. `workers/cluster/actors.py`: a replica sends the
answers of one batch that end within 4 ms in one message. Each process is single-threaded.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, TypeAlias

import simpy
from replicas import Point

Work: TypeAlias = Generator[simpy.Event, Any, None]
BATCH_SIZE, QUEUE_FACTOR, GATHER_SECONDS = 256, 2.0, 0.004
REFRESH_SECONDS = 2.0  # A driver pings every replica, and renews its leases at every shard, so often.
SLICE_SECONDS = 0.003  # Processes that share cores take turns, as Linux lets them.
NETWORK_SECONDS = 0.0005  # One way, Ray's own threads included.


@dataclass(frozen=True)
class Costs:
    """Processor seconds of one step.

    Args:
        driver_row, replica_row: what a row costs in a driver and in a replica, without messages.
        store_row: what it costs in the call store: written at 23,000 rows a second, read at 262,000 (docs/scale.md).
        other_row: what a row costs in Ray's own processes.
        driver_message, replica_message: sending or receiving a batch of requests or of answers; an assumption.
        driver_call, store_call: one call of a shard; an assumption.
        look: what it costs to look at one replica while requests are distributed; an assumption.
    """

    driver_row: float = 150e-6
    replica_row: float = 80e-6
    store_row: float = 47e-6
    other_row: float = 15e-6
    driver_message: float = 300e-6
    replica_message: float = 300e-6
    driver_call: float = 300e-6
    store_call: float = 300e-6
    look: float = 0.2e-6


class Process:
    """A single-threaded process.

    Args:
        environment: simulated time.
        cores: those of a machine that it shares with others; None: a core of its own.
    """

    def __init__(self, environment: simpy.Environment, cores: simpy.Resource | None) -> None:
        self.environment = environment
        self.busy = 0.0
        self._cores = cores
        self._turn = simpy.Resource(environment)

    def work(self, seconds: float) -> Work:
        """Keep the process, and a core, busy for so many seconds."""
        with self._turn.request() as turn:
            yield turn
            rest = seconds if self._cores else 0.0
            while rest > 0:
                with self._cores.request() as core:
                    yield core
                    yield self.environment.timeout(min(rest, SLICE_SECONDS))
                rest -= SLICE_SECONDS
            if not self._cores:
                yield self.environment.timeout(seconds)
            self.busy += seconds


class Cluster:
    """Simulated drivers, replicas and shards, all of whose rows are new.

    Args:
        point: how many of each.
        costs: what each step costs.
        cores: how many cores all processes share; None: each has its own.
    """

    def __init__(self, point: Point, costs: Costs, cores: int | None = None) -> None:
        self.environment = simpy.Environment()
        self.point, self.costs = point, costs
        machine = simpy.Resource(self.environment, cores) if cores else None
        self.shards = [Shard(self, machine) for _ in range(point.shards)]
        self.replicas = [Replica(self, machine) for _ in range(point.replicas)]
        self.drivers = [Driver(self, machine) for _ in range(point.drivers)]
        self.rest = Process(self.environment, machine)  # Ray's own processes; on one machine they count.
        self.stored = 0
        self.answered = 0
        self.messages = 0

    def run(self, warm: float, seconds: float) -> Measured:
        """Simulate, and return what happened in the last `seconds`."""
        self.environment.run(warm)
        before = self._counts()
        self.environment.run(warm + seconds)
        after = self._counts()
        return Measured(*((now - then) / seconds for then, now in zip(before, after, strict=True)))

    def _counts(self) -> tuple[float, ...]:
        groups = (self.drivers, self.replicas, self.shards)
        busiest = (max(process.busy for process in group) for group in groups)
        return (self.stored, *busiest, self.answered, self.messages)


@dataclass(frozen=True)
class Measured:
    """What a simulated cluster did in a second.

    Args:
        rows: rows stored.
        driver, replica, shard: how busy the busiest process of each kind was, 0 to 1.
        answers: answers that reached drivers.
        messages: messages from replicas in which they came.
    """

    rows: float
    driver: float
    replica: float
    shard: float
    answers: float
    messages: float


class Shard(Process):
    """A shard of the call store."""

    def __init__(self, cluster: Cluster, cores: simpy.Resource | None) -> None:
        super().__init__(cluster.environment, cores)
        self._costs = cluster.costs

    def serve(self, rows: int) -> Work:
        """Answer one of the three calls that a row takes part in: look-up, lease, record."""
        yield self.environment.timeout(NETWORK_SECONDS)
        yield from self.work(self._costs.store_call + rows * self._costs.store_row / 3)
        yield self.environment.timeout(NETWORK_SECONDS)


class Replica(Process):
    """A replica, whose work is to wait: a service, or a GPU, does the rest."""

    def __init__(self, cluster: Cluster, cores: simpy.Resource | None) -> None:
        super().__init__(cluster.environment, cores)
        self._point, self._costs = cluster.point, cluster.costs
        self._free = cluster.point.concurrency
        self._queue: deque[Batch] = deque()

    def receive(self, batch: Batch) -> Work:
        """Take a batch of requests."""
        yield self.environment.timeout(NETWORK_SECONDS)
        yield from self.work(self._costs.replica_message)
        self._queue.append(batch)
        self._begin()

    def _begin(self) -> None:
        while self._free and self._queue:
            batch = self._queue[0]
            count = min(self._free, batch.rows - batch.begun)
            batch.begun += count
            self._free -= count
            if batch.begun == batch.rows:
                self._queue.popleft()
            self.environment.process(self._answer(batch, count))

    def _answer(self, batch: Batch, count: int) -> Work:
        yield self.environment.timeout(self._point.latency)
        self._free += count
        batch.ended += count
        self._begin()
        if not batch.streaming:
            batch.streaming = True
            self.environment.process(self._stream(batch))

    def _stream(self, batch: Batch) -> Work:
        most = max(1, int(GATHER_SECONDS / self._costs.replica_row))
        while batch.ended:
            count = min(batch.ended, most)
            batch.ended -= count
            yield from self.work(self._costs.replica_message + count * self._costs.replica_row)
            self.environment.process(batch.driver.receive(self, count))
            if not batch.ended:
                yield self.environment.timeout(GATHER_SECONDS)
        batch.streaming = False


@dataclass
class Batch:
    """Requests that a driver sent to a replica in one message."""

    driver: Driver
    rows: int
    begun: int = 0
    ended: int = 0
    streaming: bool = False


class Driver(Process):
    """A driver, which never runs out of rows."""

    def __init__(self, cluster: Cluster, cores: simpy.Resource | None) -> None:
        super().__init__(cluster.environment, cores)
        self._cluster, self._costs, point = cluster, cluster.costs, cluster.point
        self._most = int(point.concurrency * QUEUE_FACTOR)
        # The real one holds more; four times its share of the replicas is filled sooner, and as good in the long run.
        held = max(8 * BATCH_SIZE, 4 * point.replicas * point.concurrency // point.drivers)
        self._room = simpy.Container(self.environment, held, held)
        self._waiting = 0
        self._in_flight = dict.fromkeys(cluster.replicas, 0)
        self._answered = 0
        self._flushing = False
        self.environment.process(self._feed())
        self.environment.process(self._refresh())

    def _feed(self) -> Work:
        while True:
            yield self._room.get(BATCH_SIZE)
            yield from self.work(BATCH_SIZE * self._costs.driver_row / 2)
            yield from self._call_shards(BATCH_SIZE)  # One look-up at a time.
            self.environment.process(self._send())

    def _refresh(self) -> Work:
        yield self.environment.timeout(REFRESH_SECONDS * random.random())
        while True:
            for replica in self._in_flight:
                self.environment.process(replica.work(self._costs.replica_message))
            yield from self.work(len(self._in_flight) * self._costs.driver_message)
            yield from self._call_shards(len(self._cluster.shards))
            yield self.environment.timeout(REFRESH_SECONDS)

    def _send(self) -> Work:
        yield from self._call_shards(BATCH_SIZE)
        self._waiting += BATCH_SIZE
        yield from self._dispatch()

    def _call_shards(self, rows: int) -> Work:
        """Call each shard that has some of these rows, all at the same time."""
        shards = self._cluster.shards
        part = -(-rows // len(shards))
        used = min(len(shards), rows)
        yield from self.work(used * self._costs.driver_call)
        yield simpy.AllOf(self.environment, [self.environment.process(shard.serve(part)) for shard in shards[:used]])

    def _dispatch(self) -> Work:
        """Give each replica its fair share of the waiting requests, the least loaded first."""
        if not self._waiting:
            return
        sent: list[tuple[Replica, int]] = []
        for replica in sorted(self._in_flight, key=self._in_flight.__getitem__):
            free = self._most - self._in_flight[replica]
            count = min(free, -(-self._waiting // len(self._in_flight)))
            if free < self._most // 8 or not count:
                continue
            self._in_flight[replica] += count
            self._waiting -= count
            sent.append((replica, count))
        looked = len(self._in_flight) * self._costs.look
        yield from self.work(looked + len(sent) * self._costs.driver_message)
        for replica, count in sent:
            self.environment.process(replica.receive(Batch(self, count)))

    def receive(self, replica: Replica, count: int) -> Work:
        """Take answers, store them, and send more requests."""
        yield self.environment.timeout(NETWORK_SECONDS)
        yield from self.work(self._costs.driver_message + count * self._costs.driver_row / 2)
        self._cluster.messages += 1
        self._cluster.answered += count
        self._in_flight[replica] -= count
        self._answered += count
        if not self._flushing:
            self._flushing = True
            self.environment.process(self._flush())
        yield from self._dispatch()

    def _flush(self) -> Work:
        while self._answered:
            count, self._answered = self._answered, 0
            yield from self._call_shards(count)
            yield from self._cluster.rest.work(count * self._costs.other_row)
            self._cluster.stored += count
            yield self._room.put(count)
        self._flushing = False
