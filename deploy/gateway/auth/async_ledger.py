"""The ledger as the routes see it: in this process, or in one actor for all gateways of a cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from typing import Any

from ....workers.errors import StoreError
from ....workers.home import home_folder
from ..settings import GatewaySettings
from .api_keys import Key
from .usage_ledger import Cost, Ledger, Pass, Refusal

ACTOR = "gateway_ledger"


class SharedLedger:
    """A `Ledger` behind `await`; each method is the one of that name.

    Args:
        run: runs the named method of the ledger with these arguments.
        close: lets go of the ledger.
    """

    def __init__(self, run: Callable[..., Awaitable[Any]], close: Callable[[], None] = lambda: None) -> None:
        self._run = run
        self.close = close

    async def admit(self, digest: str | None) -> Pass | Refusal | None:
        """See `Ledger.admit`."""
        admitted: Pass | Refusal | None = await self._run("admit", digest)
        return admitted

    async def charge(self, name: str, key: Key, cost: Cost) -> None:
        """See `Ledger.charge`."""
        await self._run("charge", name, key, cost)


def ledger_for(settings: GatewaySettings) -> SharedLedger:
    """Return the ledger of this machine's gateways, or the cluster's, which an actor owns."""
    return SharedLedger(_in_actor(settings)) if settings.cluster else _in_process(settings)


def open_ledger(settings: GatewaySettings) -> Ledger:
    """Open the ledger's file on this machine."""
    return Ledger(settings.keys_path, home_folder() / "gateway.sqlite")


def _in_process(settings: GatewaySettings) -> SharedLedger:
    ledger = open_ledger(settings)

    async def run(method: str, *arguments: Any) -> Any:
        # A read of one row, or a write of one: tens of microseconds, less than a hop to another thread and back.
        return getattr(ledger, method)(*arguments)

    return SharedLedger(run, ledger.close)


def _in_actor(settings: GatewaySettings) -> Callable[..., Awaitable[Any]]:
    import ray
    from ray.exceptions import RayActorError, RayTaskError
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    from ....workers.cluster.actors import NAMESPACE

    # One for each file of keys, where that file is: whoever starts the gateway makes it before a replica asks.
    name = f"{ACTOR}:{blake2b(str(settings.keys_path).encode(), digest_size=4).hexdigest()}"
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
    kept = {
        "name": name,
        "scheduling_strategy": here,
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "get_if_exists": True,
    }
    options = {**kept, "num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
    actor = ray.remote(Ledger).options(**options).remote(settings.keys_path, home_folder() / "gateway.sqlite")

    async def run(method: str, *arguments: Any) -> Any:
        try:
            return await getattr(actor, method).remote(*arguments)
        except (RayTaskError, RayActorError) as error:
            raise StoreError(f"the gateway's ledger failed: {getattr(error, 'cause', error)}") from error

    return run
