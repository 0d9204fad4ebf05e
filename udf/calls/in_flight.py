"""A call in flight, and the chunks of its answer so far."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Protocol

from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Response
from ...workers.serving.router import RoutedRequest
from .prices import Price
from .request_key import Key
from .scope import CallScope


class CallOwner(Protocol):
    """The client that started a call: it checks the budgets of the waiting scopes and stores the answer."""

    def admit(self, call: InFlightCall) -> bool:
        """Return whether the call may be sent now."""

    def on_result(self, call: InFlightCall, outcome: Response | BaseException) -> None:
        """Receive the answer, or the error that ended the call."""


@dataclass(eq=False, slots=True, kw_only=True)
class InFlightCall(RoutedRequest):
    """A call in flight in this process: one for each distinct request, no matter how many scopes wait for it.

    `payer` is the scope that the call was sent for: the first of those waiting whose budget allowed it. `changed` is
    set when a chunk or the result arrives; it exists only if somebody streams the answer.
    """

    owner: CallOwner
    key: Key
    spec: ModelSpec
    cacheable: bool
    price: Price | None
    result: asyncio.Future[Response]
    waiting: list[CallScope] = field(default_factory=list)
    payer: CallScope | None = None
    response: Response | None = None
    pieces: list[str] = field(default_factory=list)
    changed: asyncio.Event | None = None

    def admit(self) -> bool:
        """Return whether the budget of a waiting scope allows the call."""
        return self.owner.admit(self)

    def on_result(self, outcome: Response | BaseException) -> None:
        """Hand the outcome to the client, which stores the answer."""
        self.owner.on_result(self, outcome)

    def on_chunk(self, chunk: str) -> None:
        """Receive the next chunk of the answer."""
        self.pieces.append(chunk)
        self.notify()

    def notify(self) -> None:
        """Wake up those who stream the answer."""
        if self.changed:
            self.changed.set()

    async def stream(self) -> AsyncIterator[str]:
        """Yield all chunks, earlier ones included, until the result is there; none if the call is not streamed."""
        position = 0
        self.changed = self.changed or asyncio.Event()
        while not self.result.done() or position < len(self.pieces):
            if position == len(self.pieces):
                self.changed.clear()
                await self.changed.wait()
            for piece in self.pieces[position:]:
                position += 1
                yield piece
