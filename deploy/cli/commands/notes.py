"""`quackllm notes`: a first file of notes on a database, and what a model reads of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ....workers.errors import RequestError
from ...terminal_output import print_line

if TYPE_CHECKING:
    from ....udf.connection import Connection


def notes(
    action: Annotated[Literal["draft", "show"], typer.Argument(help="Write a first file, or show what is read.")],
    database: Annotated[Path, typer.Argument(help="A DuckDB file.")],
    question: Annotated[str, typer.Option(help="Show the part that matters to this question.")] = "",
    out: Annotated[
        Path | None, typer.Option(help="Write here. Left out: beside the database, as NAME.notes.md.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that exists.")] = False,
) -> None:
    """Write first notes on a database, or show what a model reads of them.

    A draft needs no model: it has the tables, their columns with few values, the joins, and headings for what only you
    know. Correct it; every question to the database is then asked with it.

        quackllm notes draft shop.duckdb
        quackllm notes show shop.duckdb --question "What was the revenue last month?"
    """
    from ..open_database import open_database

    if action == "show":
        _show(database, question)
        return
    path = out or database.with_suffix(".notes.md")
    if path.exists() and not force:
        raise RequestError(f"{path} exists already", hint="add --force to write over it, or --out OTHER.md")
    with open_database(str(database), read_only=True) as connection:
        text = _draft(connection)
    path.write_text(text, "utf-8")
    print_line(f"{path}: correct it, and every question to {database.name} is asked with it")


def _draft(connection: Connection) -> str:
    from ....udf.raw_sql import execute_raw
    from ....udf.text2sql.notes.draft_notes import draft_notes
    from ....udf.text2sql.schema.catalog import read_catalog

    schema = read_catalog(connection)
    rows = execute_raw(connection, "SELECT table_name, estimated_size FROM duckdb_tables() WHERE NOT internal")
    return draft_notes(schema, {str(name): int(size) for name, size in rows})


def _show(database: Path, question: str) -> None:
    from ....udf.text2sql.notes.read_notes import read_notes
    from ....udf.text2sql.notes.select_notes import select_notes
    from ...terminal_output import stderr

    found = read_notes(None, [database])
    if not found.text:
        raise RequestError(f"there are no notes beside {database}", hint=f"type: quackllm notes draft {database}")
    print(select_notes(found.text, question))
    for warning in found.warnings:
        stderr.print(warning, style="yellow", markup=False, highlight=False)
