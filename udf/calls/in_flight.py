"""A call that is under way, and what has been heard of it."""

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
    """Who is told of a call: its client, which knows what its scopes may spend and what becomes of the answer."""

    def admit(self, call: InFlightCall) -> bool:
        """Return whether the call may be sent now."""

    def on_result(self, call: InFlightCall, outcome: Response | BaseException) -> None:
        """Take the answer, or the error that ended the call."""


@dataclass(eq=False, slots=True, kw_only=True)
class InFlightCall(RoutedRequest):
    """A call under way in this process: one for each distinct request, however many wait for it."""

    owner: CallOwner
    key: Key
    spec: ModelSpec
    cacheable: bool
    price: Price | None
    result: asyncio.Future[Response]
    waiting: list[CallScope] = field(default_factory=list)
    payer: CallScope | None = None
    """The scope that the call was sent for; of those that wait, the first whose budget allowed it."""
    response: Response | None = None
    pieces: list[str] = field(default_factory=list)
    changed: asyncio.Event | None = None
    """Set when there is something new; only where somebody looks."""

    def admit(self) -> bool:
        """Return whether one of those who wait may pay for it."""
        return self.owner.admit(self)

    def on_result(self, outcome: Response | BaseException) -> None:
        """Hand the outcome to the client, which stores the answer."""
        self.owner.on_result(self, outcome)

    def on_chunk(self, chunk: str) -> None:
        """Receive the next chunk of the answer."""
        self.pieces.append(chunk)
        self.notify()

    def notify(self) -> None:
        """Let those who look see what is new."""
        if self.changed:
            self.changed.set()

    async def stream(self) -> AsyncIterator[str]:
        """Yield the pieces, those before this call too, until there is an answer; where it is not streamed, none."""
        place = 0
        self.changed = self.changed or asyncio.Event()
        while not self.result.done() or place < len(self.pieces):
            if place == len(self.pieces):
                self.changed.clear()
                await self.changed.wait()
            for piece in self.pieces[place:]:
                place += 1
                yield piece
