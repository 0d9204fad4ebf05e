"""The ledger as the routes see it: in this process, or in one actor for all gateways of a cluster."""

from __future__ import annotations

from hashlib import blake2b
from typing import TypeAlias

from ....workers.cluster.shared_object import SharedObject, in_actor, in_this_process
from ....workers.home import home_folder
from ..settings import GatewaySettings
from .usage_ledger import Ledger

AsyncLedger: TypeAlias = SharedObject[Ledger]
ACTOR = "gateway_ledger"


def open_shared_ledger(settings: GatewaySettings) -> AsyncLedger:
    """Return the ledger of this machine's gateways, or the cluster's, which an actor owns."""
    if not settings.cluster:
        # A read of one row, or a write of one: tens of microseconds, less than a hop to another thread and back.
        return in_this_process(open_ledger(settings))
    from ....workers.cluster.ray_fleet import detached_actor

    # One for each file of keys, where that file is: whoever starts the gateway makes it before a replica asks.
    name = f"{ACTOR}:{blake2b(str(settings.keys_path).encode(), digest_size=4).hexdigest()}"
    files = (settings.keys_path, home_folder() / "gateway.sqlite")
    return in_actor(detached_actor(Ledger, name, *files, on_this_node=True), "gateway's ledger")


def open_ledger(settings: GatewaySettings) -> Ledger:
    """Open the ledger's file on this machine."""
    return Ledger(settings.keys_path, home_folder() / "gateway.sqlite")
