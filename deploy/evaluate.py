"""`quackllm evaluate`: how many questions of a suite are answered right, asked through the SQL functions themselves."""

from __future__ import annotations

import json
import warnings
from time import perf_counter
from typing import Any

import duckdb
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..udf.connection import Connection, register
from ..udf.statement import FailedRowsWarning
from ..udf.text2sql.data import questions
from ..udf.text2sql.evaluate import OUTCOMES, History, Report, evaluate
from .show import err, out, show_json

PARTS = {"all": None, "one table": False, "several tables": True}
ASK = "SELECT text2sql(llm_param({'instruction': $question, 'history': $history}), model := $model)"


def show_accuracy(suite: str, limit: int | None, model: str | None, cluster: str | None, as_json: bool) -> None:
    """Evaluate a suite and print what came of it.

    Raises:
        SetupError: there is no such suite.
        UnknownModelError: the model is not deployed.
    """
    most = len(questions(suite))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    began = perf_counter()
    with Progress(*columns, console=err, transient=True) as progress, warnings.catch_warnings():
        warnings.simplefilter("ignore", FailedRowsWarning)
        bar = progress.add_task(suite, total=min(limit or most, most))

        def answer(connection: duckdb.DuckDBPyConnection, question: str, history: History) -> str | None:
            progress.advance(bar)
            return ask(connection, question, history, model, cluster)

        report = evaluate(answer, suite, limit=limit)
    seconds = perf_counter() - began
    if as_json:
        show_json(report_fields(report, model, seconds))
    else:
        out.print(report_table(report))
        asked = report.counts().total()
        out.print(f"{asked} questions in {seconds:.1f} s, asked of {model or 'the default model'}", highlight=False)


def ask(
    connection: duckdb.DuckDBPyConnection, question: str, history: History, model: str | None, cluster: str | None
) -> str | None:
    """Return the SQL that the function `text2sql` gives for a question with the turns before it."""
    if not isinstance(connection, Connection):
        connection = register(connection, cluster=cluster)
    turns = [
        {"role": role, "content": content}
        for asked, sql in history
        if sql
        for role, content in (("user", asked), ("assistant", sql))
    ]
    values = {"question": question, "history": json.dumps(turns) if turns else None, "model": model}
    row = connection.execute(ASK, values).fetchone()
    return None if row is None else row[0]


def report_fields(report: Report, model: str | None, seconds: float) -> dict[str, Any]:
    """Return a report as JSON can hold it."""
    parts = {label: {"accuracy": report.accuracy(joins), **report.counts(joins)} for label, joins in PARTS.items()}
    return {"suite": report.suite, "model": model, "seconds": round(seconds, 1), **parts}


def report_table(report: Report) -> Table:
    """Return a report as a table: execution accuracy, and how the questions came out."""
    table = Table("questions", "right, %", *OUTCOMES, title=f"{report.suite}: execution accuracy", box=None)
    for label, joins in PARTS.items():
        counts = report.counts(joins)
        percent = f"{100 * report.accuracy(joins):.1f}"
        table.add_row(label, percent, *(str(counts[outcome]) for outcome in OUTCOMES))
    return table
