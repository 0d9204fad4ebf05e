"""The call store for the event loop: it runs in a thread of this process, or in Ray actors for a whole cluster."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, TypeAlias

from ...workers.cluster.shared_object import SharedObject, in_actor, in_thread
from ...workers.errors import StoreError
from ...workers.event_loop import after_fork
from ...workers.home import home_folder
from ...workers.serving.fleet import Fleet
from .call_store import PAUSE_SECONDS, CallStore, Deletion
from .shard_mover import ShardMover
from .sharded_store import ShardedStore
from .store_file import SCHEMA_VERSION, begin_new
from .store_shard import StoreShard

AsyncCallStore: TypeAlias = SharedObject[CallStore]
# The actors' names contain the version, because an actor of another release has other methods.
SHARD = f"call_store:{SCHEMA_VERSION}:"
MOVER = f"call_store_mover:{SCHEMA_VERSION}"
_STORES: dict[Path | str, AsyncCallStore] = {}
_OPENING = threading.Lock()
_PARENT_STORES: list[AsyncCallStore] = []


def open_store(fleet: Fleet) -> AsyncCallStore:
    """Return the call store of these models: the file on this machine, or the actors that own the cluster's files.

    A SQLite file cannot be shared over a network, so on a cluster every driver calls the one actor that opened it.
    """
    path = home_folder() / "calls.sqlite"
    where = fleet.address or path
    with _OPENING:
        if where not in _STORES:
            _STORES[where] = _on_cluster() if fleet.address else _on_this_machine(path)
        return _STORES[where]


async def forget_answers(store: AsyncCallStore, model: str | None, older_than_seconds: float) -> int:
    """Delete answers and call records like `CallStore.forget`, but let others use the store between the steps.

    Args:
        store: the call store.
        model: only this model's answers; None: all.
        older_than_seconds: only answers of at least this age.

    Returns:
        the number of deleted answers.
    """
    deletion: Deletion | int = Deletion(model, time.time() - older_than_seconds)
    while isinstance(deletion, Deletion):
        deletion = await store.call(CallStore.forget_step, deletion)
        await asyncio.sleep(PAUSE_SECONDS)
    return deletion


def close_store(folder: Path) -> None:
    """Close the file in that QUACKLLM_HOME, if it is open. Connections that use it can make no further calls."""
    with _OPENING:
        if store := _STORES.pop(folder / "calls.sqlite", None):
            store.close()


def _on_this_machine(path: Path) -> AsyncCallStore:
    def failure(error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        return StoreError(f"the call store {path} failed: {error}", hint=begin_new(path, error))

    return in_thread(lambda: CallStore(path), "quackllm-store", failure)


def _on_cluster() -> AsyncCallStore:
    from ...workers.cluster.ray_fleet import ANSWER_SECONDS, detached_actor

    def start_mover() -> None:
        detached_actor(ShardMover, MOVER, _cluster_shard).move.options(max_task_retries=0).remote()

    return ShardedStore(_cluster_shard, start_mover, ANSWER_SECONDS)


def _cluster_shard(number: int) -> SharedObject[Any]:
    """Return a shard, whose actor is made if need be; every driver finds it by its name."""
    from ...workers.cluster.ray_fleet import detached_actor

    return in_actor(detached_actor(StoreShard, f"{SHARD}{number}", number), "cluster's call store")


def _reset_after_fork() -> None:
    """Start without open stores in a forked child: SQLite connections and threads belong to the parent."""
    global _OPENING
    _OPENING = threading.Lock()
    _PARENT_STORES.extend(_STORES.values())
    _STORES.clear()


after_fork(_reset_after_fork)
