"""The command line: `quackllm deploy`, `undeploy`, `models`, `status`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from .. import __version__
from .. import workers as models_here
from ..workers.errors import QuackLLMError, RequestError
from .export import export
from .place import lasting
from .prepare import prepare
from .show import out, show_error, show_json, show_models, show_status, status_fields
from .train import add_training
from .words import plain_words, read_params, without_secrets


class Commands(TyperGroup):
    """Reads Byzer's spelling of a command line, and shows our errors as one panel."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line."""
        words = ctx.obj = plain_words(args)
        return super().parse_args(ctx, words)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an error of ours ends it with exit code 1, and no error repeats a key."""
        try:
            return super().invoke(ctx)
        except typer.TyperException as error:
            error.message = without_secrets(error.message, ctx.obj)
            raise
        except QuackLLMError as error:
            if os.environ.get("QUACKLLM_DEBUG"):
                raise
            show_error(*(without_secrets(text, ctx.obj) for text in (error.message, error.hint)))
            raise typer.Exit(1) from None


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
)

Cluster = Annotated[
    str | None,
    typer.Option(
        "--cluster",
        "--ray-address",
        help="Ray's address, or 'auto' for this machine's. Left out: models answer in the process that asks.",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback(invoke_without_command=True)
def quackllm(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    """LLM functions inside DuckDB, answered by named workers.

    Deploy a model under a name; the name is a SQL function from then on:

        quackllm deploy qianwen_chat saas/qianwen -p saas.model=qwen-max

        SELECT llm_result(qianwen_chat('hello'));
    """
    if version:
        out.print(f"quackllm {__version__}", highlight=False)


@app.command()
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
    outcome = models_here.deploy(
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


@app.command()
def undeploy(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    cluster: Cluster = None,
) -> None:
    """Undeploy a model: its workers answer what they have taken, then end."""
    models_here.undeploy(name, cluster=lasting(cluster))
    out.print(f"{name}: undeployed", highlight=False)


@app.command("list", hidden=True)
@app.command()
def models(cluster: Cluster = None, json: Json = False) -> None:
    """List what is deployed, with its replicas as they are now."""
    statuses = models_here.models(cluster=lasting(cluster))
    if json:
        show_json([status_fields(status) for status in statuses])
    else:
        show_models(statuses)


@app.command()
def status(
    name: Annotated[str, typer.Argument(help="The model's name.")],
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Show one model: its settings and each replica. Keys are hidden."""
    found = models_here.status(name, cluster=lasting(cluster))
    if json:
        show_json(status_fields(found))
    else:
        show_status(found)


@app.command()
def evaluate(
    suite: Annotated[str, typer.Argument(help="spider, sparc, wikisql, chase_zh …, or a file of your own.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A deployed model; several are compared. Left out: text2sql's default.")
    ] = None,
    database: Annotated[str, typer.Option(help="A DuckDB file, for the questions that name none.")] = "",
    turns: Annotated[
        Literal["first", "all"] | None, typer.Option(help="Of conversations. Left out: all, and chase_zh's first.")
    ] = None,
    history: Annotated[
        Literal["own", "gold"], typer.Option(help="What later turns are told: the model's own SQL, or the right one.")
    ] = "own",
    limit: Annotated[int | None, typer.Option(min=1, help="Only so many questions or conversations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Draw them; left out, they are evenly spread.")] = None,
    store: Annotated[
        Literal["on", "off", "refresh"] | None, typer.Option(help="The call store: refresh asks everything again.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures and every question here.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Write report.json and results.jsonl here.")] = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Count how many questions of a suite are answered right, asked through the function text2sql.

    Right is SQL whose rows are those of the reference's SQL, or that says the same where there are no rows.
    The suites are the sample's, or those of the folder that QUACKLLM_DATA names:

        quackllm evaluate spider
        quackllm evaluate sparc --limit 50 --model qianwen_chat
        quackllm evaluate spider --model small --model tuned --html report.html
        quackllm evaluate questions.jsonl --database shop.duckdb

    Stopped and typed again, it asks only what was not answered yet.
    """
    from .evaluate import Outputs, show_accuracy

    exit_code = show_accuracy(
        *(suite, model or [], lasting(cluster), Outputs(json, folder, html)),
        database=database,
        turns=turns,
        gold_history=history == "gold",
        limit=limit,
        seed=seed,
        store=store,
    )
    raise typer.Exit(exit_code)


app.command()(prepare)


@app.command()
def demo(
    database: Annotated[str, typer.Option(help="One of the sample's databases.")] = "concert_singer",
    seed: Annotated[int, typer.Option(help="Another one draws other questions.")] = 1,
) -> None:
    """Ask a real database ten questions, in this process and through Ray, with no key and no download.

    It works in a folder of its own and leaves your models and call store alone.
    """
    from .demo import show_demo

    show_demo(database, seed)


add_training(app)
app.command()(export)


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
