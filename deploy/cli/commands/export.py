"""`quackllm export`: a merged model as safetensors, or as a GGUF for llama.cpp, Ollama and LM Studio."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from ...terminal_output import print_line, stderr
from ..prompt_form import deploy_command, load_prompt_form, save_prompt_form

if TYPE_CHECKING:
    from ....workers.training.export_model import Exported


def export(
    model: Annotated[str, typer.Argument(help="A merged model's folder, or that of a finished run.")],
    target: Annotated[str, typer.Argument(help="A name that ends in .gguf, or a folder for safetensors.")],
    type: Annotated[
        str | None,
        typer.Option(
            help="GGUF: F16, BF16, Q8_0, Q6_K, Q5_K_M, Q4_K_M, Q4_0 … (left out: Q4_K_M). "
            "Safetensors: float32, bfloat16, float16 (left out: as they are)."
        ),
    ] = None,
    max_shard_size: Annotated[str, typer.Option(help="Safetensors: the most of one file.")] = "5GB",
    ollama: Annotated[bool, typer.Option("--ollama", help="GGUF: write Ollama's Modelfile beside it.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write a model for other programs: safetensors, or a GGUF in 2 to 32 bits a weight.

    For llama.cpp, and through it for quackllm:

        quackllm export runs/sql/merged sql.Q4_K_M.gguf
        quackllm deploy sql_chat custom/auto -p backend=llama_cpp -p model_path=sql.Q4_K_M.gguf

    For Ollama, with its chat template:

        quackllm export runs/sql/merged sql.Q8_0.gguf --type Q8_0 --ollama

    For vLLM and others, in 16 bits and files of 2 GB:

        quackllm export runs/sql/merged sql-bf16 --type bfloat16 --max-shard-size 2GB

    Llama, Mistral, Qwen2 and Qwen3 become a GGUF. The result gets its name when it is complete.
    """
    from ....workers.training.export_model import export as export_model
    from ....workers.training.run_folder import require_finished

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        bar = progress.add_task(Path(target).name, total=None)
        done = export_model(
            model,
            target,
            type=type,
            max_shard_size=max_shard_size,
            ollama=ollama,
            overwrite=overwrite,
            progress=lambda written, total: progress.update(bar, completed=written, total=total),
            warn=lambda message: print_line(message, to=stderr),
        )
    prompt_form = load_prompt_form(require_finished(model))
    if done.path.is_dir():
        save_prompt_form(done.path, prompt_form)
    for line in result_lines(done, prompt_form):
        print_line(line)


def result_lines(done: Exported, prompt_form: str | None) -> list[str]:
    """Return what was written, and what to type next."""
    path = done.path
    name = path.stem.partition(".")[0].lower().replace("-", "_")
    options = f"-p backend=llama_cpp -p model_path={path}" if path.suffix == ".gguf" else f"--model-path {path}"
    lines = [f"{path}: {done.type}, {done.bytes / 1e6:,.1f} MB"]
    lines.append(f"Deploy it: {deploy_command(f'{name}_chat', options, prompt_form)}")
    if done.modelfile:
        lines.append(f"Ollama: ollama create {name} -f {done.modelfile}")
    if done.template_left_out:
        lines.append(f"Its Modelfile has no template; Ollama chooses one of its own: {done.template_left_out}")
    return [*lines, f"LM Studio: lms import {path}"] if path.suffix == ".gguf" else lines
