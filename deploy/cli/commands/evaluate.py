"""`quackllm evaluate`: the flags; `deploy/evaluation/` does the work."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, Json


def evaluate(
    suite: Annotated[str, typer.Argument(help="spider, sparc, wikisql, chase_zh …, or a file of your own.")],
    model: Annotated[
        list[str] | None, typer.Option(help="A deployed model; several are compared. Left out: text2sql's default.")
    ] = None,
    database: Annotated[str, typer.Option(help="A DuckDB file, for the questions that name none.")] = "",
    turns: Annotated[
        Literal["first", "all"] | None, typer.Option(help="Of conversations. Left out: all; chase_zh: the first.")
    ] = None,
    history: Annotated[
        Literal["own", "gold"], typer.Option(help="The SQL of earlier turns: the model's own, or the reference.")
    ] = "own",
    limit: Annotated[int | None, typer.Option(min=1, help="Maximum number of questions or conversations.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed for drawing them at random. Left out: evenly spread.")] = None,
    store: Annotated[
        Literal["on", "off", "refresh"] | None, typer.Option(help="The call store: refresh ignores cached answers.")
    ] = None,
    notes: Annotated[str | None, typer.Option(help="Notes on the data: Markdown, or a file.")] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many verified examples the model is shown.")] = 0,
    votes: Annotated[int, typer.Option(min=1, help="How many answers are drawn at most.")] = 1,
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Evaluate also without each of these, and with none.")
    ] = False,
    save_calibration: Annotated[
        bool, typer.Option("--save-calibration", help="Fit the confidence to the outcomes, and keep that.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page with charts and every question here.")] = None,
    folder: Annotated[Path | None, typer.Option("--out", help="Write report.json and results.jsonl here.")] = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Count how many questions of a suite the function text2sql answers right.

    SQL is right if it returns the rows of the reference SQL or, if neither can run, is equivalent to it.
    The suites are the sample's, or those of the folder in QUACKLLM_DATA:

        quackllm evaluate spider
        quackllm evaluate sparc --limit 50 --model qianwen_chat
        quackllm evaluate spider --model small --model tuned --html report.html
        quackllm evaluate questions.jsonl --database shop.duckdb

    With notes and votes, each taken away in turn, in one table with paired tests:

        quackllm evaluate questions.jsonl --database shop.duckdb --notes shop.notes.md --votes 5 --ablate

    Stopped and typed again, it requests only the missing answers.
    """
    from ...evaluation.run_evaluation import Outputs, run_evaluation

    exit_code = run_evaluation(
        *(suite, model or [], resolve_cluster(cluster), Outputs(json, folder, html)),
        database=database,
        turns=turns,
        gold_history=history == "gold",
        limit=limit,
        seed=seed,
        store=store,
        notes=notes,
        examples=examples,
        votes=votes,
        ablate=ablate,
        calibrate=save_calibration,
    )
    raise typer.Exit(exit_code)
