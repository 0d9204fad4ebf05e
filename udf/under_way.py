"""A call that is under way, and what has been heard of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ..workers.router import Job
from ..workers.spec import ModelSpec
from ..workers.values import Request, Response
from .prices import Price
from .statement import Statement


@dataclass(eq=False, slots=True)
class Asked:
    """A call under way in this process: one for each distinct request, however many wait for it."""

    key: str
    spec: ModelSpec
    request: Request
    kept: bool
    price: Price | None
    answered: asyncio.Future[Response]
    waiting: list[Statement] = field(default_factory=list)
    payer: Statement | None = None
    """The statement that the call was sent for; of those that wait, the first whose budget allowed it."""
    job: Job | None = None
    response: Response | None = None
    pieces: list[str] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    def hear(self, piece: str) -> None:
        """Take in one more piece of the answer."""
        self.pieces.append(piece)
        self.grown.set()

    async def growing(self) -> AsyncIterator[str]:
        """Yield the pieces, those before this call too, until there is an answer; where it is not streamed, none."""
        place = 0
        while not self.answered.done() or place < len(self.pieces):
            if place == len(self.pieces):
                self.grown.clear()
                await self.grown.wait()
            for piece in self.pieces[place:]:
                place += 1
                yield piece
