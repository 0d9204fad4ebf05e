"""The gateway as a Ray Serve application: the `import_path` of a KubeRay RayService."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import Field
from ray.serve import Application

from ....workers import connect_fleet
from ....workers.cluster.replicas import check_capacity
from ....workers.deployments.spec import ModelSpec
from ....workers.errors import DeployError
from ...models_file import apply_models_file, read_models_file
from ..settings import GatewaySettings
from .ray_serve import make_application

MACHINES_SECONDS = 900  # How long to wait for the machines of a new cluster.


class ServiceSettings(GatewaySettings):
    """The `args` of the application: the gateway's settings, and the models to deploy before it answers."""

    cluster: str | None = "auto"
    host: str = "0.0.0.0"
    models: Path | None = Field(None, description="a file of models, as for `quackllm deploy -f`")


def application(args: dict[str, Any]) -> Application:
    """Deploy the models of the file, and return the gateway over them.

    A new cluster of a RayService gets requests only after this has returned and the replicas answer, so a change of
    models or image does not fail any request.

    Raises:
        DeployError: a model did not start.
        SetupError: no cluster answers, the file cannot be read, or there is no API key.
        ValidationError: an unknown argument, or one of the wrong type.
    """
    settings = ServiceSettings.model_validate(args)
    settings.check()
    if settings.models:
        _deploy(settings.models, settings.cluster)
    return make_application(settings)


def _deploy(models: Path, cluster: str | None) -> None:
    connect_fleet(cluster)
    specs = [spec for spec in read_models_file(models).values() if isinstance(spec, ModelSpec)]
    _wait_for_capacity(specs)
    for model in apply_models_file(models, cluster):
        if model.outcome == "failed":
            raise DeployError(f"{model.name}: {model.why}", hint=model.hint)


def _wait_for_capacity(specs: Sequence[ModelSpec]) -> None:
    """Wait until the cluster has enough machines for every model."""
    deadline = time.monotonic() + MACHINES_SECONDS
    while True:
        try:
            for spec in specs:
                check_capacity(spec)
            return
        except DeployError:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
