"""A cluster's call store as its drivers see it: every call goes to the shards that have its keys."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, TypeVar

from ...workers.cluster.shared_object import SharedObject
from ...workers.errors import StoreError
from ...workers.messages import Response
from .call_record import CallRecord
from .call_store import CallStore, Deletion
from .request_key import Key
from .slots import MovedError, StoreLayout
from .store_shard import StoreShard

MOVED_POLL_SECONDS = 0.02  # A slot is on its way for milliseconds; a large one for a second.
HEARTBEAT_SECONDS = 1.0  # A heartbeat waits no longer for a shard that does not answer.
MOVER_SECONDS = 5.0
Item = TypeVar("Item")
Result = TypeVar("Result")
Row = dict[str, Any]
FindShard = Callable[[int], SharedObject[Any]]


class ShardedStore(SharedObject[CallStore]):
    """The same methods as `CallStore`, over all shards. Used in the event loop only.

    Args:
        find_shard: returns the shard of that number.
        start_mover: starts the move to as many shards as the settings ask for, unless it runs.
        patience: for how many seconds a slot may be on its way.
    """

    def __init__(self, find_shard: FindShard, start_mover: Callable[[], None], patience: float) -> None:
        super().__init__(self._call_method)
        self._find_shard = find_shard
        self._start_mover = start_mover
        self._patience = patience
        self._layout: StoreLayout | None = None
        self._shards: dict[int, SharedObject[Any]] = {}
        self._heartbeats: dict[int, asyncio.Future[None]] = {}
        self._mover_started = -MOVER_SECONDS

    async def _call_method(self, method: str, *args: Any, **kwargs: Any) -> Any:
        return await getattr(self, method)(*args, **kwargs)

    async def _read_layout(self) -> StoreLayout:
        self._layout = await self._shard(0).call(StoreShard.layout)
        if self._layout.is_moving and time.monotonic() - self._mover_started > MOVER_SECONDS:
            self._mover_started = time.monotonic()
            self._start_mover()
        return self._layout

    def _shard(self, number: int) -> SharedObject[Any]:
        if number not in self._shards:
            self._shards[number] = self._find_shard(number)
        return self._shards[number]

    async def _by_key(
        self, method: Callable[..., Result], items: Sequence[Item], key: Callable[[Item], Key], *args: Any
    ) -> AsyncGenerator[Result]:
        """Call the method of each shard with its part of the items; again for those whose slot has moved meanwhile.

        Yields:
            what the shards returned, also if another shard failed.

        Raises:
            StoreError: a shard failed. The other shards have done their part.
        """
        layout = self._layout or await self._read_layout()
        deadline = time.monotonic() + self._patience
        while True:
            parts = layout.split(items, key)
            calls = [self._shard(n).call(method, part, *args) for n, part in parts.items()]
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
            for outcome in outcomes:
                if not isinstance(outcome, BaseException):
                    yield outcome
            errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            if not errors:
                return
            if others := [error for error in errors if not isinstance(error, MovedError)]:
                raise others[0]
            if time.monotonic() > deadline:
                raise StoreError("the call store is moving its answers, and did not get further")
            pairs = zip(parts.values(), outcomes, strict=True)
            items = [item for part, outcome in pairs if isinstance(outcome, MovedError) for item in part]
            await asyncio.sleep(MOVED_POLL_SECONDS)
            layout = await self._read_layout()

    async def _on_all(self, method: Callable[..., Any], *args: Any) -> list[Any]:
        """Return what the method of each shard returned."""
        layout = await self._read_layout()
        return await asyncio.gather(*(self._shard(n).call(method, *args) for n in range(layout.shards)))

    async def get_many(self, keys: Sequence[Key]) -> dict[Key, Response]:
        """See `CallStore.get_many`."""
        found: dict[Key, Response] = {}
        async for part in self._by_key(CallStore.get_many, keys, bytes):
            found = found | part if found else part
        return found

    async def claim(self, keys: Sequence[Key], owner: str) -> set[Key]:
        """See `CallStore.claim`. If one shard fails, the leases of the others are returned."""
        taken: set[Key] = set()
        try:
            async for part in self._by_key(CallStore.claim, keys, bytes, owner):
                taken |= part
        except StoreError:
            await self.release([*taken], owner)
            raise
        return taken

    async def release(self, keys: Sequence[Key], owner: str) -> None:
        """See `CallStore.release`."""
        async for _ in self._by_key(CallStore.release, keys, bytes, owner):
            pass

    async def record(self, calls: Sequence[CallRecord], owner: str) -> None:
        """See `CallStore.record`; each shard's part is a transaction."""
        async for _ in self._by_key(CallStore.record, calls, attrgetter("key"), owner):
            pass

    async def heartbeat(self, owner: str) -> None:
        """See `CallStore.heartbeat`. A shard that is down holds no heartbeat to the others up."""
        layout = self._layout or await self._read_layout()
        for number in range(layout.shards):
            if number not in self._heartbeats:
                beat = asyncio.ensure_future(self._shard(number).call(CallStore.heartbeat, owner))
                self._heartbeats[number] = beat
                beat.add_done_callback(partial(self._end_heartbeat, number))
        if self._heartbeats:
            await asyncio.wait([*self._heartbeats.values()], timeout=HEARTBEAT_SECONDS)
        if 0 not in self._heartbeats:
            await self._read_layout()  # A statement that runs for long learns here that there are other shards.

    def _end_heartbeat(self, number: int, ended: asyncio.Future[None]) -> None:
        del self._heartbeats[number]
        if not ended.cancelled():
            ended.exception()  # Retrieved: the next heartbeat tries again.

    async def forget_step(self, deletion: Deletion) -> Deletion | int:
        """See `CallStore.forget_step`: shard after shard, and all again if slots have moved meanwhile."""
        layout = await self._read_layout()
        if layout.slots != deletion.slots or deletion.shard >= layout.shards:
            deletion = Deletion(deletion.model, deletion.before, slots=layout.slots, forgotten=deletion.forgotten)
        shard = self._shard(deletion.shard)
        step: Deletion | int = await shard.call(CallStore.forget_step, deletion)
        if isinstance(step, Deletion):
            return step
        layout = await self._read_layout()
        again = layout.is_moving or layout.slots != deletion.slots
        if deletion.shard + 1 == layout.shards and not again:
            return step
        following = 0 if again else deletion.shard + 1
        return Deletion(deletion.model, deletion.before, shard=following, slots=layout.slots, forgotten=step)

    async def bytes(self) -> int:
        """See `CallStore.bytes`."""
        return sum(await self._on_all(CallStore.bytes))

    async def calls(self, limit: int, before: int | None = None) -> list[Row]:
        """See `CallStore.calls`."""
        rows = [row for part in await self._on_all(CallStore.calls, limit, before) for row in part]
        return sorted(rows, key=lambda row: -row["id"])[:limit]

    async def usage(self) -> list[Row]:
        """See `CallStore.usage`."""
        rows = _summed(await self._on_all(CallStore.usage), ("model", "engine"))
        return sorted(rows, key=lambda row: -row["calls"])

    async def usage_over_time(self, since: float, period_seconds: int, offset_seconds: int = 0) -> list[Row]:
        """See `CallStore.usage_over_time`."""
        parts = await self._on_all(CallStore.usage_over_time, since, period_seconds, offset_seconds)
        return sorted(_summed(parts, ("start", "model", "engine")), key=lambda row: row["start"])


def _summed(parts: Sequence[list[Row]], names: tuple[str, ...]) -> list[Row]:
    """Add up the rows of several shards that agree in these columns."""
    if len(parts) == 1:
        return parts[0]
    sums: dict[tuple[Any, ...], Counter[str]] = {}
    for row in (row for part in parts for row in part):
        group = tuple(row[name] for name in names)
        numbers = {name: value or 0 for name, value in row.items() if name not in names}
        sums.setdefault(group, Counter(dict.fromkeys(numbers, 0))).update(numbers)
    return [{**dict(zip(names, group, strict=True)), **numbers} for group, numbers in sums.items()]
