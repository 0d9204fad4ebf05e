"""Resolves the schema of a question: DDL, M-Schema text, table names, or the caller's whole catalog."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ....workers.database_schema import Schema
from ....workers.errors import SchemaError
from ....workers.mschema import parse_mschema
from .bounded_ddl import read_ddl
from .ddl import is_ddl
from .select_tables import select_tables

# These have no meaning in a schema, and regular expressions that search past them would be slow.
LONG_GAP = re.compile(r"\s{40,}")
HINT = "create or attach a table, or say schema := 'CREATE TABLE singer (name VARCHAR, age INT)'"


@dataclass(frozen=True, slots=True)
class ResolvedSchema:
    """The schema of a question.

    Args:
        schema: its tables.
        bindable: whether SQL can be bound to it; if not, only the guard checks the SQL.
        left_out: the parts of a DDL text that were not understood, each with its line.
        from_catalog: whether the tables are those of the caller's catalog, not of a text.
    """

    schema: Schema
    bindable: bool = True
    left_out: tuple[str, ...] = ()
    from_catalog: bool = False


def resolve_schema(text: str | None, catalog: Schema) -> ResolvedSchema:
    """Return the schema for the argument `schema` of text2sql.

    Args:
        text: DDL, M-Schema text, or comma-separated names of tables and databases; None or '' means all of
            the catalog.
        catalog: the schema that the caller's connection can reach.

    Raises:
        SchemaError: there is no table, the text describes none (the error has the line), or a name is
            unknown.
    """
    text = text or ""
    if is_ddl(text):
        ddl = read_ddl(text)
        where = f": {'; '.join(ddl.left_out[:3])}" if ddl.left_out else ""
        schema = _not_empty(ddl.schema, f"the DDL creates no table that can be read{where}")
        return ResolvedSchema(schema, ddl.bindable, ddl.left_out)
    text = LONG_GAP.sub(lambda gap: "\n" if "\n" in gap[0] else " ", text).strip()
    if re.search(r"^\s*#\s*Table\s*:", text, re.IGNORECASE | re.MULTILINE):
        schema = _not_empty(parse_mschema(text), "the M-Schema text has no table")
        return ResolvedSchema(schema, all(column.type for table in schema.tables for column in table.columns))
    catalog = _not_empty(catalog, "there is no table to ask about")
    return ResolvedSchema(select_tables(catalog, _names(text)) if text else catalog, from_catalog=True)


def _names(text: str) -> list[str]:
    """Return the names between the commas; a name in double quotes may contain a comma."""
    return [name.strip() for name in re.findall(r'(?:"(?:[^"]|"")*"|[^,"])+', text) if name.strip()]


def _not_empty(schema: Schema, complaint: str) -> Schema:
    if not any(table.columns for table in schema.tables):
        raise SchemaError(complaint, hint=HINT)
    return schema
