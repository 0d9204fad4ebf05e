"""The statement of `/model/predict`: loads the request's rows as a table, and runs the select list over them."""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from ....udf.value_text import run_query
from ....workers.sql_text import quote_identifier
from .reply import answers_in, rows_as_json
from .select_list import DATA, REQUEST_MACRO

# The rows as JSON, and the first failure if every answer in them failed.
Reply = tuple[str, dict[str, Any] | None]


def load_rows(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> None:
    """Create the table of a request's rows, and lock DuckDB's configuration."""
    duckdb.DuckDBPyConnection.register(connection, "given", rows)
    names = ", ".join(map(quote_identifier, rows.column_names)) or "NULL AS feature"
    for statement in (f"CREATE TABLE {DATA} AS SELECT {names} FROM given", REQUEST_MACRO):
        duckdb.DuckDBPyConnection.execute(connection, statement)
    duckdb.DuckDBPyConnection.unregister(connection, "given")
    duckdb.DuckDBPyConnection.execute(connection, "SET lock_configuration = true")


def reply_to(connection: duckdb.DuckDBPyConnection, sql: str) -> Reply:
    """Run a SELECT over the request's rows and return the reply.

    Raises:
        QuackLLMError, duckdb.Error: as the connection raises them.
    """
    found = run_query(connection, sql)
    assert found is not None, "a SELECT has a result"
    answers = answers_in(found)
    failed = answers[0] if answers and all(answer["error"] for answer in answers) else None
    return rows_as_json(found), failed
