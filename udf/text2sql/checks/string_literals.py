"""Turns strings in double quotes, as in SQLite and MySQL, into strings in single quotes."""

from __future__ import annotations

import sqlglot
from sqlglot import expressions as exp

from ....workers.database_schema import Schema, split_name


def normalize_string_literals(sql: str, schema: Schema) -> str:
    """Turn double-quoted names that do not exist in the schema into strings: `name = "Ann"` becomes `name = 'Ann'`.

    SQL without such names, or that cannot be parsed, is returned unchanged.
    """
    if '"' not in sql:
        return sql
    try:
        tree = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return sql
    names = _names(schema) | {alias.alias.lower() for alias in tree.find_all(exp.Alias, exp.TableAlias)}
    texts = [
        column
        for column in tree.find_all(exp.Column)
        if column.this.args.get("quoted") and not column.table and column.name.lower() not in names
    ]
    for column in texts:
        column.replace(exp.Literal.string(column.name))
    return tree.sql(dialect="duckdb") if texts else sql


def _names(schema: Schema) -> set[str]:
    columns = {column.name.lower() for table in schema.tables for column in table.columns}
    return columns | {split_name(table.name)[-1].lower() for table in schema.tables}
