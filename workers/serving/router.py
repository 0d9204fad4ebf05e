"""The router: sends one model's requests to the least loaded of its replicas, bounded in flight."""

from __future__ import annotations

import asyncio
import functools
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from time import monotonic
from typing import Protocol

from ..errors import QuackLLMError, SetupError, UnknownModelError
from ..messages import Failure, Request, Response
from ..metrics import ROUTERS
from .worker import ChunkBatch

QUEUED_AHEAD = 1.25  # Enough where the replica is in this process.
MAX_REPLICA_LOSSES = 5  # A request that loses more replicas than this is taken to be the reason, and fails.
PAUSE_AFTER_LOSS_SECONDS = 0.3
REFRESH_SECONDS = 2.0  # How often replicas are looked up again while requests wait: they come and go.
NO_REPLICA_TIMEOUT_SECONDS = float(os.environ.get("QUACKLLM_WAIT_SECONDS", 300))


class Replica(Protocol):
    """Something that answers batches: a worker in this process, or a Ray actor."""

    def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        """Yield answers with their index in the batch, as they complete, and chunks of those that are streamed."""


class ReplicaLostError(Exception):
    """The replica died or cannot be reached; what it had not answered goes to another."""


class RequestState(Enum):
    """How far a request has come. Only a lost replica leads back: from SENT to QUEUED."""

    QUEUED = auto()
    SENT = auto()
    STREAMING = auto()  # Sent, and a chunk of the answer was received: a second attempt would repeat it.
    DONE = auto()
    CANCELLED = auto()


ENDED = (RequestState.DONE, RequestState.CANCELLED)


@dataclass(eq=False, slots=True, kw_only=True)
class RoutedRequest(ABC):
    """One request and its state; a subclass says what to do with the answer.

    There can be 100,000 of these at once, so they are small: every object here costs time in garbage collections.
    """

    request: Request
    state: RequestState = RequestState.QUEUED
    replica_losses: int = 0
    stoppable: bool = False  # Whether `cancel` stops it after it was sent; it then travels alone.
    stop: Callable[[], object] | None = None  # Stops the replica's work on a request that was sent.

    def __post_init__(self) -> None:
        self.stoppable |= self.request.streamed

    @abstractmethod
    def admit(self) -> bool:
        """Return whether to send the request, now that a replica has room for it; else it is dropped."""

    @abstractmethod
    def on_chunk(self, chunk: str) -> None:
        """Receive the next chunk of a streamed answer."""

    @abstractmethod
    def on_result(self, outcome: Response | BaseException) -> None:
        """Receive the answer, or the error in place of one; called once at most."""

    def receive(self, chunk: str) -> None:
        """Hand over a chunk of the answer; what comes after a cancellation is dropped."""
        if self.state not in ENDED:
            self.state = RequestState.STREAMING
            self.on_chunk(chunk)

    def end(self, outcome: Response | BaseException) -> None:
        """Hand over the answer or the error, unless the request has ended already."""
        if self.state not in ENDED:
            self.state = RequestState.DONE
            self.on_result(outcome)

    def cancel(self) -> None:
        """Drop the request: it is not sent if it waits, and stopped if it can be."""
        self.state = RequestState.CANCELLED
        if self.stop:
            self.stop()


@dataclass(eq=False, slots=True)
class _Load:
    replica: Replica
    in_flight: set[RoutedRequest] = field(default_factory=set)
    suspended: bool = False


class Router:
    """Routes one model's requests. Lives in one event loop; every method is called there.

    Args:
        find_replicas: returns the replicas as they are now; called at first use, every 2 s and after a loss.
        concurrency: requests that one replica works on at once.
        model: its name, for the metrics.
        queued_ahead: requests sent to a replica for each that it works on, so that it never waits for the network.
    """

    def __init__(
        self,
        find_replicas: Callable[[], Awaitable[Sequence[Replica]]],
        concurrency: int,
        *,
        model: str = "",
        queued_ahead: float = QUEUED_AHEAD,
    ) -> None:
        self.model = model
        self._find_replicas = find_replicas
        self._capacity = max(int(concurrency * queued_ahead), concurrency + 1)
        self._waiting: deque[RoutedRequest] = deque()
        self._loads: list[_Load] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshing = False
        self._refreshed_at = 0.0
        self._none_since: float | None = None
        ROUTERS.add(self)

    @property
    def queued(self) -> int:
        """Requests for which no replica has room."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """Requests that were sent to replicas and have no answer yet."""
        return sum(len(load.in_flight) for load in self._loads)

    def submit(self, routed: RoutedRequest) -> None:
        """Queue a request."""
        self._waiting.append(routed)
        if len(self._waiting) == 1:
            # One turn of the loop later, so that requests submitted together are sent together.
            asyncio.get_running_loop().call_soon(self._dispatch)

    async def join(self) -> None:
        """Return when no request waits and none is in flight."""
        while self._waiting or any(load.in_flight for load in self._loads):
            await asyncio.sleep(0.05)

    def _dispatch(self) -> None:
        """Send waiting requests to the replicas that have room."""
        while self._waiting and self._waiting[0].state in ENDED:
            self._waiting.popleft()
        if not self._waiting:
            return
        if not self._refreshing and (not self._loads or monotonic() - self._refreshed_at > REFRESH_SECONDS):
            self._start(self._refresh())
        for load in sorted(self._loads, key=lambda load: len(load.in_flight)):
            if load.suspended:
                continue
            taken = self._take(self._batch_size(load))
            # Stopping a request stops its whole batch.
            whole = [routed for routed in taken if not routed.stoppable]
            for batch in [whole, *([routed] for routed in taken if routed.stoppable)]:
                if batch:
                    self._send(load, batch)

    def _send(self, load: _Load, batch: list[RoutedRequest]) -> None:
        load.in_flight.update(batch)
        task = self._start(self._receive(load, batch))
        task.add_done_callback(functools.partial(self._on_batch_end, load, batch))
        if batch[0].stoppable:
            batch[0].stop = task.cancel

    def _batch_size(self, load: _Load) -> int:
        """Return how many requests to send now: the replica's fair share, and none where that would be a trickle."""
        free = self._capacity - len(load.in_flight)
        if free < self._capacity // 8:
            return 0
        active = sum(not other.suspended for other in self._loads)
        return min(free, -(-len(self._waiting) // active))

    def _take(self, count: int) -> list[RoutedRequest]:
        taken: list[RoutedRequest] = []
        while self._waiting and len(taken) < count:
            routed = self._waiting.popleft()
            if routed.state not in ENDED and routed.admit():
                routed.state = RequestState.SENT
                taken.append(routed)
        return taken

    async def _receive(self, load: _Load, batch: list[RoutedRequest]) -> None:
        try:
            async for received in load.replica.answer([routed.request for routed in batch]):
                for index, item in received:
                    if isinstance(item, str):
                        batch[index].receive(item)
                    else:
                        load.in_flight.discard(batch[index])
                        batch[index].end(item)
                # Only after these answers were counted: what they cost may forbid the next request.
                asyncio.get_running_loop().call_soon(self._dispatch)
        except ReplicaLostError as error:
            self._requeue(load, batch, error)

    def _on_batch_end(self, load: _Load, batch: list[RoutedRequest], task: asyncio.Task[None]) -> None:
        """Hand an error, whatever its class, to every request of the batch that has no answer yet."""
        error = None if task.cancelled() else task.exception()
        for routed in batch:
            if error and routed in load.in_flight:
                routed.end(error)
            load.in_flight.discard(routed)
        self._dispatch()

    def _requeue(self, load: _Load, batch: list[RoutedRequest], error: ReplicaLostError) -> None:
        """Put what a lost replica had not answered first in the queue, and suspend the replica."""
        for routed in reversed(batch):
            if routed not in load.in_flight:
                continue
            load.in_flight.discard(routed)
            routed.replica_losses += 1
            if routed.replica_losses > MAX_REPLICA_LOSSES or routed.state is RequestState.STREAMING:
                routed.end(Response(None, error=Failure("worker_lost", str(error), True), finish_reason="error"))
            elif routed.state is RequestState.SENT:
                routed.state = RequestState.QUEUED
                self._waiting.appendleft(routed)
        if not load.suspended:
            load.suspended = True
            self._start(self._refresh(PAUSE_AFTER_LOSS_SECONDS))
        self._dispatch()

    async def _refresh(self, pause: float = 0.0) -> None:
        """Look up the replicas again; those that were there before keep their load."""
        if self._refreshing:
            return
        self._refreshing = True
        try:
            await asyncio.sleep(pause)
            found = await self._find_replicas()
        except (QuackLLMError, OSError) as error:
            if isinstance(error, UnknownModelError) or all(load.suspended for load in self._loads):
                self._fail_waiting(error)
            return
        finally:
            self._refreshing, self._refreshed_at = False, monotonic()
        earlier = {load.replica: load for load in self._loads}
        self._loads = [earlier.get(replica) or _Load(replica) for replica in found]
        for load in self._loads:
            load.suspended = False
        if found or not self._waiting:
            self._none_since = None
            self._dispatch()
        else:
            self._wait_for_replica()

    def _wait_for_replica(self) -> None:
        """Look again soon; where no replica comes up in time, the waiting requests fail."""
        self._none_since = self._none_since or monotonic()
        if monotonic() - self._none_since < NO_REPLICA_TIMEOUT_SECONDS:
            self._start(self._refresh(PAUSE_AFTER_LOSS_SECONDS))
        else:
            hint = "type: quackllm status NAME --cluster …   and   ray status"
            self._fail_waiting(SetupError(f"no replica was up for {NO_REPLICA_TIMEOUT_SECONDS:g} s", hint=hint))
            self._none_since = None

    def _fail_waiting(self, error: Exception) -> None:
        self._loads = []
        waiting, self._waiting = self._waiting, deque()
        for routed in waiting:
            routed.end(error)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
