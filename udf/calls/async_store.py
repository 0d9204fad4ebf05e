"""The call store as the event loop sees it: in a thread of this process, or in one actor for a whole cluster."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...workers.errors import StoreError
from ...workers.home import home_folder
from ...workers.messages import Response
from ...workers.serving.fleet import Fleet
from .store import Call, CallStore

ACTOR = "call_store"
_STORES: dict[Path | str, SharedStore] = {}
_OPENING = threading.Lock()


class SharedStore:
    """A `CallStore` behind `await`; each method is the one of that name.

    Args:
        run: runs the named method of the store with these arguments.
        close: lets go of the store.
    """

    def __init__(self, run: Callable[..., Awaitable[Any]], close: Callable[[], None] = lambda: None) -> None:
        self._run = run
        self.close = close

    async def find(self, keys: Sequence[str]) -> dict[str, Response]:
        """See `CallStore.find`."""
        found: dict[str, Response] = await self._run("find", keys)
        return found

    async def claim(self, keys: Sequence[str], holder: str) -> set[str]:
        """See `CallStore.claim`."""
        granted: set[str] = await self._run("claim", keys, holder)
        return granted

    async def beat(self, holder: str) -> None:
        """See `CallStore.beat`."""
        await self._run("beat", holder)

    async def settle(self, calls: Sequence[Call]) -> None:
        """See `CallStore.settle`."""
        await self._run("settle", calls)

    async def release(self, keys: Sequence[str]) -> None:
        """See `CallStore.release`."""
        await self._run("release", keys)

    async def forget(self, model: str | None, older_than_seconds: float) -> int:
        """See `CallStore.forget`."""
        return int(await self._run("forget", model, older_than_seconds))

    async def calls(self, limit: int, before: int | None) -> list[dict[str, Any]]:
        """See `CallStore.calls`."""
        rows: list[dict[str, Any]] = await self._run("calls", limit, before)
        return rows

    async def usage(self) -> list[dict[str, Any]]:
        """See `CallStore.usage`."""
        rows: list[dict[str, Any]] = await self._run("usage")
        return rows


def store_for(fleet: Fleet) -> SharedStore:
    """Return the call store of these models: this machine's file, or the cluster's, which an actor owns.

    SQLite's file cannot be shared over a network, so on a cluster every driver asks the one process that has it.
    """
    path = home_folder() / "calls.sqlite"
    where = fleet.address or path
    with _OPENING:
        if where not in _STORES:
            _STORES[where] = SharedStore(_in_actor()) if fleet.address else _in_thread(path)
        return _STORES[where]


def close_store(folder: Path) -> None:
    """Close the file in that QUACKLLM_HOME, if it is open: connections that used it can ask no more."""
    with _OPENING:
        if store := _STORES.pop(folder / "calls.sqlite", None):
            store.close()


def _in_thread(path: Path) -> SharedStore:
    thread = ThreadPoolExecutor(1, "quackllm-store")
    opened: list[CallStore] = []

    def work(method: str, *arguments: Any) -> Any:
        if not opened:
            opened.append(CallStore(path))
        try:
            return getattr(opened[0], method)(*arguments)
        except sqlite3.Error as error:
            raise StoreError(f"the call store {path} failed: {error}") from error

    async def run(method: str, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(thread, work, method, *arguments)

    def close() -> None:
        if opened:
            thread.submit(opened[0].close)
        thread.shutdown()

    return SharedStore(run, close)


def _in_actor() -> Callable[..., Awaitable[Any]]:
    from ray.exceptions import RayActorError, RayTaskError

    from ...workers.cluster.ray_fleet import ANSWER_SECONDS, detached_actor

    # Every method may be repeated: after a restart the file says what had been done.
    actor = detached_actor(CallStore, ACTOR)

    async def run(method: str, *arguments: Any) -> Any:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await getattr(actor, method).remote(*arguments)
        except TimeoutError as error:
            hint = "is its head running? Type: ray status"
            raise StoreError("the cluster's call store does not answer", hint=hint) from error
        except (RayTaskError, RayActorError) as error:
            raise StoreError(f"the cluster's call store failed: {getattr(error, 'cause', error)}") from error

    return run
