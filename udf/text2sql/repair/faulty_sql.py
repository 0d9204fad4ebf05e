"""Generated SQL that DuckDB refuses: its syntax tree, its tables by alias, and the keys that tie them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError

from ....workers.database_schema import ForeignKey, Schema, Table, split_name

MAX_CHARACTERS = 20_000  # Longer SQL is not taken apart here.


@dataclass(frozen=True, slots=True)
class Source:
    """One table in the FROM of a SELECT: the name by which its columns are reached, and the schema's table.

    `table` is None for a subquery, or a table that the schema does not have.
    """

    alias: str
    table: Table | None
    node: exp.Expr


@dataclass
class FaultySql:
    """SQL that DuckDB refuses, for the rules that repair it; a rule changes `tree`.

    Args:
        sql: as it was written.
        message: DuckDB's own words.
        schema: with its keys.
    """

    sql: str
    message: str
    schema: Schema
    tables: dict[str, Table] = field(init=False)

    def __post_init__(self) -> None:
        self.tables = {}
        for table in self.schema.tables:
            self.tables.setdefault(split_name(table.name)[-1].lower(), table)
            self.tables[table.name.lower()] = table

    @cached_property
    def tree(self) -> exp.Query | None:
        """The syntax tree; None if it cannot be read."""
        if len(self.sql) > MAX_CHARACTERS:
            return None
        try:
            tree = sqlglot.parse_one(self.sql, read="duckdb")
        except (SqlglotError, RecursionError):
            return None
        return tree if isinstance(tree, exp.Query) else None

    def selects(self) -> Iterator[exp.Select]:
        """Yield every SELECT, inner ones included."""
        if self.tree is not None:
            yield from list(self.tree.find_all(exp.Select))

    def table_named(self, name: str) -> Table | None:
        """Return the schema's table with this name, or with this name at its end."""
        return self.tables.get(name.lower())

    def sources(self, select: exp.Select) -> list[Source]:
        """Return what the FROM of a SELECT reads."""
        first = select.args.get("from_")
        nodes = [*([first.this] if first else []), *(join.this for join in select.args.get("joins") or ())]
        return [Source(node.alias_or_name, self._table(node), node) for node in nodes]

    def _table(self, node: exp.Expr) -> Table | None:
        if not isinstance(node, exp.Table):
            return None
        path = ".".join(part.name for part in node.parts)
        if not node.db and any(cte.alias.lower() == path.lower() for cte in (self.tree or node).find_all(exp.CTE)):
            return None
        return self.table_named(path)

    def columns_of(self, select: exp.Select) -> Iterator[exp.Column]:
        """Yield the columns that a SELECT itself names, not those of its subqueries."""
        for node in select.walk(prune=lambda node: node is not select and isinstance(node, exp.Query)):
            if isinstance(node, exp.Column):
                yield node

    def ties(self, one: Table, other: Table) -> list[tuple[str, str]]:
        """Return the pairs of columns by which a key ties two tables; [] if none does, or several keys do."""
        pairs = [(key.column, key.other_column) for key in self._keys(one, other)]
        pairs += [(key.other_column, key.column) for key in self._keys(other, one)]
        distinct = list(dict.fromkeys(pairs))
        ends = [there for _, there in distinct]
        return distinct if len(set(ends)) == len(ends) and len({here for here, _ in distinct}) == len(ends) else []

    def _keys(self, one: Table, other: Table) -> list[ForeignKey]:
        return [key for key in self.schema.foreign_keys if (key.table, key.other_table) == (one.name, other.name)]


def has_column(table: Table | None, name: str) -> bool:
    """Whether a table has a column of this name."""
    return table is not None and any(column.name.lower() == name.lower() for column in table.columns)


def squash(name: str) -> str:
    """Return a name without case, underscores, spaces and a plural's s: `Stadium_IDs` and `stadium id` are one."""
    return re.sub(r"[\W_]+", "", name.lower()).removesuffix("s")
