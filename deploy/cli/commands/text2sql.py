"""`quackllm text2sql`: a question about a database as SQL, and its rows."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ....workers.errors import RequestError
from ..cluster_option import resolve_cluster
from ..shared_options import Cluster, DatabaseFile, DefaultModel, Json

if TYPE_CHECKING:
    import pyarrow as pa

    from ....udf.connection import Connection

DETAIL_SQL = """
    SELECT text2sql_detail(
        $question, schema := $schema, notes := $notes, examples := $examples, votes := $votes, model := $model,
        min_confidence := $min_confidence
    ) AS detail
"""
FIELDS = (
    *("sql", "error", "attempts", "bound", "model", "usage", "seconds"),
    *("confidence", "alternatives", "warnings"),
)


def text2sql(
    question: Annotated[str, typer.Argument(help="In English, Chinese or another language of the model.")],
    database: DatabaseFile = None,
    schema: Annotated[
        str | None,
        typer.Option(help="Names of tables; or DDL or M-Schema, as text or a file. Left out: all of the database."),
    ] = None,
    run: Annotated[bool, typer.Option("--run", help="Run the SQL and show its rows.")] = False,
    max_rows: Annotated[int, typer.Option(min=1, help="The maximum number of rows of --run.")] = 10_000,
    notes: Annotated[
        str | None,
        typer.Option(help="Notes on the data: Markdown, or a file. shop.notes.md is found beside the database."),
    ] = None,
    examples: Annotated[int, typer.Option(min=0, help="How many verified examples the model is shown.")] = 0,
    votes: Annotated[int, typer.Option(min=1, help="How many answers are drawn at most; the largest group wins.")] = 1,
    min_confidence: Annotated[
        float | None, typer.Option(min=0, max=1, help="Give no SQL that is less sure than this, from 0 to 1.")
    ] = None,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help="Print all that the model was sent.")] = False,
    model: DefaultModel = None,
    cluster: Cluster = None,
    json: Json = False,
) -> None:
    """Turn a question about a database into SQL, and run it.

    About the database that comes with quackllm, and about one of your own:

        quackllm text2sql "How many singers are from France?" --database :sample
        quackllm text2sql "How many singers are from France?" --database :sample --run
        quackllm text2sql "上个月卖了多少？" --database shop.duckdb --schema sale,product --model qianwen_chat

    Without --model the only deployed model answers, or the built-in one if there are several or none. Without a
    database, about tables that are only described:

        quackllm text2sql "Who is the oldest?" --schema "CREATE TABLE singer (name VARCHAR, age INTEGER)"

    What you know about the data is a file of notes (quackllm notes), and several answers can vote:

        quackllm text2sql "What was the churn last year?" -d shop.duckdb --notes shop.notes.md --votes 5 --show-prompt

    The database is opened for reading, and the SQL passes the guard: one SELECT, no files, no network.
    :sample is a database that comes with quackllm; :pets_1, :world_1 … are others. Exit code 1: no SQL was found.
    """
    from ..open_database import open_database

    if database is None and schema is None:
        raise RequestError(
            "there is no database and no schema",
            hint="type: --database shop.duckdb, or :sample, or --schema 'CREATE TABLE …'",
        )
    if run and database is None:
        raise RequestError("--run needs rows", hint="type: --database shop.duckdb, or :sample")
    default = None if model and "," in model else model
    with open_database(database, model=default, cluster=resolve_cluster(cluster), read_only=True) as connection:
        options = {
            "notes": notes,
            "examples": examples,
            "votes": votes,
            "model": model,
            "min_confidence": min_confidence,
        }
        detail = _generate(connection, question, schema, options)
        rows = _rows(connection, detail, max_rows) if run and detail["sql"] else None
    if show_prompt and not json:
        print(detail["prompt"], end="\n\n")
    _show(question, detail, rows, json, FIELDS if not show_prompt else (*FIELDS, "prompt"))
    if detail["sql"] is None:
        raise typer.Exit(1)


def _generate(connection: Connection, question: str, schema: str | None, options: dict[str, Any]) -> dict[str, Any]:
    from ....udf.session.statement import FailedRowsWarning

    # There is one question, and its error is printed.
    warnings.filterwarnings("ignore", ".* got no complete answer", FailedRowsWarning)
    text = Path(schema).read_text("utf-8") if schema and os.path.isfile(schema) else schema
    rows = connection.execute(DETAIL_SQL, {"question": question, "schema": text, **options}).fetchall()
    detail: dict[str, Any] = rows[0][0]
    return detail


def _rows(connection: Connection, detail: dict[str, Any], max_rows: int) -> pa.Table:
    """Run the SQL.

    Raises:
        RequestError: the SQL was not checked against the database.
        SetupError: DuckDB refused it.
    """
    from ...sql_errors import sql_errors

    if not detail["bound"]:
        raise RequestError(f"the SQL could not be checked, and was not run: {detail['sql']}")
    from ....udf.value_text import run_query
    from ....workers.sql_text import quote_literal

    with sql_errors("the SQL failed"):
        return run_query(connection, f"FROM guarded_query({quote_literal(detail['sql'])}, max_rows := {max_rows})")


def _show(question: str, detail: dict[str, Any], rows: pa.Table | None, json: bool, names: tuple[str, ...]) -> None:
    from ...terminal_output import show_error, show_json, stdout
    from ..row_output import show_rows, show_with_rows

    if json:
        fields = {"question": question, **{name: detail[name] for name in names}}
        if rows is None:
            show_json(fields)
        else:
            show_with_rows(fields, rows)
    elif detail["error"] and detail["error"]["code"] == "unclear":
        show_error(f"{detail['model']} asks back: {detail['error']['message']}", "put the answer into the question")
    elif detail["sql"] is None:
        code, message = detail["error"]["code"], detail["error"]["message"]
        hint = "rephrase the question, or try another --model: quackllm list names them"
        show_error(f"{detail['model']} found no SQL ({code}): {message}", hint)
    elif stdout.is_terminal:
        from rich.syntax import Syntax

        stdout.print(Syntax(detail["sql"], "sql", word_wrap=True, background_color="default"))
    else:
        print(detail["sql"])
    if detail["sql"] is not None and not json:
        _show_doubts(detail)
    if rows is not None and not json:
        show_rows(rows, "table")


def _show_doubts(detail: dict[str, Any]) -> None:
    """Print, beside the standard output, how sure the SQL is and what speaks against it."""
    from ....udf.text2sql.result import describe_doubts
    from ...terminal_output import stderr

    if doubts := describe_doubts(detail["confidence"], detail["warnings"]):
        stderr.print(doubts, style="yellow", markup=False, highlight=False)
    elif detail["confidence"] is not None:
        stderr.print(f"confidence {detail['confidence']:.0%}", style="dim", markup=False, highlight=False)
