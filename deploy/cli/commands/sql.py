"""`quackllm sql`: a DuckDB with the functions registered, for a statement, a script, or a person who types."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ....workers.errors import RequestError, SetupError
from ..cluster_option import resolve_cluster
from ..options import Cluster, DatabaseFile, DefaultModel, Json
from ..row_output import Form, form_of

if TYPE_CHECKING:
    import duckdb

    from ....udf.connection import Connection

DATABASES = (".duckdb", ".db", ".ddb")
UNKNOWN_FUNCTION = re.compile(r"Function with name \"?(\w+)\"? does not exist")


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
    from ..database import open_database

    form = form_of(json=json, csv=csv)
    text = _script(script, command)
    with open_database(database, model=model, cluster=resolve_cluster(cluster), read_only=read_only) as connection:
        if text is None:
            from ..sql_repl import run_repl

            run_repl(connection, form)
        else:
            run_script(connection, text, form)


def _script(script: str | None, command: str | None) -> str | None:
    """Return the statements to run; None where a person is to type them.

    Raises:
        RequestError, SetupError: both were given, or the file cannot be read.
    """
    if script is not None and command is not None:
        raise RequestError("there are statements in --command and in a script", hint="leave one out")
    if command is not None:
        return command
    if script is None and sys.stdin.isatty():
        return None
    if script in (None, "-"):
        return sys.stdin.read()
    if script.endswith(DATABASES):
        raise RequestError(f"{script} is a database, and no script", hint=f"type: quackllm sql --database {script}")
    try:
        return Path(script).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SetupError(f"the script {script} cannot be read: {error}", hint="a statement goes behind -c") from error


def run_script(connection: Connection, text: str, form: Form) -> None:
    """Run the statements one by one and print the rows of each; the first error ends it.

    Raises:
        SetupError: DuckDB refused a statement; the message says where it begins.
    """
    with sql_errors("the script"):
        statements = connection.extract_statements(text)
    begins = 0
    for number, statement in enumerate(statements, 1):
        begins = max(text.find(statement.query.strip(), begins), begins)
        place = f"statement {number}, line {text.count(chr(10), 0, begins) + 1}" if len(statements) > 1 else ""
        with sql_errors(place):
            run_statement(connection, statement, form)


def run_statement(connection: Connection, statement: duckdb.Statement, form: Form) -> None:
    """Run one statement and print its rows, where it has any."""
    from duckdb import ExpectedResultType

    from ....udf.value_text import run_query
    from ..row_output import show_rows

    # Not .sql(): binding its relation would ask a constant request, and running it would ask one that failed again.
    if (rows := run_query(connection, statement.query)) is None:
        return
    kinds = statement.expected_result_type
    shows = ExpectedResultType.QUERY_RESULT in kinds and (len(kinds) == 1 or rows.column_names != ["Count"])
    if shows and form == "table" and rows.column_names == ["explain_key", "explain_value"]:
        print(*rows["explain_value"].to_pylist(), sep="\n")
    elif shows:
        show_rows(rows, form)


@contextmanager
def sql_errors(place: str) -> Iterator[None]:
    """Raise DuckDB's errors as ours, with the place in the script."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        raise SetupError(f"{place}: {error}" if place else str(error), hint=_hint_for(error)) from error


def _hint_for(error: Exception) -> str:
    """Return what to type where a function is not known: it may be a model that is deployed elsewhere, or not yet."""
    if found := UNKNOWN_FUNCTION.search(str(error)):
        return f"if {found[1]} is a model:  quackllm list   shows those of this machine, with --cluster a cluster's"
    return ""
