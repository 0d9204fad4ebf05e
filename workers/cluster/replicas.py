"""The actors of one deployment, seen from a driver: start, call, watch and retire them."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from ..deployments.spec import ModelSpec
from ..errors import DeployError, QuackLLMError, SetupError
from ..messages import Request
from ..serving.fleet import ReplicaStatus
from ..serving.router import ReplicaLostError
from ..serving.worker import ChunkBatch
from .actors import NAMESPACE, Deployment, ReplicaActor, RetiredError

MAX_BATCHES = 1000  # Batches that one replica accepts at once; the worker's slots bound the requests in flight.
# How long a deployment may take to load its weights.
START_SECONDS = float(os.environ.get("QUACKLLM_START_SECONDS", 1800))
PING_SECONDS = 5.0  # How long a replica may take to answer a ping.


@dataclass(frozen=True, slots=True)
class RayReplica:
    """A replica seen from the driver."""

    name: str

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[ChunkBatch]:
        """Yield answers as they arrive.

        Raises:
            ReplicaLostError: the actor died, is restarting, or was retired.
            SetupError: no request can succeed.
        """
        answers: Any = None
        try:
            answers = _handle(self.name).answer.options(num_returns="streaming").remote(list(requests))
            async for reference in answers:
                yield await reference
            answers = None
        except RayTaskError as error:
            raise _unwrap(error, self.name) from error
        except (RayError, ValueError) as error:  # The actor, its node, or answers that lay there.
            raise ReplicaLostError(f"{self.name}: {error}") from error
        finally:
            if answers is not None:
                ray.cancel(answers)  # The caller has left: the engine can stop.

    async def up(self) -> bool:
        """Whether the actor is there and takes requests: not while Ray restarts it."""
        try:
            async with asyncio.timeout(PING_SECONDS):
                return bool(await _handle(self.name).up.remote())
        except (RayError, ValueError, TimeoutError):
            return False


@cache
def _handle(name: str) -> Any:
    """Return the actor's handle: looked up once, it outlives restarts, and a lookup would block the event loop."""
    return ray.get_actor(name, NAMESPACE)


async def live_replicas(names: Iterable[str]) -> list[RayReplica]:
    """Return those of the replicas that take requests now."""
    replicas = [RayReplica(name) for name in names]
    up = await asyncio.gather(*(replica.up() for replica in replicas))
    return [replica for replica, is_up in zip(replicas, up, strict=True) if is_up]


def start_replicas(deployment: Deployment, names: Sequence[str]) -> None:
    """Start these replicas; if one cannot start, end them all and report the engine's error.

    Raises:
        DeployError: an engine did not start; nothing of it was left behind.
    """
    check_capacity(deployment.spec)
    options = _options(deployment.spec)
    actors = [ray.remote(ReplicaActor).options(name=name, **options).remote(deployment, name) for name in names]
    try:
        ray.get([actor.start.remote() for actor in actors], timeout=START_SECONDS)
    except (RayTaskError, RayActorError, GetTimeoutError) as error:
        for actor in actors:
            ray.kill(actor)
        name = deployment.spec.name
        cause = _unwrap(error, name) if isinstance(error, RayTaskError) else error
        hint = cause.hint if isinstance(cause, QuackLLMError) else ""
        message = cause.message if isinstance(cause, QuackLLMError) else str(cause)
        raise DeployError(f"{name} was not deployed: {message}", hint=hint) from error


def _options(spec: ModelSpec) -> dict[str, Any]:
    """Return Ray's options for a replica: resources, placement and restarts."""
    return {
        "namespace": NAMESPACE,
        "lifetime": "detached",
        "max_restarts": -1,
        "max_task_retries": 0,
        "max_concurrency": MAX_BATCHES,
        "num_cpus": spec.cpus_per_worker,
        "num_gpus": spec.gpus_per_worker,
        "resources": spec.resources_per_worker,
        # Without GPUs nothing is gained by sharing a node, and a lost node takes fewer along.
        "scheduling_strategy": "DEFAULT" if spec.gpus_per_worker else "SPREAD",
        "runtime_env": {"env_vars": spec.env_vars} if spec.env_vars else None,
    }


def rebalance_rates(deployment: Deployment) -> None:
    """Tell each replica how many replicas there are now: each gets its share of the rate limits."""
    for actor in filter(None, map(_find, deployment.replicas)):
        actor.set_worker_count.remote(deployment.spec.num_workers)


def drain(names: Iterable[str]) -> None:
    """Let each replica finish its requests, then end it."""
    actors = list(filter(None, map(_find, names)))
    for actor, retired in [(actor, actor.retire.remote()) for actor in actors]:
        with contextlib.suppress(RayActorError):  # It is dead already, which is what retiring comes to.
            ray.get(retired)
        ray.kill(actor)


def _find(name: str) -> Any | None:
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError:
        return None


def replica_statuses(names: Sequence[str], starts: dict[str, int]) -> tuple[ReplicaStatus, ...]:
    """Return each replica's state; all are queried at once, so that one that hangs delays no other."""
    calls = {name: actor.status.remote() for name in names if (actor := _find(name))}
    ready = set(ray.wait(list(calls.values()), num_returns=len(calls), timeout=2 * PING_SECONDS)[0]) if calls else ()
    answered = {name: call for name, call in calls.items() if call in ready}
    return tuple(_status(name, answered.get(name), starts.get(name, 0)) for name in names)


def _status(name: str, answered: Any | None, starts: int) -> ReplicaStatus:
    try:
        return (
            ReplicaStatus(name, True, starts, **ray.get(answered)) if answered else ReplicaStatus(name, False, starts)
        )
    except RayActorError:
        return ReplicaStatus(name, False, starts)


def check_capacity(spec: ModelSpec) -> None:
    """Refuse at once a replica that no node of the cluster has room for.

    Raises:
        DeployError: more of a resource is wanted than there is.
    """
    have = ray.cluster_resources()
    each = {"GPU": spec.gpus_per_worker, "CPU": spec.cpus_per_worker, **spec.resources_per_worker}
    for resource, amount in each.items():
        needed, available = amount * spec.num_workers, have.get(resource, 0)
        if needed > available:
            raise DeployError(
                f"{spec.name} was not deployed: it needs {needed:g} {resource}s, the cluster has {available:g}",
                hint="fewer workers, less for each, or more machines",
            )


def _unwrap(error: RayTaskError, name: str) -> Exception:
    """Return the worker's own error out of Ray's wrapping."""
    cause: Exception = error.cause
    if isinstance(cause, RetiredError):
        return ReplicaLostError(str(cause))
    if isinstance(cause, QuackLLMError):
        return cause
    return SetupError(f"{name}: {type(cause).__name__}: {cause}")
