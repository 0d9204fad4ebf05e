"""The interface of a database, for the routes."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from sqlglot.errors import SqlglotError

from ....udf.text2sql.checks.transpile import transpile
from ....workers.database_schema import Schema
from ....workers.messages import Failure

STATEMENT_SECONDS = 30.0  # Time limit of a statement.
# The bytes of a BLOB that DuckDB writes as \xAB.
ESCAPED_BYTE = re.compile(rb"[^ !#-&(-\[\]-~]")


@dataclass(frozen=True, slots=True)
class Rows:
    """The result of a query; `truncated` if it has more rows than these."""

    columns: tuple[str, ...]
    # Each row is a JSON array, because Python has no value for every number that JSON can express.
    rows: tuple[str, ...]
    truncated: bool


class Database(Protocol):
    """One database, open for reading. Its methods block, and may be called in any thread.

    Args:
        product: its usual name, e.g. 'PostgreSQL'.
        dialect: sqlglot's name of its SQL dialect.
    """

    product: str
    dialect: str

    def read_schema(self) -> Schema:
        """Return its tables and views, with comments, keys and sample values.

        Raises:
            DatabaseError: it cannot be reached.
        """

    def explain(self, sql: str) -> str | None:
        """Return the error of the database's own EXPLAIN for a query; None if it accepts the query.

        Raises:
            DatabaseError: it cannot be reached.
        """

    def run(self, sql: str, max_rows: int) -> Rows:
        """Return the rows of a query, in a transaction that cannot write.

        Raises:
            DatabaseError: the query failed, or the database cannot be reached; the message is the database's own.
        """

    def close(self) -> None:
        """Close what is open."""


def fitted(database: Database, sql: str, schema: Schema) -> tuple[str, Failure | None]:
    """Return DuckDB's SQL translated for the database; or, if that fails, the SQL unchanged and the error.

    Raises:
        DatabaseError: it cannot be reached.
    """
    try:
        translated = transpile(sql, schema, database.dialect)
    except SqlglotError as error:
        return sql, Failure("dialect", f"it cannot be written in {database.product}'s SQL: {error}")
    if (message := database.explain(translated)) is None:
        return translated, None
    return sql, Failure("database", f"{database.product} rejects it, translated as {translated}\n{message}")


def as_rows(columns: Sequence[str], found: Sequence[Sequence[Any]], max_rows: int) -> Rows:
    """Return a driver's rows as `Rows`; one row more than wanted was read, to see whether there are more."""
    rows = tuple(f"[{', '.join(map(json_value, row))}]" for row in found[:max_rows])
    return Rows(tuple(columns), rows, len(found) > max_rows)


def json_value(value: Any) -> str:
    """Return a driver's value as JSON, in the form in which DuckDB's `to_json` writes such a value."""
    if isinstance(value, float | Decimal):
        number = float(value)
        return str(value) if math.isfinite(number) else json.dumps(json.dumps(number))
    if isinstance(value, bytes | bytearray | memoryview):
        return json.dumps(ESCAPED_BYTE.sub(lambda byte: b"\\x%02X" % byte[0][0], bytes(value)).decode("ascii"))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(json_value, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))}: {json_value(part)}" for key, part in value.items()) + "}"
    return json.dumps(value if isinstance(value, bool | int | str | None) else str(value), ensure_ascii=False)
