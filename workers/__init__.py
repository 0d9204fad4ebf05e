"""Everything that answers: requests and responses, engines, workers, and the fleets that they form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import RequestError

if TYPE_CHECKING:  # Who needs an error's class alone does not wait for pydantic.
    from .serving.fleet import Fleet, ModelStatus


def connect_fleet(cluster: str | None) -> Fleet:
    """Return the fleet of a cluster: None is this process, 'local' a Ray on this machine, else 'auto' or an address.

    Raises:
        SetupError: no cluster answers there.
    """
    if cluster is None:
        from .serving.local_fleet import local_fleet

        return local_fleet()
    from .cluster.ray_fleet import ray_fleet

    return ray_fleet(None if cluster == "local" else cluster)


def deploy(
    name: str,
    type: str,
    *,
    num_workers: int = 1,
    worker_concurrency: int | None = None,
    gpus_per_worker: float = 0,
    cpus_per_worker: float = 0.01,
    resources_per_worker: dict[str, float] | None = None,
    env_vars: dict[str, str] | None = None,
    infer_params: dict[str, Any] | None = None,
    cluster: str | None = None,
) -> str:
    """Deploy a model under a name, which becomes a SQL function.

    Args:
        name: `[a-z_][a-z0-9_]*`, no SQL keyword and no built-in function.
        type: `saas/SERVICE`, `custom/auto`, `builtin/text2sql`, or an engine's name.
        num_workers: replicas on a cluster.
        worker_concurrency: requests in flight at once in one worker; None: the engine's default.
        gpus_per_worker, cpus_per_worker, resources_per_worker: what Ray reserves for one worker; the last are
            resources of your own, e.g. `{"A100": 1}`.
        env_vars: the workers' environment on a cluster; no secrets.
        infer_params: `saas.*`, `backend.*` and `limits.*` settings, e.g. `{"saas.api_key": "env:DASHSCOPE_API_KEY"}`.
        cluster: None: this process; the model is saved in `models.yaml`. 'local', 'auto' or an address: Ray.

    Returns:
        'deployed', 'rolled out' (the spec had changed) or 'unchanged'.

    Raises:
        RequestError: an unknown field, a value of the wrong type, or a name that is taken.
        SetupError: an unknown type or setting.
        DeployError: the engine did not start; nothing was left behind.
    """
    from .deployments.model_names import check_model_name
    from .deployments.spec import make_spec

    spec = make_spec(
        name=name,
        type=type,
        num_workers=num_workers,
        worker_concurrency=worker_concurrency,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        resources_per_worker=resources_per_worker or {},
        env_vars=env_vars or {},
        infer_params=infer_params or {},
    )
    check_model_name(spec.name)
    return connect_fleet(cluster).deploy(spec)


def undeploy(name: str, *, cluster: str | None = None) -> None:
    """Undeploy a model: its replicas answer what they have taken, then end.

    Raises:
        UnknownModelError: no model has that name.
    """
    connect_fleet(cluster).undeploy(name)


def scale(name: str, num_workers: int, *, cluster: str | None = None) -> str:
    """Give a model on a cluster more replicas, or fewer: surplus ones answer what they have taken, then end.

    Args:
        name: of the deployed model.
        num_workers: replicas that it has afterwards, at least 1.
        cluster: 'local', 'auto' or an address; None: this process.

    Returns:
        'scaled from 1 to 4', or 'unchanged'.

    Raises:
        UnknownModelError: no model has that name.
        SetupError: it answers in this process, where it has one worker.
        DeployError: a new replica did not start; nothing was changed.
    """
    if num_workers < 1:
        raise RequestError("a model has at least one replica", hint=f"type: quackllm undeploy {name}")
    return connect_fleet(cluster).scale(name, num_workers)


def models(*, cluster: str | None = None) -> list[ModelStatus]:
    """Return the deployed models, by name, with their replicas as they are now."""
    fleet = connect_fleet(cluster)
    return [fleet.status(name) for name in sorted(fleet.deployed())]


def status(name: str, *, cluster: str | None = None) -> ModelStatus:
    """Return one model with its replicas as they are now.

    Raises:
        UnknownModelError: no model has that name.
    """
    return connect_fleet(cluster).status(name)
