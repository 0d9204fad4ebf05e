"""Replies are read before the next request is sent, so that few answers wait unread if the process is killed."""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic

BUSY_SECONDS = 0.001
"""A turn of the event loop that takes longer has read replies, or the machine was busy with other work meanwhile."""
MAX_SENDS = 3
"""So many requests pass in a short turn: with one, all calls took 10 % more processor time; with eight, twice as many
answers waited unread."""
MAX_TURNS = 100
"""A request is sent after so many turns at the latest: something else than replies may keep the loop busy."""


class SendGate:
    """Lets a few requests through for each short turn of the event loop.

    If the process is slower than the service, answers wait in the machine's network buffers: a kill loses them, and
    they were paid for. Fewer requests in flight are then as fast, because the process is the bottleneck.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._turns = 0

    async def wait(self) -> None:
        """Return when a request may be sent, in the order of the calls."""
        loop = asyncio.get_running_loop()
        passed: asyncio.Future[None] = loop.create_future()
        self._waiting.append((self._turns + MAX_TURNS, passed))
        if len(self._waiting) == 1:
            loop.call_soon(self._turn, monotonic())
        await passed

    def _turn(self, began: float) -> None:
        """Let the next requests through if the last turn was short, and all that have waited too long."""
        now = monotonic()
        self._turns += 1
        room = MAX_SENDS if now - began < BUSY_SECONDS else 0
        while self._waiting and (room or self._waiting[0][0] <= self._turns):
            _, passed = self._waiting.popleft()
            if not passed.done():  # A cancelled request takes no room.
                passed.set_result(None)
                room = max(room - 1, 0)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._turn, now)
