"""The worker: one class that hosts an engine, in this process or as a Ray actor."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

from msgspec.structs import replace

from ..deployments.spec import ModelSpec
from ..engines import BatchEngine, EmbeddingEngine, StreamingEngine
from ..errors import ProviderError, SetupError
from ..log_events import log_answer
from ..messages import Failure, Request, Response
from ..metrics import RETRIES, WORKERS, count_answers, series
from .engine_guard import GuardedEngine
from .retry import RetryPolicy

IndexedChunk = tuple[int, str | Response]  # An index in the batch, with its answer or the next chunk of it.
ChunkBatch = list[IndexedChunk]
_Task = asyncio.Task[ChunkBatch]

FAILURE_TEXTS = {
    "length": "the answer was cut off at the token limit",
    "filter": "the provider refused the content",
    "cancelled": "the answer was stopped",
}


@dataclass(slots=True)
class Counts:
    """What a worker has done since it started."""

    answered: int = 0
    failed: int = 0
    under_way: int = 0
    retries: int = 0


class Worker:
    """Hosts one engine; takes batches, gives each answer back as it completes: a slow row holds no other."""

    def __init__(self, spec: ModelSpec) -> None:
        plan = spec.plan()
        self.spec = spec
        self.engine = plan.engine(plan.settings)
        self.retry = RetryPolicy(plan.limits, spec.num_workers, spec.name)
        self._guarded = GuardedEngine(self.engine, plan.settings, spec.name)
        self.counts = Counts()
        self.model = spec.name
        self._taken = 0
        self._starting: asyncio.Task[None] | None = None
        self._concurrency = worker_concurrency(spec)
        self._slots = asyncio.Semaphore(self._concurrency)
        self._taking_slots = asyncio.Lock()
        WORKERS.add(self)

    @property
    def in_flight(self) -> int:
        """Requests that the engine works on."""
        return self.counts.under_way

    @property
    def queued(self) -> int:
        """Requests that were taken and not begun."""
        return max(0, self._taken - self.counts.under_way)

    def status(self) -> dict[str, Any]:
        """Return the worker's counts, and how long its service still asks for a pause."""
        return {**asdict(self.counts), "paused_seconds": round(self.retry.paused_seconds, 1)}

    async def start(self) -> None:
        """Start the engine, once however often this is called.

        Raises:
            SetupError: the engine cannot start; the message is the engine's.
        """
        if self._starting is None or (self._starting.done() and self._has_failed(self._starting)):
            self._starting = asyncio.create_task(self._guarded.start())
        await asyncio.shield(self._starting)

    @staticmethod
    def _has_failed(task: asyncio.Task[None]) -> bool:
        return task.cancelled() or task.exception() is not None

    async def close(self) -> None:
        """Close the engine, if it was started."""
        if self._starting and self._starting.done() and not self._has_failed(self._starting):
            await self.engine.close()

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        """Yield the answers as they complete, each with its place in `requests`, and before it its pieces if streamed.

        Raises:
            SetupError: no request can succeed; what was answered before it has been yielded.
        """
        done: asyncio.Queue[_Task | IndexedChunk] = asyncio.Queue()
        tasks = [asyncio.create_task(self._answer_job(*job, done.put_nowait)) for job in self._jobs(requests)]
        for task in tasks:
            task.add_done_callback(done.put_nowait)
        remaining = len(requests)
        self._taken += remaining
        try:
            while remaining:
                finished, failed = _collect_ready(await done.get(), done)
                if finished:
                    yield finished
                if failed:
                    await failed
                ended = sum(isinstance(response, Response) for _, response in finished)
                self._taken -= ended
                remaining -= ended
        finally:
            self._taken -= remaining
            for task in tasks:
                task.cancel()

    def _jobs(self, requests: Sequence[Request]) -> list[tuple[list[int], list[Request]]]:
        """Texts to embed share calls, and so do chat requests where the engine takes several; other requests do not."""
        together = isinstance(self.engine, BatchEngine) and not self.retry.has_rates
        alone, chats, texts = list[int](), list[int](), list[int]()
        for index, request in enumerate(requests):
            shared = chats if together and _can_be_shared(request) else alone
            (texts if request.kind == "embed" else shared).append(index)
        chat_size = min(self.engine.chat_batch, self._concurrency) if isinstance(self.engine, BatchEngine) else 1
        text_size = self.engine.embed_batch if isinstance(self.engine, EmbeddingEngine) else 1
        parts = [*_batched(alone, 1), *_batched(chats, chat_size), *_batched(texts, text_size)]
        return [(part, [requests[index] for index in part]) for part in parts]

    async def _answer_job(
        self, indices: list[int], requests: list[Request], on_chunk: Callable[[IndexedChunk], None]
    ) -> ChunkBatch:
        is_embedding = requests[0].kind == "embed"
        async with self._take_slots(1 if is_embedding else len(requests)):
            self.counts.under_way += len(requests)
            try:
                if is_embedding:
                    responses = await self._embed(requests)
                elif len(requests) > 1:
                    responses = await self._answer_all(requests)
                else:
                    responses = [await self.answer_one(requests[0], lambda piece: on_chunk((indices[0], piece)))]
            finally:
                self.counts.under_way -= len(requests)
        return list(zip(indices, responses, strict=True))

    @contextlib.asynccontextmanager
    async def _take_slots(self, count: int) -> AsyncIterator[None]:
        """Hold a slot for each of the requests that the engine gets in one call."""
        taken = 0
        try:
            async with self._taking_slots:  # One call at a time: two could each hold what the other waits for.
                while taken < count:
                    await self._slots.acquire()
                    taken += 1
            yield
        finally:
            for _ in range(taken):
                self._slots.release()

    async def answer_one(self, request: Request, on_chunk: Callable[[str], None] = lambda _: None) -> Response:
        """Return the answer to one chat request; a failure is a Response with `error`.

        Args:
            request: the request.
            on_chunk: called with each piece of a streamed answer, where the engine can stream.

        Raises:
            SetupError: no request can succeed.
        """
        started = perf_counter()
        try:
            if _is_empty(request):
                raise ProviderError("the prompt is empty", code="empty_prompt")
            response = await self.retry.call(self._call_engine(request, on_chunk), request)
            await self.retry.charge_tokens(request, response.usage)
        except ProviderError as error:
            response = self._failed(error)
        (response,) = self._completed([response], perf_counter() - started)
        log_answer(request, response)
        return response

    async def _answer_all(self, requests: list[Request]) -> list[Response]:
        """Answer several chat requests in one call; where that fails, each alone."""
        engine, started = self.engine, perf_counter()
        assert isinstance(engine, BatchEngine), "only its requests share a call"
        try:
            found = await self.retry.call(lambda _: self._guarded.answer_all(engine, requests), requests[0])
        except ProviderError:
            return [await self.answer_one(request) for request in requests]
        responses = self._completed(found, (perf_counter() - started) / len(requests))
        for request, response in zip(requests, responses, strict=True):
            log_answer(request, response)
        return responses

    def _call_engine(
        self, request: Request, on_chunk: Callable[[str], None]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return how to call the engine: for a full answer, or a stream if the request and the engine allow it."""
        if not (request.streamed and isinstance(self.engine, StreamingEngine)):
            return self._guarded.answer
        engine, response = self.engine, False

        def hand_over(chunk: str) -> None:
            nonlocal response
            response = True
            on_chunk(chunk)

        async def stream(request: Request) -> Response:
            if response:  # Chunks that were sent cannot be taken back; a second attempt would repeat them.
                raise ProviderError("the answer broke off", code="broken_off")
            try:
                return await self._guarded.stream(engine, request, hand_over)
            except ProviderError as error:
                if not response:
                    raise
                return self._failed(error)

        return stream

    async def _embed(self, requests: list[Request]) -> list[Response]:
        if not isinstance(self.engine, EmbeddingEngine):
            raise SetupError(
                f"{self.spec.name} ({self.spec.type}) does not return embeddings",
                hint="deploy an embedding model and name it",
            )
        engine, started = self.engine, perf_counter()
        texts = [request.messages[0].content for request in requests]
        try:
            responses = await self.retry.call(lambda _: self._guarded.embed(engine, texts), requests[0])
        except ProviderError as error:
            if len(requests) > 1 and not error.setup and not error.retryable:
                # One bad text fails the whole call at the service; sent one by one, only its own row fails.
                return [(await self._embed([request]))[0] for request in requests]
            responses = [self._failed(error)] * len(requests)
        return self._completed(responses, perf_counter() - started)

    def _failed(self, error: ProviderError) -> Response:
        """Turn a failure into the row's response, or stop the statement where no row can succeed."""
        if error.setup:
            message = f"{self.spec.name}: {error.message} (code {error.code})"
            raise SetupError(message, hint=error.hint, code=error.code) from error
        failure = Failure(error.code, error.message, error.retryable, error.status)
        return Response(None, error=failure, finish_reason=error.finish_reason)

    def _completed(self, found: Sequence[Response], seconds: float) -> list[Response]:
        """Count answers of which each took so many seconds, and add what the engine does not know."""
        model = self.spec.name
        responses = [replace(each, model=model, error=_failure(each), seconds=seconds) for each in found]
        answered = sum([response.is_complete for response in responses])
        self.counts.answered += answered
        self.counts.failed += len(responses) - answered
        series(RETRIES, self.model).inc(self.retry.retries - self.counts.retries)
        self.counts.retries = self.retry.retries
        count_answers(self.model, responses)
        return responses


def worker_concurrency(spec: ModelSpec) -> int:
    """How many requests one worker of that spec keeps under way."""
    return spec.worker_concurrency or spec.plan().engine.concurrency


def _collect_ready(
    first: _Task | IndexedChunk, queue: asyncio.Queue[_Task | IndexedChunk]
) -> tuple[ChunkBatch, _Task | None]:
    """Return the chunks and responses that are ready, and a failed task if there is one."""
    items = [first]
    while not queue.empty():
        items.append(queue.get_nowait())
    finished: ChunkBatch = []
    failed: _Task | None = None
    for item in items:
        if isinstance(item, tuple):
            finished.append(item)
        elif item.cancelled() or item.exception():
            failed = failed or item
        else:
            finished += item.result()
    return finished, failed


def _is_empty(request: Request) -> bool:
    last = request.messages[-1] if request.messages else None
    return last is None or not (last.content.strip() or last.images)


def _can_be_shared(request: Request) -> bool:
    """Whether a request can be answered in one call with others: it has no piece or time limit of its own."""
    return not (request.streamed or request.options.timeout_seconds or _is_empty(request))


def _failure(response: Response) -> Failure | None:
    """Return why an answer is not a whole one."""
    if response.is_complete:
        return None
    reason = response.finish_reason
    return response.error or Failure(reason, FAILURE_TEXTS.get(reason, "no answer"))


def _batched(items: list[int], size: int) -> list[list[int]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
