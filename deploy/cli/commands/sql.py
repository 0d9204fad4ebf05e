"""`quackllm sql`: a DuckDB with the functions registered, for a statement, a script, or a person who types."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ....workers.errors import RequestError, SetupError
from ..cluster_option import resolve_cluster
from ..row_output import output_format
from ..shared_options import Cluster, DatabaseFile, DefaultModel, Json

DATABASE_SUFFIXES = (".duckdb", ".db", ".ddb")


def sql(
    script: Annotated[
        str | None, typer.Argument(metavar="SCRIPT.sql", help="A file of statements; - is the standard input.")
    ] = None,
    command: Annotated[str | None, typer.Option("--command", "-c", help="Run these statements instead.")] = None,
    database: DatabaseFile = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="Change nothing in the file.")] = False,
    model: DefaultModel = None,
    cluster: Cluster = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Run SQL with the LLM functions: a prompt, a statement, or a script.

    A prompt, where statements end with a semicolon and .help says what else there is:

        quackllm sql --database shop.duckdb

    A statement; a script; what another program writes:

        quackllm sql -c "SELECT llm_result(qianwen_chat('hello'))"
        quackllm sql nightly.sql --database shop.duckdb
        echo "FROM ask('How many singers are there?')" | quackllm sql -d :sample

    For a program; progress and warnings go to the standard error:

        quackllm sql -c "FROM llm_usage()" --json
        quackllm sql -c "FROM review" -d shop.duckdb --csv > review.csv

    :sample is one of the databases that come with quackllm; :pets_1, :world_1 … are others.
    A script stops at its first error, with exit code 1.
    """
    from ..open_database import open_database
    from ..run_sql import run_script

    rows_as = output_format(json=json, csv=csv)
    text = _read_script(script, command)
    with open_database(database, model=model, cluster=resolve_cluster(cluster), read_only=read_only) as connection:
        if text is None:
            from ..sql_repl import run_repl

            run_repl(connection, rows_as)
        else:
            run_script(connection, text, rows_as)


def _read_script(script: str | None, command: str | None) -> str | None:
    """Return the statements to run; None: they are typed at a prompt.

    Raises:
        RequestError: there is both a script and --command.
        SetupError: the script cannot be read.
    """
    if script is not None and command is not None:
        raise RequestError("there are statements in --command and in a script", hint="leave one out")
    if command is not None:
        return command
    if script is None and sys.stdin.isatty():
        return None
    if script in (None, "-"):
        return sys.stdin.read()
    if script.endswith(DATABASE_SUFFIXES):
        raise RequestError(f"{script} is a database, and no script", hint=f"type: quackllm sql --database {script}")
    try:
        return Path(script).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"the script {script} cannot be read: {error}", hint="put the statement after -c") from error
