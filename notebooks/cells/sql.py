"""`%sql`: a script on the notebook's connection, and its last result."""

from __future__ import annotations

import warnings
from typing import Any

from ... import Connection
from ...udf.session.statement import FailedRowsWarning
from ...udf.value_text import run_query
from ...workers.errors import RequestError
from ..display.result_table import Result
from ..notebook_connection import NotebookConnection

# The columns of an empty result of a statement that returns no rows: it created, set or wrote something.
NO_RESULT_COLUMNS: tuple[list[str], ...] = ([], ["Count"], ["Success"])


def sql(notebook: NotebookConnection, given: dict[str, str], text: str) -> Result | None:
    """Run SQL; return its last result, or None if it has no rows to show.

    Args:
        notebook: its connection and variables.
        given: the options; `output` is a variable that gets a DataFrame.
        text: one or more statements.

    Raises:
        QuackLLMError, duckdb.Error: the SQL failed.
        RequestError: there is no SQL, or `output` is not a variable's name.
    """
    if not text.strip():
        raise RequestError("there is no SQL", hint="write %sql FROM llm_models()   or a %%sql cell")
    name = given.get("output")
    if name is not None and not name.isidentifier():
        raise RequestError(f"{name!r} is not a name for a variable", hint="write --output df")
    result = run(notebook.connection(), text)
    if name is None or result is None:
        return result
    notebook.variables[name] = result.df()
    print(f"{name}: {len(result):,} rows, {result.arrow.num_columns} columns", *result.notes, sep="\n")
    return None


def run(connection: Connection, text: str, values: Any = None) -> Result | None:
    """Run SQL and return its last result with its warnings; None: it has no rows to show."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", FailedRowsWarning)
        table = run_query(connection, text, values)
    notes = [str(warning.message) for warning in caught if issubclass(warning.category, FailedRowsWarning)]
    for warning in caught:
        if not issubclass(warning.category, FailedRowsWarning):
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if table is None or (table.num_rows == 0 and table.column_names in NO_RESULT_COLUMNS):
        return None
    return Result(table, notes)
