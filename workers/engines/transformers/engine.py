"""The transformers engine: any Hugging Face causal language model, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import ProviderError
from ...messages import Request, Response
from .batching import BatchRow, LoadedModel, sampling_of
from .loading import load_model

BATCH_WINDOW_SECONDS = 0.005
"""How long the first request waits for others to share its batch."""


class TransformersSettings(BaseModel):
    """Settings of `custom/auto` with `backend: transformers`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_path: str = Field(description="a folder, a Hugging Face id, or `modelscope:` and an id")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="auto: 16 bits on a GPU, float32 on a CPU"
    )
    quantization: Literal["8bit", "4bit"] | None = Field(None, description="weights in 8 or 4 bits (bitsandbytes)")
    device: str = Field("auto", description="`cpu`, `cuda`, `cuda:1`; auto: the GPUs there are, else the CPU")
    trust_remote_code: bool = Field(False, description="run Python code that came with the weights")
    max_batch_size: int = Field(32, ge=1, description="the most requests of one batch")
    max_model_len: int | None = Field(None, ge=1, description="the most tokens of prompt and answer together")
    max_tokens: int = Field(1024, ge=1, description="the most tokens of an answer where a request gives none")
    chat_template_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="passed to the chat template, e.g. {'enable_thinking': false}"
    )


class TransformersEngine:
    """Answers with a model's own weights. Requests that arrive together share one batch."""

    Settings: ClassVar[type[BaseModel]] = TransformersSettings
    concurrency: ClassVar[int] = 64
    embed_batch: ClassVar[int] = 32

    def __init__(self, settings: TransformersSettings) -> None:
        self.settings = settings
        self._thread = ThreadPoolExecutor(1, "transformers")
        self._waiting: list[BatchRow] = []
        self._under_way: list[BatchRow] = []
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
            ProviderError: it is too long for the model, asks for what the engine cannot do, or there is no memory.
        """
        return await self._enqueue(request).future

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer as the model writes them, then the whole Response.

        Raises:
            ProviderError: as `answer` does.
        """
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        row = self._enqueue(request, pieces)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
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
        for row in [*self._waiting, *self._under_way]:
            row.fail(ProviderError("the model was closed", code="closed", retryable=True))
        # At the interpreter's exit its threads have ended before this is called, and none can be started.
        with contextlib.suppress(RuntimeError):
            await asyncio.to_thread(self._thread.shutdown)
        if hasattr(self, "_batches"):
            self._batches.release()
            del self._batches

    def _enqueue(self, request: Request, pieces: asyncio.Queue[str | None] | None = None) -> BatchRow:
        row = BatchRow(request, sampling_of(request.options), asyncio.get_running_loop(), pieces)
        self._waiting.append(row)
        self._arrived.set()
        return row

    async def _serve_batches(self) -> None:
        """Take what waits, batch by batch, until the engine is closed."""
        while True:
            await self._arrived.wait()
            await asyncio.sleep(BATCH_WINDOW_SECONDS)
            rows = self._under_way = self._next_rows()
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
