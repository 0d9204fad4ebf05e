"""Writes a schema as CREATE TABLE statements, for models that were trained on them."""

from __future__ import annotations

import re
from functools import lru_cache

from ....workers.database_schema import Column, Schema, Table, split_name
from ....workers.sandbox.locked_duckdb import query


def write_ddl(schema: Schema) -> str:
    """Return the schema in the style of Defog's metadata.sql: comments after the columns, keys as joins in comments."""
    statements = [_statement(table) for table in schema.tables]
    joins = [
        f"-- {key.table}.{key.column} can be joined with {key.other_table}.{key.other_column}"
        for key in schema.foreign_keys
    ]
    return "\n\n".join([*statements, "\n".join(joins)] if joins else statements)


def write_bare_ddl(schema: Schema) -> str:
    """Return the schema in the style of sql-create-context: one line for each table, only names and types."""
    return "; ".join(
        f"CREATE TABLE {quote_path_if_needed(table.name)} ({', '.join(_column(column) for column in table.columns)})"
        for table in schema.tables
    )


def quote_path_if_needed(name: str) -> str:
    """Return a table's name as SQL, in double quotes only if needed."""
    return ".".join(quote_name_if_needed(part) for part in split_name(name))


def quote_name_if_needed(name: str) -> str:
    """Return a name as SQL, in double quotes only if needed."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _reserved():
        return name
    return '"' + name.replace('"', '""') + '"'


@lru_cache(maxsize=1)
def _reserved() -> frozenset[str]:
    rows = query("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'")
    return frozenset(str(name) for (name,) in rows)


def _column(column: Column) -> str:
    return f"{quote_name_if_needed(column.name)} {column.type or 'VARCHAR'}"


def _statement(table: Table) -> str:
    keys = [column for column in table.columns if column.primary_key]
    lines = []
    for at, column in enumerate(table.columns):
        key = " PRIMARY KEY" if keys == [column] else ""
        comma = "," if at + 1 < len(table.columns) or len(keys) > 1 else ""
        lines.append(f"  {_column(column)}{key}{comma}{_note(column)}")
    if len(keys) > 1:
        lines.append(f"  PRIMARY KEY ({', '.join(quote_name_if_needed(column.name) for column in keys)})")
    comment = f" -- {' '.join(table.comment.split())}" if table.comment else ""
    return f"CREATE TABLE {quote_path_if_needed(table.name)} ({comment}\n" + "\n".join(lines) + "\n);"


def _note(column: Column) -> str:
    """Return a column's comment and sample values, to write after its line."""
    examples = f"e.g. {', '.join(column.examples)}" if column.examples else ""
    note = "; ".join(" ".join(part.split()) for part in (column.comment, examples) if part)
    return f" -- {note}" if note else ""
