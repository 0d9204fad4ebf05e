"""The transformers engine: any Hugging Face causal language model, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from pydantic import BaseModel

from ...errors import ProviderError
from ...messages import Request, Response
from .batching import BatchRow, LoadedModel, make_sampling
from .loading import load_model
from .settings import TransformersSettings

BATCH_WINDOW_SECONDS = 0.005  # How long the first request waits for others to join its batch.


class TransformersEngine:
    """Answers with a model's own weights. Requests that arrive together share one batch."""

    Settings: ClassVar[type[BaseModel]] = TransformersSettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 32

    def __init__(self, settings: TransformersSettings) -> None:
        self.settings = settings
        self._thread = ThreadPoolExecutor(1, "transformers")
        self._waiting: list[BatchRow] = []
        self._in_flight: list[BatchRow] = []
        self._arrived = asyncio.Event()
        self._batches: LoadedModel
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Load the weights, in a thread.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            DeployError: the model cannot be loaded.
        """
        loop = asyncio.get_running_loop()
        self._batches = await loop.run_in_executor(self._thread, load_model, self.settings)
        self._serving = loop.create_task(self._serve_batches())

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: it is too long for the model, has an unsupported option, or memory ran out.
        """
        return await self._enqueue(request).future

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer as the model writes them, then the whole Response.

        Raises:
            ProviderError: as `answer` does.
        """
        chunks: asyncio.Queue[str | None] = asyncio.Queue()
        row = self._enqueue(request, chunks)
        try:
            while (chunk := await chunks.get()) is not None:
                yield chunk
            yield await row.future
        finally:
            row.future.cancel()

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return the mean of the last layer's vectors for each text.

        Raises:
            ProviderError: a text is too long for the model.
        """
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._batches.embed, list(texts))

    async def close(self) -> None:
        """Stop serving and let go of the weights."""
        if self._serving:
            self._serving.cancel()
        for row in [*self._waiting, *self._in_flight]:
            row.fail(ProviderError("the model was closed", code="closed", retryable=True))
        # At the interpreter's exit its threads have ended before this is called, and none can be started.
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(self._thread.shutdown)
        if hasattr(self, "_batches"):
            self._batches.release()
            del self._batches

    def _enqueue(self, request: Request, chunks: asyncio.Queue[str | None] | None = None) -> BatchRow:
        row = BatchRow(request, make_sampling(request.options), asyncio.get_running_loop(), chunks)
        self._waiting.append(row)
        self._arrived.set()
        return row

    async def _serve_batches(self) -> None:
        """Take what waits, batch by batch, until the engine is closed."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(BATCH_WINDOW_SECONDS)
            rows = self._in_flight = self._next_rows()
            job = asyncio.get_running_loop().run_in_executor(self._thread, self._batches.run, rows)
            await asyncio.wait([job])
            failure = job.exception() or ProviderError("the model gave no answer", code="no_answer", retryable=True)
            for row in rows:
                row.fail(failure)

    def _next_rows(self) -> list[BatchRow]:
        """Return the oldest request, and those that are sampled as it is; a seeded draw stays alone.

        In company, the random numbers of a row would depend on the others.
        """
        waiting = [row for row in self._waiting if not row.future.done()]
        first = waiting[:1]
        rows = [row for row in waiting if row.sampling == first[0].sampling][: self._batches.size] if first else []
        if first and first[0].sampling.seed is not None:
            rows = first
        self._waiting = [row for row in waiting if row not in rows]
        if not self._waiting:
            self._arrived.clear()
        return rows
