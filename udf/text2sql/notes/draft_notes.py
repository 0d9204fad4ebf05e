"""Writes first notes on a database from its names, keys and values; a person corrects them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ....workers.database_schema import Column, Schema, Table, split_name

FEW_VALUES, MAX_TABLES = 12, 200
HEAD = """\
# Notes on {name}
<!-- Every model reads these notes with each question. Lines between such marks are for you and are not read.
Correct what is wrong, delete what says nothing, and write down what only you know. -->

## Conventions
<!-- e.g. amounts are in cents; deleted rows have status = 'D' and never count; the fiscal year begins in April -->

## Measures
<!-- e.g. - revenue: sum(order_line.amount) / 100, without orders that were cancelled -->

## Synonyms
<!-- e.g. - client, account: a row of customer -->
"""


def draft_notes(schema: Schema, counts: dict[str, int], questions: Sequence[str] = ()) -> str:
    """Return Markdown: headings for what a person knows, and a section for each table.

    Args:
        schema: with sample values.
        counts: the number of rows of each table.
        questions: that were asked before; they show what the notes should answer.
    """
    parts = [HEAD.format(name=schema.name or "this database")]
    if questions:
        parts.append("\n".join(["<!-- Questions that were asked:", *(f"- {text}" for text in questions), "-->\n"]))
    parts += [_table(table, schema, counts) for table in schema.tables[:MAX_TABLES]]
    if joins := _joins(schema):
        parts.append("\n".join(["## Joins", *joins, ""]))
    return "\n".join(parts)


def _table(table: Table, schema: Schema, counts: dict[str, int]) -> str:
    size = f" ({counts[table.name]:,} rows)" if table.name in counts else ""
    said = f": {table.comment}" if table.comment else ""
    lines = [f"## Table {table.name}", f"One row is one {_singular(split_name(table.name)[-1])}{said}.{size}"]
    return "\n".join([*lines, *filter(None, map(_column, table.columns)), ""])


def _column(column: Column) -> str:
    """Return what a column's name, type and values say; '' for nothing."""
    name, values = column.name.lower(), column.values or column.examples
    if column.comment:
        return f"- {column.name}: {column.comment}"
    if 1 < len(column.values) <= FEW_VALUES:
        return f"- {column.name}: one of {', '.join(column.values)}"
    if column.type == "BOOLEAN" or name.startswith(("is_", "has_")):
        return f"- {column.name}: yes or no <!-- what does it mean? -->"
    if any(part in name for part in ("amount", "price", "cost", "total", "salary", "revenue")):
        return f"- {column.name}: money, e.g. {', '.join(values[:3])} <!-- in which currency and unit? -->"
    if column.type.startswith(("DATE", "TIMESTAMP")):
        example = ", ".join(values[:1])
        return f"- {column.name}: {column.type.lower()}, e.g. {example} <!-- of which event, in which zone? -->"
    if any(name.endswith(part) for part in ("code", "status", "type", "flag", "kind")):
        return f"- {column.name}: e.g. {', '.join(values[:5])} <!-- what does each mean? -->"
    return ""


def _joins(schema: Schema) -> Iterator[str] | list[str]:
    return [f"- {k.table}.{k.column} = {k.other_table}.{k.other_column}" for k in schema.foreign_keys]


def _singular(name: str) -> str:
    name = name.replace("_", " ")
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
