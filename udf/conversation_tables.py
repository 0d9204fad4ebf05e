"""Turns stored as tables: one row, the answer with its history; SQL and other processes continue it by its name."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from typing import Any

from ..workers.errors import RequestError, did_you_mean
from ..workers.messages import Message, Response
from ..workers.sql_text import quote_identifier
from .connection import Connection
from .functions.arrow import RESPONSE_SQL, messages_from_rows, responses_to_arrow
from .raw_sql import execute_raw
from .text2sql.schema.catalog import TURN_COMMENT

TABLES_AND_VIEWS = """
    SELECT table_name, comment FROM (
        SELECT table_name, comment, database_name, schema_name FROM duckdb_tables()
        UNION ALL SELECT view_name, comment, database_name, schema_name FROM duckdb_views() WHERE NOT internal
    ) WHERE database_name = 'temp' OR (database_name, schema_name) = (current_database(), current_schema())
"""
READ_ONLY = "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"


def check_turn_name(connection: Connection, name: str) -> None:
    """Make sure that a turn can be stored under this name, before the call is paid for.

    Raises:
        RequestError: it is no name, or one of a table that holds something else, or nothing can be written here.
    """
    if not name.isidentifier() or keyword.iskeyword(name):
        raise RequestError(f"{name!r} is not a name for a table and a variable", hint="write a name like q1")
    for table, comment in execute_raw(connection, TABLES_AND_VIEWS):
        if table.lower() == name.lower() and comment != TURN_COMMENT:
            before = quote_identifier(f"{name}_before")
            hint = f"write another name, or type: ALTER TABLE {quote_identifier(name)} RENAME TO {before}"
            raise RequestError(
                f"there is a table {table} already, and it does not contain a turn of a conversation", hint=hint
            )
    if execute_raw(connection, READ_ONLY)[0][0]:
        raise RequestError(
            f"the table {name} cannot be written: the database is open for reading only", hint="leave out the output"
        )


def save_response(connection: Connection, name: str, response: Response, column: str | None = None) -> None:
    """Keep an answer as a table of one row, in place of an earlier turn of that name.

    Args:
        connection: where.
        name: the table's name.
        response: what it holds.
        column: the one column of that name holds it; None: each field is a column.
    """
    save_turn(connection, name, responses_to_arrow([response])[0].as_py(), RESPONSE_SQL, column)


def save_turn(
    connection: Connection, name: str, row: Mapping[str, Any], sql_type: str, column: str | None = None
) -> None:
    """Store a STRUCT of this SQL type that has a `history`; else as `keep_response`."""
    value = f"$1::{sql_type} AS {quote_identifier(column)}" if column else f"unnest($1::{sql_type})"
    connection.execute(f"CREATE OR REPLACE TABLE {quote_identifier(name)} AS SELECT {value}", [dict(row)])
    connection.execute(f"COMMENT ON TABLE {quote_identifier(name)} IS '{TURN_COMMENT}'")


def list_turns(connection: Connection) -> list[str]:
    """Return the names of the turns that the database stores."""
    return sorted(table for table, comment in execute_raw(connection, TABLES_AND_VIEWS) if comment == TURN_COMMENT)


def has_table(connection: Connection, name: str) -> bool:
    """Whether there is a table or view of that name, stored turn or not."""
    return name.lower() in {table.lower() for table, _ in execute_raw(connection, TABLES_AND_VIEWS)}


def load_turn(connection: Connection, name: str) -> dict[str, Any] | None:
    """Return the turn that a table of one row holds, in its columns or in one of them; None where that is NULL.

    Args:
        connection: where.
        name: the table's or view's name.

    Raises:
        RequestError: no table has the name, or it holds no turn, or several.
    """
    if not has_table(connection, name):
        hint = did_you_mean(name, list_turns(connection)) or "no turn was kept yet: write --output q1, then --input q1"
        raise RequestError(f"there is no table {name} to continue", hint=hint)
    rows = connection.execute(f"SELECT * FROM {quote_identifier(name)} LIMIT 2").fetchall()
    if len(rows) != 1:
        count = "several rows" if rows else "no row"
        hint = f"type: CREATE TABLE one AS SELECT * FROM {quote_identifier(name)} WHERE …"
        raise RequestError(f"the table {name} has {count}; a conversation continues one", hint=hint)
    row = dict(zip((column[0] for column in connection.description), rows[0], strict=True))
    turns = [row] if "history" in row else [value for value in row.values() if is_turn(value)]
    if len(turns) != 1 and not (len(row) == 1 and None in row.values()):
        hint = "a turn is a response: SELECT llm_chat('…') AS response"
        raise RequestError(f"the table {name} contains {'several turns' if turns else 'no turn'}", hint=hint)
    return turns[0] if turns else None


def load_history(connection: Connection, name: str) -> tuple[Message, ...]:
    """Return the conversation so far, of the turn that a table holds.

    Raises:
        RequestError: as `kept_turn`.
    """
    turn = load_turn(connection, name)
    return messages_from_rows(turn["history"]) if turn else ()


def is_turn(value: Any) -> bool:
    """Whether a value that came from DuckDB is one that `llm_stack` continues."""
    return isinstance(value, dict) and "history" in value
