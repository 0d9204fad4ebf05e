"""Selects tables of a schema by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ....workers.database_schema import Schema, split_name
from ....workers.errors import SchemaError, did_you_mean


def select_tables(schema: Schema, names: Iterable[str]) -> Schema:
    """Return the schema with only these tables; the name of a database or schema selects all its tables.

    Raises:
        SchemaError: the schema does not have a name; the error lists similar ones.
    """
    chosen: set[str] = set()
    for name in names:
        found = _find(schema, name)
        if not found:
            raise SchemaError(f"no table or database is called {name!r}", hint=did_you_mean(name, _all_names(schema)))
        chosen |= found
    tables = tuple(table for table in schema.tables if table.name in chosen)
    keys = tuple(key for key in schema.foreign_keys if key.table in chosen and key.other_table in chosen)
    return replace(schema, tables=tables, foreign_keys=keys)


def _find(schema: Schema, name: str) -> set[str]:
    """Return the tables of a name: a table with that name, else all of a database or schema, else a table anywhere."""
    wanted = tuple(part.lower() for part in split_name(name))
    whole: set[str] = set()
    inside: set[str] = set()
    ending: set[str] = set()
    for table in schema.tables:
        parts = tuple(part.lower() for part in split_name(table.name))
        # A name of two parts may begin with another database; only a name of one part is surely in the current one.
        here = (schema.name.lower(), *parts) if len(parts) == 1 else parts
        paths = (parts, here, (schema.name.lower(), "main", *parts))
        if wanted in paths:
            whole.add(table.name)
        if any(len(path) > len(wanted) and path[: len(wanted)] == wanted for path in (parts, here)):
            inside.add(table.name)
        if parts[-len(wanted) :] == wanted:
            ending.add(table.name)
    return whole or inside or ending


def _all_names(schema: Schema) -> set[str]:
    parts = [split_name(table.name) for table in schema.tables]
    return {table.name for table in schema.tables} | {path[0] for path in parts if len(path) > 1}
