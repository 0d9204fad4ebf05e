"""Whether SQL binds: asked of an empty copy of the schema, in a DuckDB instance that reaches nothing else."""

from __future__ import annotations

import duckdb

from ..database_schema import Schema, Table, split_name
from .query.to_sql import quoted


class Binder:
    """The empty tables of one schema. Safe to use from several threads: each question gets a cursor."""

    def __init__(self, schema: Schema) -> None:
        self.connection = duckdb.connect(config={"threads": 1})
        for database in dict.fromkeys(parts[-3] for parts in self._parts(schema) if len(parts) == 3):
            self._try(f"ATTACH ':memory:' AS {quoted(database)}")
        for parts in dict.fromkeys(parts[:-1] for parts in self._parts(schema) if len(parts) > 1):
            self._try(f"CREATE SCHEMA IF NOT EXISTS {'.'.join(quoted(part) for part in parts)}")
        for table in schema.tables:
            self._create(table)
        self.connection.execute("SET enable_external_access = false; SET lock_configuration = true")

    @staticmethod
    def _parts(schema: Schema) -> list[tuple[str, ...]]:
        return [split_name(table.name) for table in schema.tables]

    def _try(self, statement: str) -> bool:
        try:
            self.connection.execute(statement)
        except duckdb.Error:
            return False
        return True

    def _create(self, table: Table) -> None:
        """Create a table; columns of types that this instance does not know (enums, say) become text."""
        name = ".".join(quoted(part) for part in split_name(table.name))
        typed = [f"{quoted(column.name)} {column.type or 'VARCHAR'}" for column in table.columns]
        plain = [f"{quoted(column.name)} VARCHAR" for column in table.columns]
        if not self._try(f"CREATE TABLE {name} ({', '.join(typed)})"):
            known = [
                one if self._try(f"SELECT NULL::{column.type}") else two
                for one, two, column in zip(typed, plain, table.columns, strict=True)
            ]
            self._try(f"CREATE TABLE {name} ({', '.join(known)})")

    def binds(self, sql: str) -> bool:
        """Whether DuckDB can plan a SELECT on the schema."""
        with self.connection.cursor() as cursor:
            try:
                cursor.execute(f"EXPLAIN {sql}")
            except duckdb.Error:
                return False
        return True
