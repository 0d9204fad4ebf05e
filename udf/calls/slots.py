"""Which shard of a cluster's call store has which keys: a key's first byte is its slot, and a slot is on one shard."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

from ...workers.errors import StoreError
from .request_key import Key

SLOTS = 256
MAX_SHARDS = 64  # At least four slots each; more would differ too much in size.
Item = TypeVar("Item")


class MovedError(StoreError):
    """A key's slot is on another shard, or on its way there. Read the layout again, and call that shard."""


@dataclass(frozen=True, slots=True)
class StoreLayout:
    """The shards of a call store.

    Args:
        slots: the shard of each slot, one byte a slot.
        shards: how many shards there are now.
        wanted: how many shards the settings ask for.
    """

    slots: bytes
    shards: int
    wanted: int

    @property
    def is_moving(self) -> bool:
        """Whether the shards are not yet those that the settings ask for."""
        return self.shards != self.wanted or self.slots != balanced_slots(self.slots, self.wanted)

    def split(self, items: Iterable[Item], key: Callable[[Item], Key]) -> dict[int, list[Item]]:
        """Group items by the shard of their key."""
        if self.shards == 1:
            return {0: list(items)}
        parts: dict[int, list[Item]] = defaultdict(list)
        for item in items:
            parts[self.slots[key(item)[0]]].append(item)
        return parts


def balanced_slots(slots: bytes, shards: int) -> bytes:
    """Return slots that so many shards have in equal parts; as few as possible of them change their shard."""
    room = [SLOTS // shards + (number < SLOTS % shards) for number in range(shards)]
    balanced: list[int | None] = []
    for shard in slots:
        stays = shard < shards and room[shard] > 0
        balanced.append(shard if stays else None)
        if stays:
            room[shard] -= 1
    free = (number for number, count in enumerate(room) for _ in range(count))
    return bytes(next(free) if shard is None else shard for shard in balanced)
