"""The call store over several shards: every key on one, and no answer lost while they move."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.calls.async_store import forget_answers
from quackllm.udf.calls.call_record import CallRecord
from quackllm.udf.calls.call_store import CallStore
from quackllm.udf.calls.shard_mover import reach_wanted_shards
from quackllm.udf.calls.sharded_store import ShardedStore
from quackllm.udf.calls.slots import SLOTS, StoreLayout, balanced_slots
from quackllm.udf.calls.store_shard import StoreShard
from quackllm.workers.cluster.shared_object import SharedObject
from quackllm.workers.errors import StoreError
from quackllm.workers.messages import Response, Usage

KEYS = [bytes([number % SLOTS, number // SLOTS]) + bytes(18) for number in range(SLOTS)]


class Shards:
    """Shards in this process, each on its own file; `fails_at` kills the mover at that many calls."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.opened: dict[int, StoreShard] = {}
        self.calls_left: int | None = None

    def find(self, number: int) -> SharedObject[Any]:
        """The shard of that number."""

        async def run(method: str, *args: Any) -> Any:
            if number not in self.opened:
                self.opened[number] = StoreShard(number)
            return getattr(self.opened[number], method)(*args)

        return SharedObject(run)

    def find_until_killed(self, number: int) -> SharedObject[Any]:
        """The shard of that number, as a mover sees it that is killed after some calls."""
        shard = self.opened.get(number) or StoreShard(number)
        self.opened[number] = shard

        async def run(method: str, *args: Any) -> Any:
            assert self.calls_left is not None
            self.calls_left -= 1
            if self.calls_left < 0:
                raise StoreError("killed")
            return getattr(shard, method)(*args)

        return SharedObject(run)

    def restart(self) -> None:
        """Open all files anew, as after a kill of every actor."""
        for shard in self.opened.values():
            shard.close()
        self.opened.clear()

    def want(self, shards: int) -> None:
        """Set the number of shards."""
        (self.home / "settings.yaml").write_text(f"store_shards: {shards}\n" + "#" * shards)

    def store(self) -> ShardedStore:
        """The store as a driver sees it that knows nothing yet."""
        return ShardedStore(self.find, lambda: None, 60.0)


@pytest.fixture
def shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shards:
    monkeypatch.setenv("QUACKLLM_HOME", str(tmp_path))
    return Shards(tmp_path)


def call(key: bytes, model: str = "m") -> CallRecord:
    return CallRecord(
        key, model, "echo", "prompt", Response(f"answer {key.hex()}", usage=Usage(2, 1)), "before", "", "SELECT"
    )


async def everything(store: ShardedStore) -> dict[bytes, str | None]:
    return {key: answer.output for key, answer in (await store.call(CallStore.get_many, KEYS)).items()}


ALL = {key: f"answer {key.hex()}" for key in KEYS}


@given(st.lists(st.integers(1, 64), min_size=1, max_size=6))
def test_every_slot_has_one_shard_in_equal_parts_and_few_move(counts: list[int]):
    slots, before = bytes(SLOTS), 1
    for count in counts:
        after = balanced_slots(slots, count)
        sizes = [after.count(bytes([number])) for number in range(count)]
        assert sum(sizes) == SLOTS
        assert max(sizes) - min(sizes) <= 1
        assert sum(old != new for old, new in zip(slots, after, strict=True)) <= SLOTS * abs(count - before) // max(
            count, before
        ) + max(count, before)
        parts = StoreLayout(after, count, count).split(KEYS, bytes)
        assert sorted(key for part in parts.values() for key in part) == sorted(KEYS)
        slots, before = after, count


def test_resharding_moves_every_answer_and_every_record(shards: Shards):
    async def work() -> None:
        store, driver = shards.store(), shards.store()
        await store.call(CallStore.record, [call(key) for key in KEYS], "me")
        for count in (4, 2, 1):
            shards.want(count)
            await reach_wanted_shards(shards.find)
            shards.restart()
            assert await everything(driver) == ALL, "a driver that knew the shards of before"
            held = [
                StoreShard(number)._connection.execute("SELECT count(*) FROM answers").fetchone()[0]
                for number in range(count)
            ]
            assert sum(held) == len(KEYS)
            assert max(held) <= len(KEYS) / count + 6
            (usage,) = await driver.call(CallStore.usage)
            assert (usage["calls"], usage["input_tokens"]) == (len(KEYS), 2 * len(KEYS))
            rows = await driver.call(CallStore.calls, 2000)
            assert len({row["id"] for row in rows}) == len(KEYS)
            assert {(row["context"], row["statement"]) for row in rows} == {("before", "SELECT")}

    asyncio.run(work())


@pytest.mark.parametrize("calls", [57, 300])
def test_a_mover_killed_anywhere_loses_nothing(shards: Shards, calls: int):
    async def work() -> None:
        await shards.store().call(CallStore.record, [call(key) for key in KEYS], "me")
        for count in (4, 2):
            shards.want(count)
            for more in (calls, calls + 1):
                shards.calls_left = more
                try:
                    await reach_wanted_shards(shards.find_until_killed)
                except StoreError:
                    shards.restart()
            await reach_wanted_shards(shards.find)
            assert await everything(shards.store()) == ALL
            (usage,) = await shards.store().call(CallStore.usage)
            assert usage["calls"] == len(KEYS)

    asyncio.run(work())


def test_leases_answers_and_drivers_keep_their_promises_while_slots_move(shards: Shards):
    async def work() -> None:
        one, two = shards.store(), shards.store()
        assert await one.call(CallStore.claim, KEYS, "one") == set(KEYS)
        shards.want(4)
        moving = asyncio.ensure_future(reach_wanted_shards(_slowly(shards.find)))
        granted: set[bytes] = set()
        while not moving.done():
            await one.call(CallStore.heartbeat, "one")
            granted |= await two.call(CallStore.claim, KEYS, "two")
            await asyncio.sleep(0.01)
        await moving
        assert granted == set(), "the first driver sends them"
        await one.call(CallStore.record, [call(key) for key in KEYS], "one")
        assert await everything(two) == ALL
        assert await two.call(CallStore.claim, KEYS, "two") == set(), "what has an answer is not sent again"

    asyncio.run(work())


def test_forgetting_goes_over_all_shards(shards: Shards):
    async def work() -> None:
        store = shards.store()
        shards.want(4)
        await reach_wanted_shards(shards.find)
        await store.call(CallStore.record, [call(key, "ab"[key[0] % 2]) for key in KEYS], "me")
        assert await forget_answers(store, "a", 0.0) == len(KEYS) // 2
        assert await everything(store) == {key: text for key, text in ALL.items() if key[0] % 2}
        assert [row["model"] for row in await store.call(CallStore.usage)] == ["b"]

    asyncio.run(work())


def _slowly(find: Callable[..., SharedObject[Any]]) -> Callable[..., SharedObject[Any]]:
    """Let others work between the calls of a mover."""

    def found(number: int) -> SharedObject[Any]:
        async def run(method: str, *args: Any) -> Any:
            await asyncio.sleep(0)
            return await find(number)._run(method, *args)

        return SharedObject(run)

    return found


def test_a_shard_that_is_down_delays_no_heartbeat_to_the_others(shards: Shards, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("quackllm.udf.calls.sharded_store.HEARTBEAT_SECONDS", 0.05)
    down = asyncio.Event()
    renewed: list[int] = []

    def find(number: int) -> SharedObject[Any]:
        async def run(method: str, *args: Any) -> Any:
            if down.is_set() and number == 0:
                await asyncio.Event().wait()
            renewed.extend([number] if method == "heartbeat" else [])
            return await shards.find(number)._run(method, *args)

        return SharedObject(run)

    async def work() -> None:
        shards.want(4)
        await reach_wanted_shards(shards.find)
        store = ShardedStore(find, lambda: None, 60.0)
        assert await store.call(CallStore.get_many, KEYS) == {}
        down.set()
        await store.call(CallStore.heartbeat, "me")
        assert sorted(renewed) == [1, 2, 3]

    asyncio.run(work())
