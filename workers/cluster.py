"""Models that answer on a Ray cluster: deploying, rolling out, finding and watching their actors."""

from __future__ import annotations

import contextlib
import logging
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError, RayTaskError

from .actor import DIRECTORY, NAMESPACE, Deployment, Directory, Replica, RetiredError
from .errors import DeployError, QuackLLMError, SetupError, UnknownModelError
from .fleet import ALWAYS_THERE, Fleet, ModelStatus, ReplicaStatus, unknown_model
from .local import local_fleet
from .router import ReplicaLostError, Router
from .spec import ModelSpec
from .values import Request
from .worker import Finished, concurrency

STREAMS = 1000
"""Batches that one replica takes at once; the worker's own slots bound what is really under way."""
START_SECONDS = float(os.environ.get("QUACKLLM_START_SECONDS", 1800))
"""How long a deployment may take to load its weights."""


@dataclass(frozen=True, slots=True)
class RayReplica:
    """A replica seen from the driver."""

    name: str

    async def answer(self, requests: Sequence[Request]) -> AsyncIterator[Finished]:
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
        except (RayActorError, ValueError) as error:
            raise ReplicaLostError(f"{self.name}: {error}") from error
        except RayTaskError as error:
            raise _original(error, self.name) from error
        finally:
            if answers is not None:
                ray.cancel(answers)  # Whoever waited has left: the engine need not go on.


class RayFleet(Fleet):
    """The models of one Ray cluster."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.place = f"Ray at {address or 'this machine'}"
        self._directory = _attach(address)
        self._routers: dict[str, tuple[ModelSpec, Router]] = {}

    def deployed(self) -> Mapping[str, ModelSpec]:
        """Return the models that answer on the cluster now."""
        return {name: deployment.spec for name, deployment in self._deployments().items()}

    def _deployments(self) -> dict[str, Deployment]:
        found: dict[str, Deployment] = ray.get(self._directory.deployments.remote())
        return found

    def router(self, spec: ModelSpec) -> Router:
        """Return the model's router; a model that is not on the cluster answers in this process."""
        if spec.name in ALWAYS_THERE and spec == ALWAYS_THERE[spec.name]:
            return local_fleet().router(spec)
        known = self._routers.get(spec.name)
        if known is None or known[0] != spec:
            known = self._routers[spec.name] = (spec, Router(lambda: self._replicas(spec.name), concurrency(spec)))
        return known[1]

    async def _replicas(self, name: str) -> list[RayReplica]:
        deployments = await self._directory.deployments.remote()
        if name not in deployments:
            raise _unknown(name, deployments)
        return [RayReplica(replica) for replica in deployments[name].replicas]

    def deploy(self, spec: ModelSpec) -> str:
        """Start a new generation, let it answer, then retire the one before it."""
        before = self._deployments().get(spec.name)
        if before and before.spec == spec:
            return "unchanged"
        _check_room(spec)
        deployment = Deployment(spec, uuid.uuid4().hex[:8])
        actors = _start(deployment)
        ray.get([actor.publish.remote() for actor in actors])
        ray.get(self._directory.publish.remote(deployment))
        if before:
            _retire(before)
        return "rolled out" if before else "deployed"

    def undeploy(self, name: str) -> None:
        """Take the model out of the directory, then let its replicas finish and end them."""
        deployments = self._deployments()
        if name not in deployments:
            raise _unknown(name, deployments)
        ray.get(self._directory.remove.remote(name))
        _retire(deployments[name])

    def status(self, name: str) -> ModelStatus:
        """Return each replica: alive or not, how often started, where, and what it has done."""
        deployments = self._deployments()
        if name not in deployments and name in ALWAYS_THERE:
            return local_fleet().status(name)
        if name not in deployments:
            raise _unknown(name, deployments)
        starts = ray.get(self._directory.starts.remote())
        replicas = [_replica_status(replica, starts.get(replica, 0)) for replica in deployments[name].replicas]
        return ModelStatus(deployments[name].spec, tuple(replicas))


@cache
def ray_fleet(address: str | None) -> RayFleet:
    """Return the fleet of that cluster; None starts Ray on this machine."""
    return RayFleet(address)


def _unknown(name: str, deployments: Mapping[str, Deployment]) -> UnknownModelError:
    return unknown_model(name, {known: found.spec for known, found in deployments.items()})


@cache
def _handle(name: str) -> Any:
    """Return the actor's handle: looked up once, it outlives restarts, and a lookup would block the event loop."""
    return ray.get_actor(name, NAMESPACE)


def _attach(address: str | None) -> Any:
    """Connect this process to Ray and return the cluster's directory, made if need be."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Nothing is reported to anybody unless the user says so.
    if not ray.is_initialized():
        try:
            ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
        except ConnectionError as error:
            hint = "start one with: ray start --head   or leave cluster= out to answer in this process"
            raise SetupError(f"no Ray cluster answers at {address!r}: {error}", hint=hint) from error
    actor = ray.remote(Directory).options(
        name=DIRECTORY,
        namespace=NAMESPACE,
        lifetime="detached",
        get_if_exists=True,
        max_restarts=-1,
        max_task_retries=-1,
        num_cpus=0,
    )
    return actor.remote()


def _start(deployment: Deployment) -> list[Any]:
    """Start all replicas; if one cannot start, end them all and say why in the engine's words."""
    spec = deployment.spec
    options = {"num_cpus": spec.cpus_per_worker, "num_gpus": spec.gpus_per_worker, "namespace": NAMESPACE}
    actors = [
        ray.remote(Replica)
        .options(
            name=name, lifetime="detached", max_restarts=-1, max_task_retries=0, max_concurrency=STREAMS, **options
        )
        .remote(deployment, name)
        for name in deployment.replicas
    ]
    try:
        ray.get([actor.start.remote() for actor in actors], timeout=START_SECONDS)
    except (RayTaskError, RayActorError, GetTimeoutError) as error:
        for actor in actors:
            ray.kill(actor)
        cause = _original(error, spec.name) if isinstance(error, RayTaskError) else error
        hint = cause.hint if isinstance(cause, QuackLLMError) else ""
        words = cause.message if isinstance(cause, QuackLLMError) else str(cause)
        raise DeployError(f"{spec.name} was not deployed: {words}", hint=hint) from error
    return actors


def _retire(deployment: Deployment) -> None:
    """Let each replica answer what it has taken, then end it."""
    actors = [actor for name in deployment.replicas if (actor := _find(name))]
    for actor, retired in [(actor, actor.retire.remote()) for actor in actors]:
        with contextlib.suppress(RayActorError):  # It is dead already, which is what retiring comes to.
            ray.get(retired)
        ray.kill(actor)


def _find(name: str) -> Any | None:
    try:
        return ray.get_actor(name, NAMESPACE)
    except ValueError:
        return None


def _replica_status(name: str, starts: int) -> ReplicaStatus:
    actor = _find(name)
    if actor is None:
        return ReplicaStatus(name, False, starts)
    try:
        return ReplicaStatus(name, True, starts, **ray.get(actor.status.remote(), timeout=10))
    except (RayActorError, GetTimeoutError):
        return ReplicaStatus(name, False, starts)


def _check_room(spec: ModelSpec) -> None:
    """Refuse at once what the cluster could never place, rather than wait for it.

    Raises:
        DeployError: more CPUs or GPUs are wanted than there are.
    """
    have = ray.cluster_resources()
    for resource, each in (("GPU", spec.gpus_per_worker), ("CPU", spec.cpus_per_worker)):
        wanted, there = each * spec.num_workers, have.get(resource, 0)
        if wanted > there:
            raise DeployError(
                f"{spec.name} was not deployed: it wants {wanted:g} {resource}s, the cluster has {there:g}",
                hint="fewer workers, less for each, or more machines",
            )


def _original(error: RayTaskError, name: str) -> Exception:
    """Return the worker's own error out of Ray's wrapping."""
    cause: Exception = error.cause
    if isinstance(cause, RetiredError):
        return ReplicaLostError(str(cause))
    if isinstance(cause, QuackLLMError):
        return cause
    return SetupError(f"{name}: {type(cause).__name__}: {cause}")
