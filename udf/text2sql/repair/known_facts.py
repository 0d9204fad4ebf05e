"""What the schema says about an error: which tables have a missing column, how they join, what an alias stands for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ....workers.database_schema import Schema, Table, split_name
from .faulty_sql import has_column, squash
from .name_rules import NO_OWNER, NO_TABLE, NOT_FOUND, NOT_IN_TABLE

MAX_FACTS, MAX_COLUMNS = 8, 40
READ = r"\b(?:FROM|JOIN|,)\s+(?P<table>\"[^\"]+\"|[\w.]+)\s+(?:AS\s+)?\"?{alias}\"?\b"


def known_facts(sql: str, message: str, schema: Schema) -> list[str]:
    """Return what a model should know to repair SQL, each in one line.

    Args:
        sql: the query that DuckDB refused.
        message: DuckDB's own words.
        schema: that the query is about.
    """
    return list(dict.fromkeys(_facts(sql, message, schema)))[:MAX_FACTS]


def _facts(sql: str, message: str, schema: Schema) -> Iterator[str]:
    column = NOT_IN_TABLE.search(message) or NOT_FOUND.search(message)
    owner = NOT_IN_TABLE.search(message) or NO_OWNER.search(message)
    if owner and (table := _table_of_alias(sql, owner["owner"], schema)):
        names = ", ".join(each.name for each in table.columns[:MAX_COLUMNS])
        yield f"{owner['owner']} is the table {table.name}; its columns: {names}"
    if column:
        having = [table for table in schema.tables if has_column(table, column["name"])]
        yield _where(column["name"], having)
        yield from _ways(sql, having, schema)
    if missing := NO_TABLE.search(message):
        near = [t.name for t in schema.tables if squash(missing["name"])[:4] in squash(split_name(t.name)[-1])]
        names = ", ".join(near or [table.name for table in schema.tables[:MAX_COLUMNS]])
        yield f"there is no table {missing['name']}; there is: {names}"


def _where(column: str, having: list[Table]) -> str:
    if not having:
        return f"no table has a column {column}"
    return f"the column {column} is in: {', '.join(table.name for table in having[:MAX_COLUMNS])}"


def _ways(sql: str, having: list[Table], schema: Schema) -> Iterator[str]:
    """Yield the keys between the tables that have a column and those of the query."""
    used = {table.name for table in schema.tables if mentions(sql, table)}
    found = {table.name for table in having}
    for key in schema.foreign_keys:
        if (key.table in found and key.other_table in used) or (key.table in used and key.other_table in found):
            yield f"join on {key.table}.{key.column} = {key.other_table}.{key.other_column}"


def mentions(sql: str, table: Table) -> bool:
    """Whether SQL contains a table's name as a word."""
    return re.search(rf"(?<!\w){re.escape(split_name(table.name)[-1])}(?!\w)", sql, re.IGNORECASE) is not None


def _table_of_alias(sql: str, alias: str, schema: Schema) -> Table | None:
    found = re.search(READ.format(alias=re.escape(alias)), sql, re.IGNORECASE)
    name = split_name(found["table"] if found else alias)[-1].lower()
    return next((table for table in schema.tables if split_name(table.name)[-1].lower() == name), None)
