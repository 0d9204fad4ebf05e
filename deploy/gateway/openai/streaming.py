"""An answer on its way to a client that reads it while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

from fastapi import Request as HttpRequest
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ....udf.settings import StoreMode
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import QuackLLMError
from ....workers.messages import Request, Response
from ....workers.serving.retry import CHARACTERS_PER_TOKEN, estimate_tokens
from ..admission import Visit
from ..errors import GatewayError, as_gateway_error, check_answered, too_slow
from .responses import Wire, error_event

Result = TypeVar("Result")


class Growing:
    """One streamed answer: its pieces, and the whole Response last. Closing it stops the engine."""

    def __init__(self, visit: Visit, spec: ModelSpec, request: Request, mode: StoreMode | None) -> None:
        self.statement = visit.statement()
        self.seconds = visit.gateway.settings.request_seconds
        self._visit, self._request = visit, request
        mode = mode or self.statement.options.llm_store
        self._said = visit.gateway.stream(spec, request, self.statement, mode)
        self._first: str | Response | None = None
        self._heard = 0
        self._ended = False

    async def begin(self, client: HttpRequest) -> None:
        """Wait for the first piece, so that what fails before it has a status of its own.

        Raises:
            GatewayError: there is no answer, the client has left, or it took too long.
        """
        try:
            async with asyncio.timeout(self.seconds):
                self._first = self._note(await unless_gone(client, self._said))
            if isinstance(self._first, Response):
                check_answered(self._first)
        except TimeoutError as error:
            await self.close()
            raise too_slow(self.seconds) from error
        except (QuackLLMError, GatewayError):
            await self.close()
            raise

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
        if self.statement.usage.asked and not self._ended:
            self._visit.guessed_tokens += estimate_tokens(self._request) + self._heard // CHARACTERS_PER_TOKEN


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


async def unless_gone(client: HttpRequest, values: AsyncIterator[Result]) -> Result:
    """Return the next value, unless the client leaves before it.

    Raises:
        GatewayError: it has left.
    """

    async def next_one() -> Result:
        return await anext(values)

    async def leaves() -> None:
        while (await client.receive())["type"] != "http.disconnect":
            pass

    waiting, leaving = asyncio.create_task(next_one()), asyncio.create_task(leaves())
    try:
        await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            return waiting.result()
        raise GatewayError(499, "the client has left", code="client_gone")
    finally:
        waiting.cancel()
        leaving.cancel()
        await asyncio.wait({waiting, leaving})
