"""Reads the schema of a live connection from its catalog, with temp and uncommitted tables and attached databases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import duckdb

from ....workers.database_schema import Column, Schema, Table, join_name
from .column_samples import add_samples, can_sample
from .inferred_keys import Keys, add_inferred_keys, add_keys, read_key_lines
from .select_tables import select_tables

# Marks a table with a turn of a conversation: the next turn may replace it, and no question is about it.
TURN_COMMENT = "a turn of a conversation"

TablePath = tuple[str, str, str]  # Database, schema and table.

TABLES = """
    SELECT (database_name, schema_name, t.name), t.comment,
           NOT t.is_view AND d.type = 'duckdb' AND NOT contains(coalesce(d.path, ''), '://')
    FROM (SELECT database_name, schema_name, table_name AS name, table_oid AS oid, comment, internal,
                 false AS is_view
          FROM duckdb_tables()
          UNION ALL
          SELECT database_name, schema_name, view_name, view_oid, comment, internal, true
          FROM duckdb_views()) t
    JOIN duckdb_databases() d USING (database_name)
    WHERE NOT t.internal AND t.comment IS DISTINCT FROM $1 ORDER BY database_name, schema_name, oid
"""
COLUMNS = """
    SELECT (database_name, schema_name, table_name), column_name, data_type, comment, is_generated
    FROM duckdb_columns() WHERE NOT internal ORDER BY database_name, schema_name, table_name, column_index
"""
CONSTRAINTS = """
    SELECT (database_name, schema_name, table_name), constraint_type, constraint_column_names,
           referenced_table, referenced_column_names
    FROM duckdb_constraints() WHERE constraint_type IN ('PRIMARY KEY', 'FOREIGN KEY')
"""


@dataclass(frozen=True, slots=True)
class _CatalogTable:
    """A table of the catalog: its name as SQL must write it, and whether reading it is cheap."""

    name: str
    comment: str
    readable: bool


def read_catalog(connection: duckdb.DuckDBPyConnection, tables: Iterable[str] | None = None) -> Schema:
    """Return the schema that statements on this connection can reach.

    It is read on the connection itself, so that temp tables, uncommitted tables and databases are visible. Views are
    not sampled, because reading one may be expensive, and may even call a model.

    Args:
        connection: any DuckDB connection.
        tables: names of tables, schemas or databases to keep; None keeps all.

    Raises:
        SchemaError: a name is not in the catalog.
    """
    schema, readable = read_declared_schema(connection)
    if tables is not None:
        schema = select_tables(schema, tables)
    schema, repeated = add_samples(connection, schema, readable)
    return add_inferred_keys(schema, repeated)


def read_declared_schema(connection: duckdb.DuckDBPyConnection) -> tuple[Schema, set[tuple[str, str]]]:
    """Return the declared schema without sample values, and each (table, column) that can be sampled."""
    # The plain method: the connection may be one whose statements are planned before they run.
    run = duckdb.DuckDBPyConnection.execute
    database, current = run(connection, "SELECT current_database(), current_schema()").fetchall()[0]
    found = _tables(run(connection, TABLES, [TURN_COMMENT]).fetchall(), database, current)
    schema, readable = _columns(found, run(connection, COLUMNS).fetchall())
    keys = _keys(found, run(connection, CONSTRAINTS).fetchall())
    return add_keys(replace(schema, name=database), keys), readable


def _tables(
    rows: list[tuple[tuple[str, ...], str | None, bool]], database: str, current: str
) -> dict[TablePath, _CatalogTable]:
    """Return every table with its name as SQL must write it; a temp table hides another of the same name."""
    paths = [_table_path(row[0]) for row in rows]
    databases = {path[0] for path in paths}
    schemas = {path[1] for path in paths if path[0] == database}
    hidden = {path[2].lower() for path in paths if path[0] == "temp"}
    found = {}
    for path, (_, comment, readable) in zip(paths, rows, strict=True):
        base, schema, name = path
        if base == "temp" or ((base, schema) == (database, current) and name.lower() not in hidden):
            parts = [name]
        elif base == database and schema not in databases and name.lower() not in hidden:
            parts = [schema, name]
        elif base != database and schema == "main" and base not in schemas:
            parts = [base, name]
        else:
            parts = [base, schema, name]
        found[path] = _CatalogTable(join_name(parts), comment or "", readable)
    return found


def _columns(
    found: dict[TablePath, _CatalogTable], rows: list[tuple[tuple[str, ...], str, str, str | None, bool]]
) -> tuple[Schema, set[tuple[str, str]]]:
    columns: dict[TablePath, list[Column]] = {path: [] for path in found}
    readable = set()
    for where, name, kind, comment, generated in rows:
        path = _table_path(where)
        if path in found:
            columns[path].append(Column(name, kind, comment=comment or ""))
            if found[path].readable and not generated and can_sample(kind):
                readable.add((found[path].name, name))
    tables = (Table(f.name, tuple(columns[path]), read_key_lines(f.comment)[0]) for path, f in found.items())
    return Schema(tables=tuple(tables)), readable


def _keys(
    found: dict[TablePath, _CatalogTable], rows: list[tuple[tuple[str, ...], str, list[str], str | None, list[str]]]
) -> dict[str, Keys]:
    """Return each table's keys: the declared ones, and those in its comment."""
    keys = {f.name: read_key_lines(f.comment)[1] for f in found.values()}
    for where, kind, columns, other, other_columns in rows:
        path = _table_path(where)
        if path not in found:
            continue
        name = found[path].name
        if kind == "PRIMARY KEY":
            keys[name] = replace(keys[name], primary=tuple(columns))
        elif other is not None and (there := found.get((path[0], path[1], other))):
            reference = (tuple(columns), there.name, tuple(other_columns))
            keys[name] = replace(keys[name], foreign=(*keys[name].foreign, reference))
    return {name: table_keys for name, table_keys in keys.items() if table_keys}


def _table_path(row: tuple[str, ...]) -> TablePath:
    database, schema, table = row
    return database, schema, table
