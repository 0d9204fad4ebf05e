"""The ledger as the routes use it: in this process, or in one actor for all gateways of a cluster."""

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
    """Return the ledger of this machine's gateways, or of the cluster's, which is an actor.

    Args:
        keys: the keys' file.
        cluster: Ray's address; None: no cluster.
    """
    files = (keys, home_folder() / "gateway.sqlite")
    if not cluster:
        # Reading or writing one row takes tens of microseconds, less than switching to another thread and back.
        return in_this_process(Ledger(*files))
    from ....workers.cluster.ray_fleet import detached_actor

    # One actor for each keys' file, on that file's machine: `serve` creates it before any replica looks it up.
    name = f"{ACTOR}:{blake2b(str(keys).encode(), digest_size=4).hexdigest()}"
    return in_actor(detached_actor(Ledger, name, *files, on_this_node=True), "gateway's ledger")
