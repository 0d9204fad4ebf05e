"""The leases of this process, each the right to send one request: claimed, renewed by a heartbeat, released."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Coroutine, Iterable, Sequence
from functools import cache
from typing import Any

from ...workers.errors import StoreError
from .async_store import AsyncCallStore
from .call_store import CallStore
from .lease_table import LEASE_SECONDS
from .request_key import Key

Start = Callable[[Coroutine[Any, Any, None]], object]


class Leases:
    """This process's leases. Used in the event loop only.

    Args:
        store: the call store.
        start: starts a coroutine as a background task.
    """

    def __init__(self, store: AsyncCallStore, start: Start) -> None:
        self._store = store
        self._start = start
        self._leased: set[Key] = set()
        self._unused: list[Key] = []
        self._beating = False

    async def claim(self, keys: Sequence[Key]) -> set[Key]:
        """Take the leases that no other process holds; return the keys that were taken.

        Raises:
            StoreError: the store cannot be opened, or is locked.
        """
        granted = await self._store.call(CallStore.claim, keys, owner())
        self._leased |= granted
        if granted and not self._beating:
            self._beating = True
            self._start(self._heartbeat())
        return granted

    async def _heartbeat(self) -> None:
        """Renew the leases as long as there are any."""
        await asyncio.sleep(LEASE_SECONDS / 3)
        while self._leased:
            with contextlib.suppress(StoreError):  # The disk may have space again before the leases expire.
                await self._store.call(CallStore.heartbeat, owner())
            await asyncio.sleep(LEASE_SECONDS / 3)
        self._beating = False

    def settled(self, keys: Iterable[Key]) -> None:
        """Drop these leases here: `CallStore.record` releases them together with the answers."""
        self._leased.difference_update(keys)

    def release(self, key: Key) -> None:
        """Return a lease without an answer; all that are returned in one turn of the event loop share a transaction."""
        if key in self._leased:
            self._leased.discard(key)
            self._unused.append(key)
            if len(self._unused) == 1:
                self._start(self._release_unused())

    async def _release_unused(self) -> None:
        keys, self._unused = self._unused, []
        with contextlib.suppress(StoreError):  # They expire by themselves.
            await self._store.call(CallStore.release, keys, owner())


def owner() -> str:
    """Return the unique name of this process among all that use the store: `host:process:number`."""
    return _owner(os.getpid())


@cache
def _owner(process: int) -> str:
    return f"{socket.gethostname()}:{process}:{uuid.uuid4().hex[:8]}"
