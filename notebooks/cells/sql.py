"""`%sql`: a script on the notebook's connection, and its last result."""

from __future__ import annotations

import warnings
from typing import Any

import duckdb

from ... import Connection
from ...udf.session.statement import FailedRowsWarning
from ...udf.value_text import run_query
from ...workers.errors import RequestError
from ..display.result_table import Result
from ..notebook_connection import NotebookConnection
from .byzer_sql import byzer_hint

NOTHING: tuple[list[str], ...] = ([], ["Count"], ["Success"])
"""The columns of a result without rows where a statement has none: it made, set or wrote something."""


def sql(place: NotebookConnection, given: dict[str, str], text: str) -> Result | None:
    """Run SQL; return its result, or None where there is none to show.

    Args:
        place: whose connection and variables.
        given: perhaps `output`, a variable that gets a DataFrame.
        text: one or more statements.

    Raises:
        QuackLLMError, duckdb.Error: what the connection raises.
        RequestError: there is no SQL, or `output` is no name of a variable.
    """
    if not text.strip():
        raise RequestError("there is no SQL", hint="write %sql FROM llm_models()   or a %%sql cell")
    name = given.get("output")
    if name is not None and not name.isidentifier():
        raise RequestError(f"{name!r} cannot name a variable", hint="write --output df")
    try:
        result = run(place.connection(), text)
    except duckdb.Error as error:
        if hint := byzer_hint(text):
            raise RequestError(f"DuckDB: {error}", hint=hint) from error
        raise
    if name is None or result is None:
        return result
    place.variables[name] = result.df()
    print(f"{name}: {len(result):,} rows, {result.arrow.num_columns} columns", *result.notes, sep="\n")
    return None


def run(connection: Connection, text: str, values: Any = None) -> Result | None:
    """Run SQL and read its last result; what it warns of is told with it. None: it gave none."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FailedRowsWarning)
        table = run_query(connection, text, values)
    notes = [str(one.message) for one in caught if issubclass(one.category, FailedRowsWarning)]
    for other in caught:
        if not issubclass(other.category, FailedRowsWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if table is None or (table.num_rows == 0 and table.column_names in NOTHING):
        return None
    return Result(table, notes)
