"""Moves slots between the shards of a cluster's call store until there are as many as the settings ask for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from ...workers.cluster.shared_object import SharedObject
from ...workers.errors import StoreError
from .slots import StoreLayout, balanced_slots
from .store_shard import StoreShard

LOG = logging.getLogger("quackllm")
FindShard = Callable[[int], SharedObject[Any]]


async def reach_wanted_shards(find_shard: FindShard) -> None:
    """Add, fill, empty and remove shards. What a killed mover began, the next one begins again.

    Args:
        find_shard: returns the shard of that number.

    Raises:
        StoreError: a shard does not answer.
    """
    first = find_shard(0)
    while (layout := await first.call(StoreShard.layout)).is_moving:
        await _Move(find_shard, layout).run()


class _Move:
    """The way from one layout to the next."""

    def __init__(self, find_shard: FindShard, layout: StoreLayout) -> None:
        self._shard = find_shard
        self._layout = layout
        self._first = find_shard(0)

    async def run(self) -> None:
        """Take all steps."""
        slots, wanted = self._layout.slots, self._layout.wanted
        LOG.warning("the call store moves from %d to %d shards", self._layout.shards, wanted)
        for number in range(self._layout.shards, wanted):
            await self._first.call(StoreShard.add_shard, number)
        shards = max(self._layout.shards, wanted)
        for number in range(shards):  # Undo what a killed mover left half done.
            await self._shard(number).call(StoreShard.serve, [*_slots_on(slots, number)])
            await self._drop(number)
        for slot, target in enumerate(balanced_slots(slots, wanted)):
            if (source := slots[slot]) != target:
                await self._move_slot(slot, source, target)
                slots = slots[:slot] + bytes([target]) + slots[slot + 1 :]
                await self._shard(target).call(StoreShard.serve, [*_slots_on(slots, target)])
                await self._drop(source)
        for number in range(shards - 1, wanted - 1, -1):
            await self._move_calls(number, number % wanted)
            await self._first.call(StoreShard.remove_shard, number)

    async def _move_slot(self, slot: int, source: int, target: int) -> None:
        """Copy what the source has of a slot, while nobody serves it, and write down that the target has it now."""
        await self._shard(source).call(StoreShard.freeze, slot)
        after = b""
        while rows := await self._shard(source).call(StoreShard.export_answers, slot, after):
            await self._shard(target).call(StoreShard.import_answers, rows)
            after = rows[-1][0]
        if leases := await self._shard(source).call(StoreShard.export_leases, slot):
            await self._shard(target).call(StoreShard.import_leases, leases)
        await self._first.call(StoreShard.assign, slot, target)

    async def _drop(self, number: int) -> None:
        while await self._shard(number).call(StoreShard.drop_step):
            pass

    async def _move_calls(self, source: int, target: int) -> None:
        while rows := await self._shard(source).call(StoreShard.export_calls):
            await self._shard(target).call(StoreShard.import_calls, rows)
            await self._shard(source).call(StoreShard.drop_calls, rows[-1][0])


def _slots_on(slots: bytes, shard: int) -> Iterator[int]:
    return (slot for slot, on in enumerate(slots) if on == shard)


class ShardMover:
    """The actor that moves slots, on the head; it ends when there is nothing more to move.

    Args:
        find_shard: returns the shard of that number.
    """

    def __init__(self, find_shard: FindShard) -> None:
        self._find_shard = find_shard
        self._moving = asyncio.Lock()

    async def move(self) -> None:
        """Move until the layout is as wanted."""
        from ...workers.cluster.ray_fleet import end_this_actor

        if self._moving.locked():
            return
        async with self._moving:
            try:
                await reach_wanted_shards(self._find_shard)
            except StoreError as error:  # The next driver that notices starts another mover.
                LOG.error("the call store could not move its answers: %s", error)
        end_this_actor()
