"""From requests to a reply: asked through the call store, whole or while it grows."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, StreamingResponse

from ....udf.settings import StoreMode
from ....workers.deployments.spec import ModelSpec
from ....workers.messages import Request, Response
from ..admission import Visit
from ..errors import GatewayError, check_answered, too_slow
from .responses import Wire
from .streaming import EventStream, Growing

CALLS = "X-Quackllm-Calls"
"""The header that says how many calls of models a reply has cost; 0: the call store knew the answer."""


def store_mode(request: HttpRequest) -> StoreMode | None:
    """Return how the call store is used, by `Cache-Control`: `no-cache` asks anew, `no-store` leaves no trace in it."""
    wanted = {word.strip().lower() for word in request.headers.get("Cache-Control", "").split(",")}
    return "off" if "no-store" in wanted else "refresh" if "no-cache" in wanted else None


async def ask(
    visit: Visit, spec: ModelSpec, requests: list[Request], mode: StoreMode | None
) -> tuple[list[Response], int]:
    """Return one answer a request, and how many calls they cost.

    Args:
        visit: for whom.
        spec: the model.
        requests: what to ask.
        mode: how the call store is used; None: as `settings.yaml` says.

    Raises:
        GatewayError: one of them failed (the others are in the call store), or they took too long.
    """
    statement = visit.statement()
    seconds = visit.gateway.settings.request_seconds
    try:
        async with asyncio.timeout(seconds):
            responses = await visit.gateway.ask(spec, requests, statement, mode or statement.options.llm_store)
    except TimeoutError as error:
        raise too_slow(seconds) from error
    for response in responses:
        check_answered(response)
    return responses, statement.usage.asked


@dataclass
class Answering:
    """The requests that one HTTP request stands for, and how their answers are written."""

    visit: Visit
    spec: ModelSpec
    requests: list[Request]
    wire: Wire
    mode: StoreMode | None

    async def whole(self) -> JSONResponse:
        """Return all answers at once."""
        responses, calls = await ask(self.visit, self.spec, self.requests, self.mode)
        return JSONResponse(self.wire.whole(responses), headers={CALLS: str(calls)})

    async def streamed(self, request: HttpRequest, include_usage: bool) -> StreamingResponse:
        """Return the answer as a stream of events, once its first piece is there.

        Raises:
            GatewayError: more than one answer is wanted, or it failed before its first piece.
        """
        if len(self.requests) > 1:
            raise GatewayError(400, "a stream holds one answer to one prompt", code="invalid_request", param="stream")
        growing = Growing(self.visit, self.spec, self.requests[0], self.mode)
        await growing.begin(request)
        headers = {CALLS: str(growing.statement.usage.asked), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        return EventStream(growing, self.wire, include_usage, headers)
