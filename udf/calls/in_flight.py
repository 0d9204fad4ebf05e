"""A call that is under way, and what has been heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...workers.deployments.spec import ModelSpec
from ...workers.messages import Response
from ...workers.serving.router import Job
from ..session.statement import Statement
from .prices import Price

if TYPE_CHECKING:
    from .client import Caller


@dataclass(eq=False, slots=True, kw_only=True)
class Asked(Job):
    """A call under way in this process: one for each distinct request, however many wait for it."""

    caller: Caller
    key: str
    spec: ModelSpec
    kept: bool
    price: Price | None
    answered: asyncio.Future[Response]
    waiting: list[Statement] = field(default_factory=list)
    payer: Statement | None = None
    """The statement that the call was sent for; of those that wait, the first whose budget allowed it."""
    response: Response | None = None
    pieces: list[str] = field(default_factory=list)
    grown: asyncio.Event | None = None
    """Set when there is something new; only where somebody looks."""

    def may_go(self) -> bool:
        """Ask the caller, who knows what the statements may spend."""
        return self.caller.may_go(self)

    def landed(self, outcome: Response | BaseException) -> None:
        """Tell the caller, who keeps the answer."""
        self.caller.landed(self, outcome)

    def hear(self, piece: str) -> None:
        """Take in one more piece of the answer."""
        self.pieces.append(piece)
        self.wake()

    def wake(self) -> None:
        """Let those who look see what is new."""
        if self.grown:
            self.grown.set()

    async def growing(self) -> AsyncIterator[str]:
        """Yield the pieces, those before this call too, until there is an answer; where it is not streamed, none."""
        place = 0
        self.grown = self.grown or asyncio.Event()
        while not self.answered.done() or place < len(self.pieces):
            if place == len(self.pieces):
                self.grown.clear()
                await self.grown.wait()
            for piece in self.pieces[place:]:
                place += 1
                yield piece
