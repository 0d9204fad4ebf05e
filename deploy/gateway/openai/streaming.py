"""An answer on its way to a client that reads it while it grows."""

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
from ..admission import Spending, Visit
from ..errors import GatewayError, as_gateway_error, check_answered, too_slow
from .responses import Wire, error_event


class Growing:
    """One streamed answer: its pieces, and the whole Response last. Closing it stops the engine.

    Args:
        said: the pieces.
        spending: what the answer costs.
        seconds: how long it may take.
    """

    def __init__(self, said: AsyncGenerator[str | Response, None], spending: Spending, seconds: float) -> None:
        self.seconds = seconds
        self._said, self._spending = said, spending
        self._first: str | Response | None = None
        self._heard = 0
        self._ended = False

    @classmethod
    async def begin(cls, visit: Visit, spec: ModelSpec, request: Request, mode: StoreMode) -> Growing:
        """Return the answer when its first piece is there, so that what fails before it has a status of its own.

        Args:
            visit: for whom.
            spec: the model.
            request: what to ask.
            mode: how the call store is used.

        Raises:
            GatewayError: there is no answer, or it took too long.
        """
        spending, _ = await visit.begin(spec, [request], mode)
        said = visit.gateway.stream(spec, request, spending.scope, mode)
        growing = cls(said, spending, visit.gateway.settings.request_seconds)
        try:
            async with asyncio.timeout(growing.seconds):
                growing._first = growing._note(await anext(said))
            if isinstance(growing._first, Response):
                check_answered(growing._first)
        except BaseException as error:
            await growing.close()
            if isinstance(error, TimeoutError):
                raise too_slow(growing.seconds) from error
            raise
        return growing

    @property
    def calls(self) -> int:
        """How many calls of models it has cost."""
        return self._spending.scope.usage.asked

    async def each(self) -> AsyncIterator[str | Response]:
        """Yield the pieces, then the Response."""
        assert self._first is not None
        yield self._first
        async for said in self._said:
            yield self._note(said)

    def _note(self, said: str | Response) -> str | Response:
        if isinstance(said, str):
            self._heard += len(said)
        else:
            self._ended = True
        return said

    async def close(self) -> None:
        """Stop the engine; what a stopped answer has cost nobody says, so that its tokens are guessed."""
        await self._said.aclose()
        self._spending.stopped = not self._ended
        self._spending.heard_tokens = self._heard // CHARACTERS_PER_TOKEN


class EventStream(StreamingResponse):
    """The events of a growing answer; the answer is stopped when the client leaves."""

    def __init__(self, growing: Growing, wire: Wire, include_usage: bool, headers: dict[str, str]) -> None:
        self._growing, self._wire, self._include_usage = growing, wire, include_usage
        super().__init__(self._events(), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        try:
            async with asyncio.timeout(self._growing.seconds):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            event = error_event(too_slow(self._growing.seconds).body())
            await send({"type": "http.response.body", "body": event, "more_body": False})
        finally:
            await self._growing.close()

    async def _events(self) -> AsyncIterator[bytes]:
        for event in self._wire.first():
            yield event
        try:
            async for said in self._growing.each():
                if isinstance(said, str):
                    yield self._wire.piece(said)
                else:
                    check_answered(said)
                    for event in self._wire.last(said, self._include_usage):
                        yield event
        except GatewayError as error:
            yield error_event(error.body())
        except QuackLLMError as error:
            yield error_event(as_gateway_error(error).body())
