"""What stands between a worker and its engine: nothing comes out but checked Responses and errors of ours.

An engine may be anybody's. Whatever it raises becomes that row's error, at once, and no secret of the model's is in it.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel

from ..engines import BatchEngine, EmbeddingEngine, Engine, StreamingEngine
from ..engines.engine_answers import checked_failure, checked_response, checked_vectors
from ..engines.reply_errors import broken_reply_error
from ..engines.reply_fields import ReasoningSplitter, parse_text, valid_text
from ..errors import ProviderError, QuackLLMError, SetupError
from ..log_events import log_event
from ..messages import Failure, Request, Response
from ..secret_refs import ChunkRedactor, Redactor, keys_of_settings, secrets_of_settings
from ..vectors import vector_bytes


class ErrorGuard:
    """A context out of which nothing comes but errors of ours, without secrets; only being cancelled stays what it is.

    Args:
        model: the model's name, for the log.
    """

    def __init__(self, model: str) -> None:
        self.redactor = Redactor()
        self._model = model

    def __enter__(self) -> None:
        """There is nothing to prepare: this is entered for every call."""

    def __exit__(self, error_type: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Raise what an engine raised as an error of ours."""
        if error is None or isinstance(error, GeneratorExit) or _is_cancelled(error):
            return
        try:
            raise self._as_ours(error) from error
        except QuackLLMError as ours:
            self.redactor.clean(ours)
            raise

    def _as_ours(self, error: BaseException) -> QuackLLMError:
        if isinstance(error, ProviderError | SetupError):
            return _checked_error(error)
        if isinstance(error, TimeoutError):
            return ProviderError("the engine did not answer in time", code="timeout", retryable=True)
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
        lines = self.redactor.text("".join(traceback.format_exception(error)))
        log_event("engine_failed", logging.ERROR, model=self._model, error=self.redactor.text(message), traceback=lines)
        failure = checked_failure(Failure("engine_error", message))
        return ProviderError(failure.message, code=failure.code)


class GuardedEngine:
    """An engine that answers with checked Responses, and fails with our errors alone.

    Args:
        engine: the engine.
        settings: its settings, whose secrets no error shows, and whose keys no answer.
        model: the model's name, for errors and the log.
    """

    def __init__(self, engine: Engine, settings: BaseModel, model: str) -> None:
        self.engine = engine
        self._settings = settings
        self._guard = ErrorGuard(model)
        self._keys = Redactor()

    async def start(self) -> None:
        """Start the engine.

        Raises:
            SetupError: it cannot start, in its own words.
        """
        self._guard.redactor = Redactor(secrets_of_settings(self._settings))
        self._keys = Redactor(keys_of_settings(self._settings))
        try:
            with self._guard:
                await self.engine.start()
        except ProviderError as error:
            raise SetupError(f"the engine did not start: {error.message}", hint=error.hint) from error.__cause__

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError, SetupError: the engine failed.
        """
        with self._guard:
            return checked_response(await self.engine.answer(request), self._keys)

    async def answer_all(self, engine: BatchEngine, requests: Sequence[Request]) -> list[Response]:
        """Answer several requests in one call.

        Raises:
            ProviderError, SetupError: the engine failed.
        """
        with self._guard:
            given = await engine.answer_all(requests)
            if not isinstance(given, Sequence) or len(given) != len(requests):
                raise broken_reply_error(f"the engine answered {len(requests)} requests with another number of answers")
            return [checked_response(response, self._keys) for response in given]

    async def stream(self, engine: StreamingEngine, request: Request, on_chunk: Callable[[str], None]) -> Response:
        """Answer one request, and hand over the answer as it grows, without what was thought before it.

        Raises:
            ProviderError, SetupError: the engine failed.
        """
        splitter, shown = ReasoningSplitter(), ChunkRedactor(self._keys)
        with self._guard:
            chunks: Any = engine.stream(request)
            try:
                async for chunk in chunks:
                    if isinstance(chunk, Response):
                        rest = splitter.close(cut_off=chunk.finish_reason == "length")
                        _hand_over(shown.whole(rest), on_chunk)
                        return checked_response(chunk, self._keys)
                    _hand_over(shown.feed(splitter.feed(valid_text(parse_text(chunk)[0]))), on_chunk)
            finally:
                if hasattr(chunks, "aclose"):
                    await chunks.aclose()
        raise ProviderError("the stream ended before the answer did", code="broken_off", retryable=True)

    async def embed(self, engine: EmbeddingEngine, texts: Sequence[str]) -> list[Response]:
        """Return a Response with a vector a text; a text without one has an error.

        Raises:
            ProviderError, SetupError: the engine failed.
        """
        with self._guard:
            vectors = checked_vectors(await engine.embed(texts), len(texts))
        return [_vector_response(vector) for vector in vectors]


def _is_cancelled(error: BaseException) -> bool:
    """Whether it is this task that is being cancelled, and not something in the engine."""
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


def _hand_over(text: str, on_chunk: Callable[[str], None]) -> None:
    if text:
        on_chunk(text)


def _vector_response(vector: tuple[float, ...] | None) -> Response:
    if vector is not None:
        return Response(None, embedding=vector_bytes(vector))
    failure = Failure(
        "broken_reply", "the engine returned no vector for this text, or one that is not a list of numbers"
    )
    return Response(None, error=failure, finish_reason="error")


def _checked_error(error: ProviderError | SetupError) -> ProviderError | SetupError:
    """Return an engine's error with fields that can be stored and sent."""
    failure = checked_failure(Failure(error.code, error.message))
    error.code, error.message, error.args = failure.code, failure.message, (failure.message,)
    error.hint = valid_text(str(error.hint))
    if isinstance(error, ProviderError):
        wait = error.retry_after_seconds
        error.retry_after_seconds = wait if isinstance(wait, int | float) and not math.isnan(wait) else None
        error.retryable, error.setup = bool(error.retryable), bool(error.setup)
        error.finish_reason = "filter" if error.finish_reason == "filter" else "error"
        error.status = error.status if isinstance(error.status, int) else None
    return error
