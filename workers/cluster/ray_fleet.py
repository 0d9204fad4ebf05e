"""Models that answer on a Ray cluster: deploying, rolling out, scaling and finding them."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..deployments.spec import ModelSpec
from ..errors import SetupError, UnknownModelError
from ..serving.fleet import BUILTIN_MODELS, Fleet, ModelStatus, unknown_model
from ..serving.local_fleet import local_fleet
from ..serving.router import Router
from ..serving.worker import worker_concurrency
from .actors import DIRECTORY, NAMESPACE, Deployment, ModelDirectory
from .address import connect_to_ray
from .metrics_exporter import start_exporter
from .replicas import RayReplica, drain, live_replicas, rebalance_rates, replica_statuses, start_replicas

# Where the directory and the call store run: they survive a lost worker node, and the store's file stays where it is.
ON_HEAD = {"node:__internal_head__": 0.001}
NOT_INSTALLED = "No module named 'quackllm'"  # In Ray's error, where the cluster's Python is another one.
# How long the cluster's head may be silent, e.g. while it is restarted, before that is an error.
ANSWER_SECONDS = float(os.environ.get("QUACKLLM_CLUSTER_SECONDS", 60))
# A replica has this many requests for each that it works on, so that it stays busy while answers go to the driver.
QUEUE_FACTOR = 2.0


class RayFleet(Fleet):
    """The models of one Ray cluster."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self.description = f"Ray at {address or 'this machine'}"
        self._directory = _attach(address)
        self._routers: dict[str, tuple[int, Router]] = {}
        start_exporter()

    def deployed(self) -> Mapping[str, ModelSpec]:
        """Return the models that answer on the cluster now."""
        return {name: deployment.spec for name, deployment in self._deployments().items()}

    def _deployments(self) -> dict[str, Deployment]:
        found: dict[str, Deployment] = self._call_directory("deployments")
        return found

    def _call_directory(self, method: str, *arguments: Any) -> Any:
        """Call a method of the directory and return its result.

        Raises:
            SetupError: it does not answer: the cluster's head is down.
        """
        try:
            return ray.get(getattr(self._directory, method).remote(*arguments), timeout=ANSWER_SECONDS)
        except (GetTimeoutError, RayActorError) as error:
            if NOT_INSTALLED in str(error):
                hint = "install the same quackllm on the head and on every node that runs a model"
                raise SetupError(f"the Python of {self.description} has no quackllm", hint=hint) from None
            raise self._head_unreachable() from error

    def _head_unreachable(self) -> SetupError:
        hint = "is its head running? Type: ray status   and start this program again when it is"
        return SetupError(f"{self.description} does not answer; models that answer there cannot be found", hint=hint)

    def _deployment(self, name: str) -> Deployment:
        deployments = self._deployments()
        if name not in deployments:
            raise self._unknown(name, deployments)
        return deployments[name]

    def router(self, spec: ModelSpec) -> Router:
        """Return the model's router; a model that is not on the cluster answers in this process."""
        if spec.name in BUILTIN_MODELS and spec == BUILTIN_MODELS[spec.name]:
            return local_fleet().router(spec)
        at_once = worker_concurrency(spec)
        models = self._routers.get(spec.name)
        if models is None or models[0] != at_once:
            models = self._routers[spec.name] = (at_once, self._new_router(spec.name, at_once))
        return models[1]

    def _new_router(self, name: str, at_once: int) -> Router:
        return Router(lambda: self._replicas(name), at_once, model=name, queued_ahead=QUEUE_FACTOR)

    async def _replicas(self, name: str) -> list[RayReplica]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                deployments = await self._directory.deployments.remote()
        except (TimeoutError, RayActorError) as error:
            raise self._head_unreachable() from error
        if name not in deployments:
            raise self._unknown(name, deployments)
        return await live_replicas(deployments[name].replicas)

    def _unknown(self, name: str, deployments: Mapping[str, Deployment]) -> UnknownModelError:
        return unknown_model(name, {models: found.spec for models, found in deployments.items()}, self.address)

    def deploy(self, spec: ModelSpec) -> str:
        """Start a new generation, let it answer, then retire the one before it."""
        before = self._deployments().get(spec.name)
        if before and before.spec == spec:
            return "unchanged"
        if before and before.spec.model_copy(update={"num_workers": spec.num_workers}) == spec:
            return self.scale(spec.name, spec.num_workers)
        deployment = Deployment(spec, uuid.uuid4().hex[:8])
        start_replicas(deployment, deployment.replicas)
        self._call_directory("publish", deployment)
        if before:
            drain(before.replicas)
        return "rolled out" if before else "deployed"

    def scale(self, name: str, num_workers: int) -> str:
        """Start more replicas, or let the surplus ones finish; those that stay notice nothing."""
        before = self._deployment(name)
        had = before.spec.num_workers
        if num_workers == had:
            return "unchanged"
        after = replace(before, spec=before.spec.model_copy(update={"num_workers": num_workers}))
        start_replicas(after, after.replicas[had:])
        self._call_directory("publish", after)
        rebalance_rates(after)
        drain(before.replicas[num_workers:])
        return f"scaled from {had} to {num_workers}"

    def undeploy(self, name: str) -> None:
        """Take the model out of the directory, then let its replicas finish and end them."""
        deployment = self._deployment(name)
        self._call_directory("remove", name)
        drain(deployment.replicas)

    def status(self, name: str) -> ModelStatus:
        """Return each replica: alive or not, number of starts, node, and counts."""
        deployments = self._deployments()
        if name not in deployments and name in BUILTIN_MODELS:
            return local_fleet().status(name)
        if name not in deployments:
            raise self._unknown(name, deployments)
        return ModelStatus(
            deployments[name].spec, replica_statuses(deployments[name].replicas, self._call_directory("starts"))
        )


@cache
def ray_fleet(address: str | None) -> RayFleet:
    """Return the fleet of that cluster; None starts Ray on this machine."""
    return RayFleet(address)


def _attach(address: str | None) -> Any:
    """Connect this process to Ray and return the cluster's directory, made if need be."""
    if not ray.is_initialized():
        hint = "start one with: RAY_AUTH_MODE=disabled ray start --head   or name no cluster: this process answers"
        connect_to_ray(address, hint, NAMESPACE)
    return detached_actor(ModelDirectory, DIRECTORY)


def detached_actor(actor_class: type, name: str, *args: Any, on_this_node: bool = False, **kwargs: Any) -> Any:
    """Return the cluster's one actor of that name, made if need be; every call of it may be repeated.

    Args:
        actor_class: its class.
        name: its name in the cluster.
        on_this_node: it reads a file that lies here; else it is on the head.
        args, kwargs: what its class is made with.
    """
    kept = {"name": name, "namespace": NAMESPACE, "lifetime": "detached", "get_if_exists": True}
    node = ray.get_runtime_context().get_node_id
    where = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node(), soft=True)} if on_this_node else {}
    options = {**kept, **(where or {"resources": ON_HEAD}), "num_cpus": 0, "max_restarts": -1, "max_task_retries": -1}
    return ray.remote(actor_class).options(**options).remote(*args, **kwargs)


def end_this_actor() -> None:
    """End the actor that runs this, after a call that Ray does not repeat: else Ray starts the actor again for it."""
    ray.actor.exit_actor()
