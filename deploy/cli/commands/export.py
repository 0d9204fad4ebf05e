"""`quackllm export`: a merged model as safetensors, or as a GGUF for llama.cpp, Ollama and LM Studio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from ...console import stderr, stdout


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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write a model for other programs: safetensors, or a GGUF in 2 to 32 bits a weight.

    For llama.cpp, and through it for quackllm:

        quackllm export runs/sql/merged sql.Q4_K_M.gguf
        quackllm deploy sql_chat custom/auto -p backend=llama_cpp -p model_path=sql.Q4_K_M.gguf

    For Ollama, with its chat template:

        quackllm export runs/sql/merged sql.Q8_0.gguf --type Q8_0 --ollama

    For vLLM and others, in 16 bits and files of 2 GB:

        quackllm export runs/sql/merged sql-bf16 --type bfloat16 --max-shard-size 2GB

    Llama, Mistral, Qwen2 and Qwen3 become a GGUF. What is written takes its name when it is complete.
    """
    from ....workers.training.export import Exported
    from ....workers.training.export import export as export_model

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=stderr, transient=True) as progress:
        bar = progress.add_task(Path(target).name, total=None)
        done: Exported = export_model(
            model,
            target,
            type=type,
            max_shard_size=max_shard_size,
            ollama=ollama,
            overwrite=overwrite,
            progress=lambda written, total: progress.update(bar, completed=written, total=total),
            warn=lambda words: stderr.print(words, highlight=False, markup=False),
        )
    for line in result_lines(done.path, done.type, done.bytes, done.modelfile, done.template_left_out):
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)


def result_lines(path: Path, type: str, size: int, modelfile: Path | None, template_left_out: str | None) -> list[str]:
    """Return what was written, and what to type next."""
    lines = [f"{path}: {type}, {size / 1e6:,.1f} MB"]
    name = path.stem.partition(".")[0].lower().replace("-", "_")
    deploy = f"Deploy it: quackllm deploy {name}_chat custom/auto"
    if path.suffix != ".gguf":
        return [*lines, f"{deploy} --model-path {path}"]
    lines.append(f"{deploy} -p backend=llama_cpp -p model_path={path}")
    if modelfile:
        lines.append(f"Ollama: ollama create {name} -f {modelfile}")
    if template_left_out:
        lines.append(f"Its Modelfile has no template, and Ollama takes one that it knows: {template_left_out}")
    return [*lines, f"LM Studio: lms import {path}"]
