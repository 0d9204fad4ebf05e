"""What a route asks of a database, whichever it is."""

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

STATEMENT_SECONDS = 30.0
"""How long a statement may run."""
ESCAPED_BYTE = re.compile(rb"[^ !#-&(-\[\]-~]")
"""What DuckDB writes of a BLOB as \\xAB."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What a query gave; `truncated` where it would have given more."""

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    """Each a JSON array: no Python value holds every number that JSON can."""
    truncated: bool


class Database(Protocol):
    """One database, open for reading. Its methods wait, and may be called in any thread.

    Args:
        kind: what people call it, e.g. 'PostgreSQL'.
        dialect: what sqlglot calls its SQL.
    """

    kind: str
    dialect: str

    def read_schema(self) -> Schema:
        """Return its tables and views, with comments, keys and sample values.

        Raises:
            DatabaseError: it cannot be reached.
        """

    def explain(self, sql: str) -> str | None:
        """Return what its own EXPLAIN says against a query; None where it takes it.

        Raises:
            DatabaseError: it cannot be reached.
        """

    def run(self, sql: str, most_rows: int) -> Rows:
        """Return the rows of a query, in a transaction that cannot write.

        Raises:
            DatabaseError: its words against the query, or against being reached.
        """

    def close(self) -> None:
        """Close what is open."""


def fitted(database: Database, sql: str, schema: Schema) -> tuple[str, Failure | None]:
    """Return DuckDB's SQL as the database takes it; or as it is, and what the database says against it.

    Raises:
        DatabaseError: it cannot be reached.
    """
    try:
        translated = transpile(sql, schema, database.dialect)
    except SqlglotError as error:
        return sql, Failure("dialect", f"it cannot be said in {database.kind}'s SQL: {error}")
    if (words := database.explain(translated)) is None:
        return translated, None
    return sql, Failure("database", f"{database.kind} refuses it, as {translated}\n{words}")


def as_rows(columns: Sequence[str], found: Sequence[Sequence[Any]], most_rows: int) -> Rows:
    """Return the rows of a driver, of which one more than wanted was read."""
    rows = tuple(f"[{', '.join(map(json_value, row))}]" for row in found[:most_rows])
    return Rows(tuple(columns), rows, len(found) > most_rows)


def json_value(value: Any) -> str:
    """Return a driver's value as JSON, written as DuckDB's `to_json` writes its like."""
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
