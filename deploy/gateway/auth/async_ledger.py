"""The ledger as the routes see it: in this process, or in one actor for all gateways of a cluster."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

from ....workers.cluster.shared_object import SharedObject, in_actor, in_this_process
from ....workers.home import home_folder
from .usage_ledger import Ledger

AsyncLedger: TypeAlias = SharedObject[Ledger]
ACTOR = "gateway_ledger"


def open_shared_ledger(keys: Path, cluster: str | None) -> AsyncLedger:
    """Return the ledger of this machine's gateways, or the cluster's, which an actor owns.

    Args:
        keys: the keys' file.
        cluster: Ray's address; None: there is none.
    """
    files = (keys, home_folder() / "gateway.sqlite")
    if not cluster:
        # A read of one row, or a write of one: tens of microseconds, less than a hop to another thread and back.
        return in_this_process(Ledger(*files))
    from ....workers.cluster.ray_fleet import detached_actor

    # One for each file of keys, where that file is: whoever starts the gateway makes it before a replica asks.
    name = f"{ACTOR}:{blake2b(str(keys).encode(), digest_size=4).hexdigest()}"
    return in_actor(detached_actor(Ledger, name, *files, on_this_node=True), "gateway's ledger")
