"""Models that answer in this process: the same workers as on Ray, without Ray."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import SecretStr

from ..deployments.models_yaml import delete_model, read_models, save_model
from ..deployments.spec import ModelSpec
from ..errors import DeployError, QuackLLMError, SetupError
from ..event_loop import after_fork, run_sync, submit
from ..home import home_folder
from ..secret_refs import map_secrets, resolve_secret
from .fleet import BUILTIN_MODELS, Fleet, ModelStatus, ReplicaStatus, unknown_model
from .router import Router
from .worker import Worker, worker_concurrency

CLOSING_SECONDS = 5.0  # How long the process waits for engines to close when it exits.


@dataclass(eq=False, slots=True)
class _RunningModel:
    """A model that has been called: its one worker, started at the first request."""

    spec: ModelSpec
    worker: Worker
    router: Router


class LocalFleet(Fleet):
    """The models of `models.yaml`, each with one worker in this process, whatever `num_workers` says."""

    description = "this process"
    address: str | None = None

    def __init__(self) -> None:
        self._running: dict[str, _RunningModel] = {}
        self._inherited: list[dict[str, _RunningModel]] = []
        self._lock = threading.Lock()
        self._read: tuple[object, dict[str, ModelSpec]] = (None, {})

    def deployed(self) -> Mapping[str, ModelSpec]:
        """Return the models of `models.yaml`; the file is read again when it has changed."""
        path = home_folder() / "models.yaml"
        mark = (path, path.stat().st_mtime_ns) if path.exists() else (path, None)
        with self._lock:
            if self._read[0] != mark:
                self._read = (mark, read_models())
            return self._read[1]

    def router(self, spec: ModelSpec) -> Router:
        """Return the model's router. Called in the event loop."""
        running = self._running.get(spec.name)
        if running is None or running.spec != spec:
            self._drain_and_close(running)
            running = self._running[spec.name] = self._run(spec)
        return running.router

    def _drain_and_close(self, running: _RunningModel | None) -> None:
        """Let a worker of an earlier spec finish its requests, then close it."""

        async def finish(old: _RunningModel) -> None:
            await old.router.join()
            await old.worker.close()

        if running:
            submit(finish(running))

    def _run(self, spec: ModelSpec, worker: Worker | None = None) -> _RunningModel:
        worker = worker or Worker(spec)

        async def replicas() -> list[Worker]:
            await worker.start()
            return [worker]

        return _RunningModel(spec, worker, Router(replicas, worker_concurrency(spec), model=spec.name))

    def deploy(self, spec: ModelSpec) -> str:
        """Start the engine, and save the spec in `models.yaml` only if it starts."""
        before = self.deployed().get(spec.name)
        if before and _with_secrets_resolved(before) == _with_secrets_resolved(spec):
            return "unchanged"

        async def begin() -> None:
            worker = Worker(spec)
            await worker.start()
            self._drain_and_close(self._running.get(spec.name))
            self._running[spec.name] = self._run(spec, worker)

        try:
            run_sync(begin())
        except QuackLLMError as error:
            raise DeployError(f"{spec.name} was not deployed: {error.message}", hint=error.hint) from error
        save_model(spec)
        return "rolled out" if before else "deployed"

    def undeploy(self, name: str) -> None:
        """Close the model's worker and take it out of `models.yaml`."""
        if name not in self.deployed():
            raise unknown_model(name, self.deployed())
        delete_model(name)
        self._drain_and_close(self._running.pop(name, None))

    def scale(self, name: str, num_workers: int) -> str:
        """Refuse: a model has one worker in this process.

        Raises:
            UnknownModelError: no model has that name.
            SetupError: it does.
        """
        if name not in self.deployed():
            raise unknown_model(name, self.deployed())
        hint = f"type: quackllm scale {name} {num_workers} --cluster auto"
        raise SetupError(f"{name} answers in this process, where a model has one worker", hint=hint)

    def close(self) -> None:
        """Close every worker."""
        closing, self._running = self._running, {}
        if not closing:
            return

        async def close_all() -> None:
            for running in closing.values():
                await running.worker.close()

        with contextlib.suppress(TimeoutError):
            submit(close_all()).result(timeout=CLOSING_SECONDS)

    def reset_after_fork(self) -> None:
        """Begin without workers in a forked child: those that run are its parent's, and are not closed here."""
        self._inherited.append(self._running)  # Kept: they would report that nobody closed them.
        self._running = {}
        self._lock = threading.Lock()

    def status(self, name: str) -> ModelStatus:
        """Return the model's worker, which is not there before the first request."""
        models = {**BUILTIN_MODELS, **self.deployed()}
        if name not in models:
            raise unknown_model(name, models)
        running = self._running.get(name)
        if running is None:
            return ModelStatus(models[name])
        replica = ReplicaStatus(f"{name}:0", True, 1, os.getpid(), "", **running.worker.status())
        return ModelStatus(models[name], (replica,))


def _with_secrets_resolved(spec: ModelSpec) -> tuple[ModelSpec, dict[str, Any]]:
    """Return the spec with the keys from their files, to compare it with one that was just typed."""

    def opened(key: str, secret: SecretStr) -> str:
        text = secret.get_secret_value()
        return resolve_secret(secret, f"{spec.name}: {key}") if text.startswith("file:") else text

    return spec.model_copy(update={"infer_params": {}}), map_secrets(spec.infer_params, opened)


@cache
def local_fleet() -> LocalFleet:
    """Return this process's fleet."""
    fleet = LocalFleet()
    atexit.register(fleet.close)
    after_fork(fleet.reset_after_fork)
    return fleet
