"""Reads a database's schema through SQLAlchemy from its own catalog, with sample values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Inspector, inspect
from sqlalchemy.engine.interfaces import ReflectedColumn, ReflectedForeignKeyConstraint, ReflectedPrimaryKeyConstraint
from sqlalchemy.engine.reflection import ObjectKind
from sqlalchemy.exc import CompileError, SQLAlchemyError
from sqlalchemy.types import TypeEngine

from ....udf.text2sql.schema.column_samples import ColumnCells, can_sample, sample_schema
from ....udf.text2sql.schema.column_types import read_type
from ....udf.text2sql.schema.inferred_keys import Keys, add_inferred_keys, add_keys, read_key_lines
from ....workers.database_schema import Column, Schema, Table, join_name, split_name

SYSTEM_SCHEMAS = ("information_schema", "pg_catalog", "pg_toast")
TablePath = tuple[str | None, str]  # (schema, table); None is the default schema.


def read_schema(connection: Connection) -> Schema:
    """Return the tables and views of the connection's database: of every schema in Postgres, else of the one database.

    Views have no sample values, because reading a view may be expensive.

    Raises:
        SQLAlchemyError: the schema cannot be read.
    """
    inspector = inspect(connection)
    tables: list[Table] = []
    keys: dict[str, Keys] = {}
    readable: set[tuple[str, str]] = set()
    for schema in _schemas(inspector):
        comments = _comments(inspector, schema)
        primary = inspector.get_multi_pk_constraint(schema)
        foreign = inspector.get_multi_foreign_keys(schema)
        stored = set(inspector.get_table_names(schema))
        for table_path, columns in inspector.get_multi_columns(schema, kind=ObjectKind.ANY).items():
            comment, own = read_key_lines(comments.get(table_path, ""))
            table = Table(_name(table_path), tuple(_column(column, connection) for column in columns), comment)
            tables.append(table)
            keys[table.name] = own | _keys(primary.get(table_path), foreign.get(table_path, ()))
            if table_path[1] in stored:
                readable |= {(table.name, column.name) for column in table.columns if can_sample(column.type)}
    schema_found = add_keys(Schema(_database_name(connection), tuple(tables)), keys)
    found, repeated = sample_schema(schema_found, readable, lambda *wanted: _read(connection, *wanted))
    return add_inferred_keys(found, repeated)


def _schemas(inspector: Inspector) -> list[str | None]:
    if inspector.dialect.name != "postgresql":
        return [None]
    names = [name for name in inspector.get_schema_names() if name not in SYSTEM_SCHEMAS]
    return [None, *(name for name in names if name != inspector.default_schema_name)]


def _database_name(connection: Connection) -> str:
    if connection.dialect.name != "sqlite":
        return connection.engine.url.database or ""
    files = connection.exec_driver_sql("PRAGMA database_list").fetchall()
    return Path(files[0][2]).stem


def _comments(inspector: Inspector, schema: str | None) -> dict[TablePath, str]:
    if not inspector.dialect.supports_comments:
        return {}
    found = inspector.get_multi_table_comment(schema, kind=ObjectKind.ANY)
    return {table_path: comment["text"] or "" for table_path, comment in found.items()}


def _name(table_path: TablePath) -> str:
    return join_name(part for part in table_path if part is not None)


def _column(column: ReflectedColumn, connection: Connection) -> Column:
    return Column(column["name"], _type(column["type"], connection), comment=column.get("comment") or "")


def _type(column_type: TypeEngine[Any], connection: Connection) -> str:
    """Return DuckDB's name of a type; '' if SQLAlchemy does not know the type."""
    try:
        return read_type(column_type.compile(dialect=connection.dialect))
    except CompileError:
        return ""


def _keys(primary: ReflectedPrimaryKeyConstraint | None, foreign: Sequence[ReflectedForeignKeyConstraint]) -> Keys:
    references = tuple(
        (
            tuple(key["constrained_columns"]),
            _name((key["referred_schema"], key["referred_table"])),
            tuple(key["referred_columns"]),
        )
        for key in foreign
    )
    return Keys(tuple(primary["constrained_columns"]) if primary else (), references)


def _read(connection: Connection, table: Table, columns: Sequence[Column], rows: int) -> ColumnCells:
    quote = connection.dialect.identifier_preparer.quote_identifier
    names = ", ".join(quote(column.name) for column in columns)
    table_path = ".".join(quote(part) for part in split_name(table.name))
    try:
        found = connection.exec_driver_sql(f"SELECT {names} FROM {table_path} LIMIT {rows}").fetchall()
    except SQLAlchemyError:
        connection.rollback()
        return {}  # A table without read permission has no samples; its names may still be enough for the question.
    cells = ([None if cell is None else _text(cell) for cell in column] for column in zip(*found, strict=True))
    return dict(zip((column.name for column in columns), cells, strict=False))


def _text(cell: Any) -> str | None:
    """Return a cell as DuckDB would write it."""
    if isinstance(cell, bool):
        return str(cell).lower()
    return None if isinstance(cell, bytes | memoryview | Mapping) else str(cell)
