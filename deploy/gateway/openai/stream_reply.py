"""Streamed answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ....udf.settings import StoreMode
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import QuackLLMError
from ....workers.messages import Request, Response
from ....workers.serving.retry import CHARACTERS_PER_TOKEN
from ..admission import RequestContext, Spending
from ..error_replies import GatewayError, as_gateway_error, raise_for_failure, timeout_error
from .responses import ReplyFormatter, error_event


class AnswerStream:
    """One streamed answer: its chunks, then the complete Response. Closing it stops the engine.

    Args:
        chunks: the chunks, then the Response.
        spending: counts what the answer costs.
        seconds: how long it may take.
    """

    def __init__(self, chunks: AsyncGenerator[str | Response, None], spending: Spending, seconds: float) -> None:
        self.seconds = seconds
        self._chunks, self._spending = chunks, spending
        self._first: str | Response | None = None
        self._received = 0
        self._ended = False

    @classmethod
    async def start(cls, context: RequestContext, spec: ModelSpec, request: Request, mode: StoreMode) -> AnswerStream:
        """Return the answer when its first chunk has arrived, so that an earlier failure still has its own HTTP status.

        Args:
            context: for whom.
            spec: the model.
            request: the request to send.
            mode: how the call store is used.

        Raises:
            GatewayError: there is no answer, or it took too long.
        """
        spending, _ = await context.begin(spec, [request], mode)
        chunks = context.gateway.stream(spec, request, spending.scope, mode)
        stream = cls(chunks, spending, context.gateway.settings.request_seconds)
        try:
            async with asyncio.timeout(stream.seconds):
                stream._first = stream._note(await anext(chunks))
            if isinstance(stream._first, Response):
                raise_for_failure(stream._first)
        except BaseException as error:
            await stream.close()
            if isinstance(error, TimeoutError):
                raise timeout_error(stream.seconds) from error
            raise
        return stream

    @property
    def calls(self) -> int:
        """The number of calls so far."""
        return self._spending.scope.usage.sent

    async def chunks(self) -> AsyncIterator[str | Response]:
        """Yield the chunks, then the Response."""
        assert self._first is not None
        yield self._first
        async for chunk in self._chunks:
            yield self._note(chunk)

    def _note(self, chunk: str | Response) -> str | Response:
        if isinstance(chunk, str):
            self._received += len(chunk)
        else:
            self._ended = True
        return chunk

    async def close(self) -> None:
        """Stop the engine; no service reports the cost of a stopped answer, so its tokens are estimated."""
        await self._chunks.aclose()
        self._spending.stopped = not self._ended
        self._spending.received_tokens = self._received // CHARACTERS_PER_TOKEN


class SseResponse(StreamingResponse):
    """The events of a streamed answer; the answer is stopped when the client disconnects."""

    def __init__(
        self, stream: AnswerStream, formatter: ReplyFormatter, include_usage: bool, headers: dict[str, str]
    ) -> None:
        self._stream, self._formatter, self._include_usage = stream, formatter, include_usage
        super().__init__(self._events(), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            async with asyncio.timeout(self._stream.seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            event = error_event(timeout_error(self._stream.seconds).body())
            await send({"type": "http.response.body", "body": event, "more_body": False})
        finally:
            await self._stream.close()

    async def _events(self) -> AsyncIterator[bytes]:
        for event in self._formatter.first_events():
            yield event
        try:
            async for chunk in self._stream.chunks():
                if isinstance(chunk, str):
                    yield self._formatter.chunk_event(chunk)
                else:
                    raise_for_failure(chunk)
                    for event in self._formatter.last_events(chunk, self._include_usage):
                        yield event
        except GatewayError as error:
            yield error_event(error.body())
        except QuackLLMError as error:
            yield error_event(as_gateway_error(error).body())
