"""Binding: DuckDB itself says whether SQL fits its schema, in an empty copy of it.

Binding computes constants. A stranger's SQL is bound in a sandbox's child; what we write ourselves may be bound here.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, replace
from threading import Lock

import duckdb

from .database_schema import Column, Schema, Table, join_name, quote_path, split_name
from .sandbox.locked_duckdb import query, sandboxed_duckdb
from .sql_text import quote_identifier

MAX_BINDERS = 32
# One or more words, then brackets around anything but a semicolon out of quotes: ENUM('a;b'), STRUCT(a INTEGER)[].
TYPE = re.compile(r"[A-Za-z_][\w ]*(?:\((?:'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|[^'\";])*\))?(?:\[\d*\])*")


@dataclass(frozen=True, slots=True)
class BindError:
    """Why DuckDB does not take a query.

    Args:
        kind: 'parser', 'binder', 'catalog', …: DuckDB's own word for the error.
        message: DuckDB's own words, with its candidates.
    """

    kind: str
    message: str


class Binder:
    """The empty copy of one schema: its tables without rows, in an instance of its own.

    No file, no network and no setting can be reached from it. Safe to use from several threads.

    Args:
        schema: whose names and types are copied; a type that is not DuckDB's own becomes text.
    """

    def __init__(self, schema: Schema) -> None:
        self._instance = _copy(schema)
        self._use = f"USE {_database(schema)}"

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a new connection to the copy, where its names can be written without their database."""
        cursor = self._instance.cursor()
        cursor.execute(self._use)
        return cursor

    def bind(self, sql: str) -> BindError | None:
        """Return why a query does not fit the schema, or None where it does; nothing is run."""
        with self.cursor() as cursor:
            return bind_error(cursor, sql)

    def binds(self, sql: str) -> bool:
        """Whether DuckDB can plan a query on the schema."""
        return self.bind(sql) is None


def bind(sql: str, schema: Schema) -> BindError | None:
    """Return why a query does not fit the schema, or None where it does; nothing is run."""
    return binder_for(schema).bind(sql)


def binder_for(schema: Schema) -> Binder:
    """Return the copy of a schema; the most recent copies are cached."""
    return BINDERS.of(schema)


def bind_error(cursor: duckdb.DuckDBPyConnection, sql: str) -> BindError | None:
    """Return why a query does not bind on a connection, or None where it does; nothing is run.

    Raises:
        duckdb.OutOfMemoryException, duckdb.InterruptException: to bind it takes more than may be taken.
    """
    try:
        # A relation is bound and not run. EXPLAIN would also fold the constants, which can take minutes.
        cursor.sql(sql)
    except (duckdb.OutOfMemoryException, duckdb.InterruptException):
        raise  # It says nothing about the schema.
    except duckdb.Error as error:
        return BindError(_error_class(error), str(error))
    return None


class ReusedBinder:
    """Binds queries to thousands of small schemas: one instance, emptied for each, where a new one takes 25 ms.

    For one thread, and for SQL that is only bound: nothing but the order of calls keeps schemas apart.
    """

    def __init__(self) -> None:
        self._instance = sandboxed_duckdb()
        self._instance.execute("PRAGMA disable_optimizer")
        self._schema = Schema()

    def bind(self, sql: str, schema: Schema) -> BindError | None:
        """Return why a query does not fit the schema, or None where it does, as `bind` does."""
        plain = _database(schema) == quote_identifier("memory") and all(
            len(split_name(t.name)) == 1 for t in schema.tables
        )
        if not plain:
            return bind(sql, schema)
        if schema != self._schema:
            for table in self._schema.tables:
                self._instance.execute(f"DROP TABLE IF EXISTS {quote_path(table.name)}")
            _create_all(self._instance, [table for table in schema.tables if table.columns])
            self._schema = schema
        return bind_error(self._instance, sql)


class _Binders:
    """The copies of the last schemas, made once each; safe in any thread."""

    def __init__(self) -> None:
        self._made: OrderedDict[Hashable, Binder] = OrderedDict()
        self._lock = Lock()

    def of(self, schema: Schema) -> Binder:
        """Return the schema's copy."""
        key = schema.name, tuple((t.name, tuple((c.name, c.type) for c in t.columns)) for t in schema.tables)
        with self._lock:
            if key not in self._made:
                self._made[key] = Binder(schema)
            self._made.move_to_end(key)
            if len(self._made) > MAX_BINDERS:
                # Not closed here: another thread may bind in it. It goes when the last cursor does.
                self._made.popitem(last=False)
            return self._made[key]


BINDERS = _Binders()


def _copy(schema: Schema) -> duckdb.DuckDBPyConnection:
    instance = sandboxed_duckdb()
    database = _database(schema)
    instance.execute(f"ATTACH IF NOT EXISTS ':memory:' AS {database}; USE {database}")
    databases = {split_name(table.name)[0].lower() for table in schema.tables if len(split_name(table.name)) > 2}
    _create_all(instance, [_placed(table, databases) for table in schema.tables if table.columns])
    instance.execute("SET lock_configuration = true")
    return instance


def _database(schema: Schema) -> str:
    """Return the name of the copy's database: the schema's own, so that names with it in front fit too."""
    taken = {split_name(table.name)[0].lower() for table in schema.tables if len(split_name(table.name)) > 1}
    plain = schema.name.lower() not in {"", "system", "temp", "main"} | taken
    return quote_identifier(schema.name if plain else "memory")


def _placed(table: Table, databases: set[str]) -> Table:
    """Return the table under a name that says its schema: of two parts the first may be a database."""
    parts = split_name(table.name)
    if len(parts) == 2 and parts[0].lower() in databases:
        return replace(table, name=join_name([parts[0], "main", parts[1]]))
    return table


def _create_all(instance: duckdb.DuckDBPyConnection, tables: list[Table]) -> None:
    """Create the tables in one go, or one by one where a type is not DuckDB's own."""
    schemas = {split_name(table.name)[:-1] for table in tables}
    try:
        instance.execute("; ".join(filter(None, [*map(_create_schema, sorted(schemas)), *map(_create_table, tables)])))
    except duckdb.Error:
        for table in tables:
            columns = (c if _is_type(c.type) else replace(c, type="") for c in table.columns)
            # What DuckDB cannot hold at all, such as a schema called `temp`, is left out.
            with suppress(duckdb.Error):
                instance.execute(_create_schema(split_name(table.name)[:-1]))
                instance.execute(_create_table(replace(table, columns=tuple(columns))))


def _create_schema(path: tuple[str, ...]) -> str:
    """Return what makes a database and a schema."""
    quoted = [quote_identifier(part) for part in path]
    attach = [f"ATTACH IF NOT EXISTS ':memory:' AS {quoted[0]}"] if len(path) > 1 else []
    create = [f"CREATE SCHEMA IF NOT EXISTS {'.'.join(quoted)}"] if path else []
    return "; ".join(attach + create)


def _create_table(table: Table) -> str:
    """Return the table's CREATE; a column of unknown type is text, one that is named twice is made once."""
    columns: dict[str, Column] = {}
    for column in table.columns:
        columns.setdefault(column.name.lower(), column)
    texts = [f"{quote_identifier(column.name)} {_type(column.type)}" for column in columns.values()]
    return f"CREATE TABLE IF NOT EXISTS {quote_path(table.name)} ({', '.join(texts)})"


def _is_type(text: str) -> bool:
    """Whether DuckDB has the type, by itself: what an extension brings is text in the copy."""
    try:
        return bool(text) and bool(query(f"SELECT NULL::{_type(text)}"))
    except duckdb.Error:
        return False


def _type(text: str) -> str:
    """Return a type as it may stand in SQL; what does not look like one is text."""
    return text if TYPE.fullmatch(text) else "VARCHAR"


def _error_class(error: duckdb.Error) -> str:
    return type(error).__name__.removesuffix("Exception").lower()
