"""Keys without a constraint: written in a comment, or inferred from the columns' names.

A table's comment, or a comment after its DDL, may contain

    primary key: order_id, line
    foreign key: customer_id -> customers(id)
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from ....workers.database_schema import Column, ForeignKey, Schema, Table, join_name, split_name

KEY_LINE = re.compile(
    r"^[ \t]*(?:--)?[ \t]*(primary|foreign)[ \t]+key[ \t]*:[ \t]*([^\n]*?)[ \t;]*$", re.IGNORECASE | re.MULTILINE
)
REFERENCE = re.compile(r"(.+?)\s*->\s*(.+?)\s*\(([^()]*)\)")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one table: its primary key, and the (columns, other table, its columns) of each foreign key.

    The other table's columns are empty if a foreign key names only the table; then they are its primary key.
    """

    primary: tuple[str, ...] = ()
    foreign: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.primary or self.foreign)

    def __or__(self, other: Keys) -> Keys:
        return Keys(self.primary + other.primary, self.foreign + other.foreign)


def read_key_lines(comment: str) -> tuple[str, Keys]:
    """Return a comment without its key lines, and the keys in these lines."""
    primary: tuple[str, ...] = ()
    foreign = []
    for key_type, text in KEY_LINE.findall(comment):
        reference = REFERENCE.fullmatch(text)
        if key_type.lower() == "primary":
            primary = _names(text)
        elif reference:
            foreign.append((_names(reference[1]), _unquoted(reference[2]), _names(reference[3])))
    if not primary and not foreign:
        return comment, Keys()
    rest = "\n".join(line for line in KEY_LINE.sub("", comment).split("\n") if line.strip())
    return rest, Keys(primary, tuple(foreign))


def _names(text: str) -> tuple[str, ...]:
    return tuple(_unquoted(name) for name in text.split(","))


def _unquoted(name: str) -> str:
    return name.strip().strip('"`')


def add_keys(schema: Schema, keys: dict[str, Keys]) -> Schema:
    """Return the schema with these tables' keys, in the spelling of the schema's tables and columns."""
    tables = {table.name.lower(): table for table in schema.tables}
    foreign_keys = list(schema.foreign_keys)
    for name, found in keys.items():
        table = tables.get(name.lower())
        if table is None:
            continue
        tables[name.lower()] = _with_primary_key(table, found.primary)
        for columns, other_name, other_columns in found.foreign:
            other = tables.get(_beside(name, other_name, tables))
            if other is None:
                continue
            other_columns = other_columns or _primary_key(keys, other.name, columns)
            pairs = zip(columns, other_columns, strict=False)
            foreign_keys += [
                ForeignKey(table.name, _spelled(table, here), other.name, _spelled(other, there))
                for here, there in pairs
            ]
    return replace(schema, tables=tuple(tables.values()), foreign_keys=tuple(dict.fromkeys(foreign_keys)))


def _primary_key(keys: dict[str, Keys], name: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """Return the primary key of a table that a foreign key names without columns; without one, the same columns."""
    primary = next((found.primary for other, found in keys.items() if other.lower() == name.lower()), ())
    return primary if len(primary) == len(columns) else columns


def _with_primary_key(table: Table, names: Iterable[str]) -> Table:
    wanted = {name.lower() for name in names}
    columns = (replace(c, primary_key=c.primary_key or c.name.lower() in wanted) for c in table.columns)
    return replace(table, columns=tuple(columns))


def _beside(name: str, other: str, table_names: Collection[str]) -> str:
    """Return the other table's full name, searched first in the first table's own schema."""
    beside = join_name([*split_name(name)[:-1], other]).lower()
    return beside if beside in table_names else other.lower()


def _spelled(table: Table, name: str) -> str:
    return next((column.name for column in table.columns if column.name.lower() == name.lower()), name)


def add_inferred_keys(schema: Schema, repeated: Collection[tuple[str, str]] = ()) -> Schema:
    """Return the schema with keys inferred from names, for tables that declare none.

    A column `id`, or `order_id` in a table `orders`, is the primary key unless its values repeat; a column
    `customer_id` refers to the one table whose primary key it names.

    Args:
        schema: with the declared keys.
        repeated: each (table, column) whose sampled values are not distinct.
    """
    referring = {key.table for key in schema.foreign_keys}
    silent = {
        table.name
        for table in schema.tables
        if table.name not in referring and not any(column.primary_key for column in table.columns)
    }
    tables = tuple(_with_own_key(t, repeated) if t.name in silent else t for t in schema.tables)
    by_key: dict[str, list[tuple[Table, Column]]] = {}
    for table in tables:
        primary = [column for column in table.columns if column.primary_key]
        if len(primary) == 1:
            by_key.setdefault(_referring_name(table, primary[0]), []).append((table, primary[0]))
    found = [key for table in tables if table.name in silent for key in _references(table, by_key)]
    return replace(schema, tables=tables, foreign_keys=(*schema.foreign_keys, *found))


def _with_own_key(table: Table, repeated: Collection[tuple[str, str]]) -> Table:
    names = ("id", f"{_singular(table)}_id", f"{split_name(table.name)[-1].lower()}_id")
    for column in table.columns:
        if column.name.lower() in names and (table.name, column.name) not in repeated:
            return _with_primary_key(table, [column.name])
    return table


def _referring_name(table: Table, primary: Column) -> str:
    """Return the column name by which other tables refer to this primary key: 'customer_id'."""
    return f"{_singular(table)}_id" if primary.name.lower() == "id" else primary.name.lower()


def _references(table: Table, by_key: dict[str, list[tuple[Table, Column]]]) -> Iterable[ForeignKey]:
    for column in table.columns:
        others = [found for found in by_key.get(column.name.lower(), ()) if found[0].name != table.name]
        if len(others) == 1 and column.name.lower().endswith("_id"):
            other, primary = others[0]
            yield ForeignKey(table.name, column.name, other.name, primary.name)


def _singular(table: Table) -> str:
    name = split_name(table.name)[-1].lower()
    if name.endswith("ies"):
        return name[:-3] + "y"
    if name.endswith(("sses", "xes", "ches", "shes")):
        return name[:-2]
    return name[:-1] if name.endswith("s") and not name.endswith("ss") else name
