"""`quackllm deploy`, `undeploy`, `list` and `status`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .... import workers
from ....workers.errors import RequestError
from ...terminal_output import (
    print_line,
    show_json,
    show_models,
    show_next_step,
    show_outcome,
    show_status,
    status_fields,
    stderr,
    stdout,
)
from ..argv import parse_params
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, Json, Name, deployed_names

if TYPE_CHECKING:
    from ...models_file import ApplyOutcome


def deploy(
    name: Annotated[str | None, typer.Argument(help="The model's name in SQL, e.g. qianwen_chat.")] = None,
    type: Annotated[
        str | None, typer.Argument(help="saas/SERVICE, custom/auto, builtin/text2sql, echo, or @MODEL.")
    ] = None,
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
        int | None, typer.Option(min=1, help="Requests in flight at once in one worker.")
    ] = None,
    gpus_per_worker: Annotated[float, typer.Option(min=0, help="What Ray reserves for one worker.")] = 0,
    cpus_per_worker: Annotated[float, typer.Option(min=0, help="What Ray reserves for one worker.")] = 0.01,
    file: Annotated[
        Path | None, typer.Option("--file", "-f", help="Deploy the models of this YAML file, by name.")
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="With --file: undeploy models that are not in it.")] = False,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Deploy a model under a name, or all the models of a file.

    A service; its key is read from the environment where the model runs:

        export DASHSCOPE_API_KEY=...
        quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max

    A local model:

        quackllm deploy zephyr_7b_chat custom/auto --gpus-per-worker 1 \\
          --model-path /models/zephyr-7b

    An open model that writes SQL, from Hugging Face, or from ModelScope; @ alone lists them with size and licence:

        quackllm deploy sql @xiyan-3b
        quackllm deploy sql @xiyan-3b:modelscope --gpus-per-worker 1

    Two replicas on the Ray cluster of this machine, in Byzer's spelling:

        quackllm deploy --pretrained_model_type saas/qianwen --num_workers 2 \\
          --infer_params saas.api_key=${TOKEN} saas.model=qwen-max \\
          --model qianwen_chat --ray_address auto

    The models of a file, whose fields are the flags here; keys are written as env:NAME:

        quackllm deploy -f models.yaml --cluster auto
        quackllm deploy -f models.yaml --prune

    The name becomes a SQL function. Deploying it again with other settings rolls them out; with the same settings
    nothing changes. Exit code 1: a model was not deployed.
    """
    if file:
        _require_file_alone(name or model, type or pretrained_model_type, infer_params, infer_backend, model_path)
        from ...models_file import apply_models_file

        on = resolve_cluster(cluster)
        outcomes = _show_outcomes(apply_models_file(file, on, prune=prune), json)
        _warn_of_addresses([outcome.name for outcome in outcomes], on)
        _exit_if_failed(outcomes)
        return
    if prune:
        raise RequestError("--prune needs --file", hint="type: quackllm deploy -f models.yaml --prune")
    params = parse_params(infer_params or [])
    if infer_backend:
        params["backend"] = infer_backend
    if model_path:
        params["model_path"] = model_path
    if (written := type or pretrained_model_type) and written.startswith("@"):
        from ....workers.deployments.catalogue import catalogue_params

        params = {**catalogue_params(written, gpu=gpus_per_worker > 0), **params}
        type, pretrained_model_type = "custom/auto", None
    on = resolve_cluster(cluster)
    chosen = _name_from_either("name", name, "--model", model, "qianwen_chat")
    outcome = workers.deploy(
        chosen,
        _name_from_either("type", type, "--pretrained_model_type", pretrained_model_type, "saas/qianwen"),
        num_workers=num_workers,
        worker_concurrency=worker_concurrency,
        gpus_per_worker=gpus_per_worker,
        cpus_per_worker=cpus_per_worker,
        infer_params=params,
        cluster=on,
    )
    if json:
        show_json({"name": chosen, "outcome": outcome})
    else:
        print_line(f"{chosen}: {outcome}")
        if num_workers > 1 and on is None:
            print_line(f"It has one worker in this process; {num_workers} workers need a cluster: --cluster auto")
        show_next_step(chosen, writes_sql="prompt_form" in params, cluster=cluster)
    _warn_of_addresses([chosen], on)


def _require_file_alone(*given: str | list[str] | None) -> None:
    if any(given):
        raise RequestError("--file cannot be combined with a name, a type or settings", hint="leave out all but --file")


def _warn_of_addresses(names: Iterable[str], cluster: str | None) -> None:
    """Say for which of these models nothing answers at the service's address now: it may be started later."""
    from concurrent.futures import ThreadPoolExecutor

    from ...doctor.check_models import check_address

    deployed = workers.connect_fleet(cluster).deployed()
    specs = [deployed[name] for name in names if name in deployed]
    with ThreadPoolExecutor(max_workers=len(specs) or 1) as pool:
        for findings in pool.map(lambda spec: list(check_address(spec, spec.plan().settings)), specs):
            for finding in findings:
                warning = f"warning: {finding.subject} is deployed, but {finding.message}: {finding.fix}"
                print_line(warning, to=stderr, style="yellow")


def _show_outcomes(outcomes: Iterable[ApplyOutcome], json: bool) -> list[ApplyOutcome]:
    """Print a line per model when it is done, or all as JSON."""
    seen = []
    for outcome in outcomes:
        seen.append(outcome)
        if not json:
            show_outcome(outcome)
    if json:
        show_json([asdict(outcome) for outcome in seen])
    elif not seen:
        stdout.print("The file contains no model.")
    return seen


def _exit_if_failed(outcomes: Iterable[ApplyOutcome]) -> None:
    if any(outcome.outcome == "failed" for outcome in outcomes):
        raise typer.Exit(1)


def undeploy(
    names: Annotated[list[str], typer.Argument(help="The models' names.", autocompletion=deployed_names)],
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Undeploy models: they finish the requests that they have, then end.

    In this process, and on a cluster:

        quackllm undeploy qianwen_chat
        quackllm undeploy qianwen_chat kimi_chat --cluster auto

    Exit code 1: one of them was not deployed; the others are undeployed.
    """
    from ...models_file import undeploy_all

    _exit_if_failed(_show_outcomes(undeploy_all(names, resolve_cluster(cluster)), json))


def models(cluster: Cluster = None, json: Json = False) -> None:
    """List the deployed models, with their replicas as they are now.

    In this process; on a cluster, as JSON:

        quackllm list
        quackllm list --cluster auto --json

    JSON holds each model's settings too.
    """
    statuses = workers.models(cluster=resolve_cluster(cluster))
    if json:
        show_json([status_fields(status) for status in statuses])
    else:
        show_models(statuses, cluster)


def status(name: Name, cluster: Cluster = None, json: Json = False) -> None:
    """Show a model: its settings and each replica. Keys are hidden.

    In this process; on a cluster, as JSON:

        quackllm status qianwen_chat
        quackllm status qianwen_chat --cluster auto --json

    A replica with more than one start has died and was restarted.
    """
    model_status = workers.status(name, cluster=resolve_cluster(cluster))
    if json:
        show_json(status_fields(model_status))
    else:
        show_status(model_status)


def _name_from_either(what: str, argument: str | None, flag: str, option: str | None, example: str) -> str:
    """Return a value that can be given as an argument or as an option.

    Args:
        what: the value's name, for errors.
        argument: the argument.
        flag: the option's flag.
        option: the option's value.
        example: of a value, for errors.

    Raises:
        RequestError: neither was given, or both and they differ.
    """
    if argument and option and argument != option:
        raise RequestError(
            f"the {what} is {argument!r} and, with {flag}, {option!r}", hint=f"leave one out: {flag} is the same"
        )
    chosen = argument or option
    if not chosen:
        raise RequestError(
            f"the model's {what} is missing",
            hint=f"type: quackllm deploy qianwen_chat saas/qianwen, or {flag} {example}",
        )
    return chosen
