"""From requests to a reply: calls models through the call store, with a complete or a streamed reply."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, StreamingResponse

from ....udf.settings import StoreMode, load_settings
from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Request, Response
from ..admission import RequestContext
from ..error_replies import GatewayError, raise_for_failure, timeout_error
from .responses import ReplyFormatter
from .stream_reply import AnswerStream, SseResponse

# The header with the number of calls that a reply needed; 0: the answer came from the call store.
CALLS = "X-Quackllm-Calls"


def store_mode(request: HttpRequest) -> StoreMode:
    """Return the store mode by `Cache-Control`: `no-cache` calls the model again, `no-store` stores nothing."""
    wanted = {word.strip().lower() for word in request.headers.get("Cache-Control", "").split(",")}
    return "off" if "no-store" in wanted else "refresh" if "no-cache" in wanted else load_settings().llm_store


async def complete(
    context: RequestContext, spec: ModelSpec, requests: list[Request], mode: StoreMode
) -> tuple[list[Response], int]:
    """Return one answer for each request, and the number of calls.

    Args:
        context: for whom.
        spec: the model.
        requests: the requests to send.
        mode: how the call store is used.

    Raises:
        GatewayError: one request failed (the other answers are in the call store), or they took too long.
    """
    seconds = context.gateway.settings.request_seconds
    try:
        async with asyncio.timeout(seconds):
            responses, calls = await complete_in_parts(context, spec, requests, mode)
    except TimeoutError as error:
        raise timeout_error(seconds) from error
    for response in responses:
        raise_for_failure(response)
    return responses, calls


async def complete_in_parts(
    context: RequestContext, spec: ModelSpec, requests: Sequence[Request], mode: StoreMode
) -> tuple[list[Response], int]:
    """Return one answer for each request, sent in groups as the key's budget allows, and the number of calls.

    Raises:
        GatewayError: the budget is used up before the last one; the other answers are in the call store.
    """
    responses: list[Response] = []
    calls = 0
    while len(responses) < len(requests):
        spending, part = await context.begin(spec, requests[len(responses) :], mode)
        try:
            responses += await context.gateway.complete(spec, part, spending.scope, mode)
        except asyncio.CancelledError:
            spending.stopped = True
            raise
        calls += spending.scope.usage.sent
        await context.settle(spending)
    return responses, calls


@dataclass
class CompletionReply:
    """The requests of one HTTP request, and the format of their reply."""

    context: RequestContext
    spec: ModelSpec
    requests: list[Request]
    formatter: ReplyFormatter
    mode: StoreMode

    async def full(self) -> JSONResponse:
        """Return the complete reply with all answers."""
        responses, calls = await complete(self.context, self.spec, self.requests, self.mode)
        return JSONResponse(self.formatter.full_reply(responses), headers={CALLS: str(calls)})

    async def streamed(self, include_usage: bool) -> StreamingResponse:
        """Return the answer as a stream of events, as soon as its first chunk has arrived.

        Raises:
            GatewayError: more than one answer is wanted, or it failed before its first chunk.
        """
        if len(self.requests) > 1:
            raise GatewayError(
                400, "a stream contains one answer to one prompt", code="invalid_request", param="stream"
            )
        stream = await AnswerStream.start(self.context, self.spec, self.requests[0], self.mode)
        headers = {CALLS: str(stream.calls), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return SseResponse(stream, self.formatter, include_usage, headers)
