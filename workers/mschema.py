"""M-Schema: a database's tables, columns, keys and sample values, as XiYan's models read them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Args:
        name: as the catalog spells it, unquoted.
        type: the SQL type, e.g. 'BIGINT'; '' where unknown.
        primary_key: part of the table's primary key.
        comment: what the catalog says of it.
        examples: a few of its values as text, shown in the prompt.
        values: the distinct values known (more than `examples`), for matching a question's words; never shown whole.
    """

    name: str
    type: str = ""
    primary_key: bool = False
    comment: str = ""
    examples: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """One table; `name` is what SQL must write to reach it, unquoted parts joined by dots."""

    name: str
    columns: tuple[Column, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """`table.column` refers to `other_table.other_column`."""

    table: str
    column: str
    other_table: str
    other_column: str


@dataclass(frozen=True, slots=True)
class Schema:
    """A database as a model sees it."""

    name: str = ""
    tables: tuple[Table, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
