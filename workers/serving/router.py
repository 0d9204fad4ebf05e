"""The router: sends one model's requests to the least loaded of its replicas, bounded in flight."""

from __future__ import annotations

import asyncio
import functools
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Protocol

from ..errors import QuackLLMError, SetupError, UnknownModelError
from ..messages import Failure, Request, Response
from ..metrics import ROUTERS
from .worker import ChunkBatch

QUEUED_AHEAD = 1.25
"""Enough where the replica is in this process."""
MAX_REPLICA_LOSSES = 5
"""How often a request may lose its replica before it is held to be the reason."""
PAUSE_AFTER_LOSS_SECONDS = 0.3
REFRESH_SECONDS = 2.0
"""How often replicas are looked up again while there is work: some may have come, some gone."""
NO_REPLICA_TIMEOUT_SECONDS = float(os.environ.get("QUACKLLM_WAIT_SECONDS", 300))
"""How long requests wait while no replica is up."""


class Replica(Protocol):
    """Something that answers batches: a worker in this process, or a Ray actor."""

    def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        """Yield answers with their places in the batch, as they complete, and pieces of those that are streamed."""


class ReplicaLostError(Exception):
    """The replica died or cannot be reached; what it had not answered is asked elsewhere."""


@dataclass(eq=False, slots=True, kw_only=True)
class RoutedRequest(ABC):
    """One request on its way; whoever asks says in a subclass what becomes of it.

    There may be many at a time: what each of them is made of, Python's collector looks at again and again.
    """

    request: Request
    sent: bool = False
    has_chunks: bool = False
    replica_losses: int = 0
    finished: bool = False
    """It was answered, it failed, or it was taken back."""
    stop: Callable[[], object] | None = None
    """Ends the answering of a streamed request that was sent."""

    @abstractmethod
    def admit(self) -> bool:
        """Say, now that there is room for the request, whether to send it; else it is dropped."""

    @abstractmethod
    def on_chunk(self, piece: str) -> None:
        """Take in one more piece of a streamed answer."""

    @abstractmethod
    def on_result(self, outcome: Response | BaseException) -> None:
        """Take in what became of it; called once at the most."""

    def end(self, outcome: Response | BaseException) -> None:
        """Say what became of it, unless it is over."""
        if not self.finished:
            self.finished = True
            self.on_result(outcome)

    def cancel(self) -> None:
        """Want nothing more of it: while it waits it is not sent, and where it is streamed it is stopped."""
        self.finished = True
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
        find_replicas: returns the replicas as they are now; asked at first use and after a loss.
        concurrency: requests that one replica works on at once.
        model: its name, for the metrics.
        queued_ahead: requests sent to a replica for each that it works on, so that none waits for the next one
            to travel.
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
        self._looked_at = 0.0
        self._none_since: float | None = None
        ROUTERS.add(self)

    @property
    def queued(self) -> int:
        """Requests for which no replica has room."""
        return len(self._waiting)

    @property
    def in_flight(self) -> int:
        """Requests that replicas have."""
        return sum(len(load.in_flight) for load in self._loads)

    def submit(self, job: RoutedRequest) -> None:
        """Queue a request."""
        self._waiting.append(job)
        if len(self._waiting) == 1:
            # One turn of the loop later, so that requests submitted together travel together.
            asyncio.get_running_loop().call_soon(self._dispatch)

    async def join(self) -> None:
        """Return when nothing waits and nothing is under way."""
        while self._waiting or any(load.in_flight for load in self._loads):
            await asyncio.sleep(0.05)

    def _dispatch(self) -> None:
        """Send what waits to whoever has room."""
        while self._waiting and self._waiting[0].finished:
            self._waiting.popleft()
        if not self._waiting:
            return
        if not self._refreshing and (not self._loads or monotonic() - self._looked_at > REFRESH_SECONDS):
            self._start(self._refresh())
        for load in sorted(self._loads, key=lambda load: len(load.in_flight)):
            if load.suspended:
                continue
            jobs = self._take(self._room(load))
            # A streamed answer can be stopped, which ends all that was sent with it.
            together = [job for job in jobs if not job.request.streamed]
            for batch in [together, *([job] for job in jobs if job.request.streamed)]:
                if batch:
                    self._begin(load, batch)

    def _begin(self, load: _Load, jobs: list[RoutedRequest]) -> None:
        load.in_flight.update(jobs)
        task = self._start(self._send(load, jobs))
        task.add_done_callback(functools.partial(self._sent, load, jobs))
        if jobs[0].request.streamed:
            jobs[0].stop = task.cancel

    def _room(self, load: _Load) -> int:
        """How many requests to send now: a replica's fair share, and rather a batch than one by one."""
        free = self._capacity - len(load.in_flight)
        if free < self._capacity // 8:
            return 0
        awake = sum(not other.suspended for other in self._loads)
        return min(free, -(-len(self._waiting) // awake))

    def _take(self, count: int) -> list[RoutedRequest]:
        taken: list[RoutedRequest] = []
        while self._waiting and len(taken) < count:
            job = self._waiting.popleft()
            if not job.finished and job.admit():
                job.sent = True
                taken.append(job)
        return taken

    async def _send(self, load: _Load, jobs: list[RoutedRequest]) -> None:
        try:
            async for finished in load.replica.answer([job.request for job in jobs]):
                for place, said in finished:
                    if isinstance(said, str):
                        jobs[place].has_chunks = True
                        jobs[place].on_chunk(said)
                    else:
                        load.in_flight.discard(jobs[place])
                        jobs[place].end(said)
                # After those who wait have heard of it: what these answers cost may forbid the next request.
                asyncio.get_running_loop().call_soon(self._dispatch)
        except ReplicaLostError as error:
            self._ask_elsewhere(load, jobs, error)

    def _sent(self, load: _Load, jobs: list[RoutedRequest], task: asyncio.Task[None]) -> None:
        """Hand an error, ours or anybody's, to everyone who still waits for that batch."""
        error = None if task.cancelled() else task.exception()
        for job in jobs:
            if error and job in load.in_flight:
                job.end(error)
            load.in_flight.discard(job)
        self._dispatch()

    def _ask_elsewhere(self, load: _Load, jobs: list[RoutedRequest], error: ReplicaLostError) -> None:
        """Put what a lost replica had not answered first in the queue, and let the replica rest."""
        for job in reversed(jobs):
            if job not in load.in_flight:
                continue
            load.in_flight.discard(job)
            job.replica_losses += 1
            if job.replica_losses > MAX_REPLICA_LOSSES or job.has_chunks:
                job.end(Response(None, error=Failure("worker_lost", str(error), True), finish_reason="error"))
            else:
                job.sent = False
                self._waiting.appendleft(job)
        if not load.suspended:
            load.suspended = True
            self._start(self._refresh(PAUSE_AFTER_LOSS_SECONDS))
        self._dispatch()

    async def _refresh(self, pause: float = 0.0) -> None:
        """Look up the replicas again; those that were known keep their load."""
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
            self._refreshing, self._looked_at = False, monotonic()
        known = {load.replica: load for load in self._loads}
        self._loads = [known.get(replica) or _Load(replica) for replica in found]
        for load in self._loads:
            load.suspended = False
        if found or not self._waiting:
            self._none_since = None
            self._dispatch()
        else:
            self._wait_for_one()

    def _wait_for_one(self) -> None:
        """Look again soon; nobody waits for ever where no replica comes up."""
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
        for job in waiting:
            job.end(error)

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
