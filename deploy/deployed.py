"""`quackllm deploy`, `undeploy`, `list` and `status`."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import workers
from ..workers.errors import RequestError
from .flags import Cluster, Json, Name
from .place import lasting
from .show import out, show_json, show_models, show_status, status_fields
from .words import read_params


def deploy(
    name: Annotated[str | None, typer.Argument(help="The model's name in SQL, e.g. qianwen_chat.")] = None,
    type: Annotated[str | None, typer.Argument(help="saas/SERVICE, custom/auto, builtin/text2sql or echo.")] = None,
    model: Annotated[str | None, typer.Option(help="The same as NAME.", rich_help_panel="Byzer's spelling")] = None,
    pretrained_model_type: Annotated[
        str | None, typer.Option(help="The same as TYPE.", rich_help_panel="Byzer's spelling")
    ] = None,
    infer_params: Annotated[
        list[str] | None,
        typer.Option(
            "--infer-params", "-p", metavar="KEY=VALUE...", help="Settings of the engine: saas.X, backend.X, limits.X."
        ),
    ] = None,
    infer_backend: Annotated[
        str | None, typer.Option(help="What runs a local model: transformers, llama_cpp or vllm.")
    ] = None,
    model_path: Annotated[
        str | None, typer.Option(help="A local model: a folder, a Hugging Face id, or modelscope:ID.")
    ] = None,
    num_workers: Annotated[int, typer.Option(min=1, help="Replicas on a cluster.")] = 1,
    worker_concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests under way at once in one worker.")
    ] = None,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="What Ray reserves for one worker.")] = 0,
    cpus_per_worker: Annotated[float, typer.Option(min=0, help="What Ray reserves for one worker.")] = 0.01,
    cluster: Cluster = None,
) -> None:
    """Deploy a model under a name, which becomes a SQL function.

    A service, whose key is read from the environment where the model runs:

        export DASHSCOPE_API_KEY=...
        quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max

    A local model:

        quackllm deploy zephyr_7b_chat custom/auto --gpus-per-worker 1 \\
          --model-path /models/zephyr-7b

    Two replicas on the Ray cluster of this machine, in Byzer's spelling:

        quackllm deploy --pretrained_model_type saas/qianwen --num_workers 2 \\
          --infer_params saas.api_key=${TOKEN} saas.model=qwen-max \\
          --model qianwen_chat --ray_address auto

    Deploying a name again with other settings rolls them out; with the same ones nothing changes.
    """
    params = read_params(infer_params or [])
    if infer_backend:
        params["backend"] = infer_backend
    if model_path:
        params["model_path"] = model_path
    chosen = _one("name", name, "--model", model, "qianwen_chat")
    outcome = workers.deploy(
        chosen,
        _one("type", type, "--pretrained_model_type", pretrained_model_type, "saas/qianwen"),
        num_workers=num_workers,
        worker_concurrency=worker_concurrency,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        infer_params=params,
        cluster=lasting(cluster),
    )
    out.print(f"{chosen}: {outcome}", highlight=False)
    out.print(f"Ask it: SELECT llm_result({chosen}('hello'));", highlight=False, markup=False)


def undeploy(
    name: Name,
    cluster: Cluster = None,
) -> None:
    """Undeploy a model: its workers answer what they have taken, then end."""
    workers.undeploy(name, cluster=lasting(cluster))
    out.print(f"{name}: undeployed", highlight=False)


def models(cluster: Cluster = None, json: Json = False) -> None:
    """List what is deployed, with its replicas as they are now."""
    statuses = workers.models(cluster=lasting(cluster))
    if json:
        show_json([status_fields(status) for status in statuses])
    else:
        show_models(statuses)


def status(
    name: Name,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Show one model: its settings and each replica. Keys are hidden."""
    found = workers.status(name, cluster=lasting(cluster))
    if json:
        show_json(status_fields(found))
    else:
        show_status(found)


def _one(what: str, word: str | None, flag: str, flagged: str | None, example: str) -> str:
    """Return what was said in one of two ways.

    Raises:
        RequestError: neither was used, or both were and differ.
    """
    if word and flagged and word != flagged:
        raise RequestError(
            f"the {what} is {word!r} and, with {flag}, {flagged!r}", hint=f"leave one out: {flag} is the same"
        )
    chosen = word or flagged
    if not chosen:
        raise RequestError(
            f"the model's {what} is missing",
            hint=f"type: quackllm deploy qianwen_chat saas/qianwen, or {flag} {example}",
        )
    return chosen
