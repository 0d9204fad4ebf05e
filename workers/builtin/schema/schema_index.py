"""A schema's tables and columns, numbered, and the keys along which tables may be joined."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from ...database_schema import Column, Schema, Table, split_name
from ..text.tokens import is_cjk, name_words
from .chinese_keys import inferred_references

NUMBER_TYPES = ("INT", "DECIMAL", "NUMERIC", "DOUBLE", "FLOAT", "REAL", "HUGE", "BIGNUM", "NUMBER")
DATE_TYPES = ("DATE", "TIME", "INTERVAL")
MAX_IMPLIED = 20_000  # Limit of implied joins: if all tables share a key, there is a join for each pair of tables.
MAX_CHINESE_PAIRS = 200_000  # Limit of columns × tables, because each column is compared with each table's key.


@dataclass(frozen=True, slots=True)
class ForeignKeyEdge:
    """A join: two columns by their numbers, the key's own side first."""

    column: int
    other: int


def column_kind(column: Column) -> str:
    """Return 'number', 'date', 'boolean', 'text', or 'other' for a column's type; 'text' if it is unknown."""
    name = column.type.upper()
    if name.endswith("]") or name.startswith(("STRUCT", "MAP", "UNION", "BLOB", "BIT", "UUID")):
        return "other"
    if name.startswith("BOOL"):
        return "boolean"
    if any(part in name for part in DATE_TYPES):
        return "date"
    if any(part in name for part in NUMBER_TYPES):
        return "number"
    return "text"


class SchemaIndex:
    """Numbers for the tables and columns of a schema, in the schema's order."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.tables: list[Table] = list(schema.tables)
        self.columns: list[Column] = [column for table in self.tables for column in table.columns]
        self.table_of: list[int] = [number for number, table in enumerate(self.tables) for _ in table.columns]
        self.table_numbers = {table.name.lower(): number for number, table in enumerate(self.tables)}
        self.column_numbers: dict[tuple[int, str], int] = {}
        for number, (column, table) in enumerate(zip(self.columns, self.table_of, strict=True)):
            self.column_numbers.setdefault((table, column.name.lower()), number)

    @cached_property
    def columns_of(self) -> list[list[int]]:
        """The numbers of each table's columns."""
        found: list[list[int]] = [[] for _ in self.tables]
        for number, table in enumerate(self.table_of):
            found[table].append(number)
        return found

    def find_column(self, table: str, column: str) -> int | None:
        """Return the number of `table.column`, case ignored."""
        return self.column_numbers.get((self.table_numbers.get(table.lower(), -1), column.lower()))

    def is_key(self, column: int) -> bool:
        """Whether a column is a key, or is named like one: adding such numbers up means nothing."""
        own = self.columns[column]
        return own.primary_key or column in self._joined or name_words(own.name)[-1] == "id"

    @cached_property
    def _joined(self) -> frozenset[int]:
        return frozenset(column for edge in self.edges for column in (edge.column, edge.other))

    @cached_property
    def edges(self) -> list[ForeignKeyEdge]:
        """The possible joins: along declared keys, then, between other tables, along key columns with equal names."""
        edges = []
        for key in self.schema.foreign_keys:
            column = self.find_column(key.table, key.column)
            other = self.find_column(key.other_table, key.other_column)
            if column is not None and other is not None and self.table_of[column] != self.table_of[other]:
                edges.append(ForeignKeyEdge(column, other))
        implied = self._implied(edges)
        return list(dict.fromkeys(edges + implied + ([] if edges else self._chinese_keys())))

    def _chinese_keys(self) -> list[ForeignKeyEdge]:
        too_many = len(self.columns) * len(self.tables) > MAX_CHINESE_PAIRS
        if too_many or not any(is_cjk(table.name) for table in self.tables):
            return []
        named = [(split_name(table.name)[-1], [column.name for column in table.columns]) for table in self.tables]
        return [
            ForeignKeyEdge(self.columns_of[table][column], self.columns_of[other][key])
            for (table, column), (other, key) in inferred_references(named)
        ]

    def _implied(self, declared: list[ForeignKeyEdge]) -> list[ForeignKeyEdge]:
        """Return a join for each two tables without a declared key that share the name of a key column."""
        tied = {frozenset((self.table_of[edge.column], self.table_of[edge.other])) for edge in declared}
        named: dict[str, list[int]] = {}
        for number, column in enumerate(self.columns):
            named.setdefault(column.name.lower(), []).append(number)
        implied: list[ForeignKeyEdge] = []
        for other in self._keys:
            for number in sorted(chain.from_iterable(named.get(name, ()) for name in self._names_for(other))):
                pair = frozenset((self.table_of[number], self.table_of[other]))
                if len(pair) == 2 and pair not in tied:
                    tied.add(pair)
                    implied.append(ForeignKeyEdge(number, other))
                if len(implied) >= MAX_IMPLIED:
                    return implied
        return implied

    @cached_property
    def _keys(self) -> list[int]:
        """The columns that another table can refer to: a whole declared key, or `id` if none is declared."""
        found = []
        for table, own in zip(self.tables, self.columns_of, strict=True):
            keys = [number for number in own if self.columns[number].primary_key]
            if not keys and own and table.columns[0].name.lower().endswith("id"):
                keys = own[:1]
            found += keys if len(keys) == 1 else []
        return found

    def _names_for(self, key: int) -> set[str]:
        name = self.columns[key].name.lower()
        table = split_name(self.tables[self.table_of[key]].name)[-1].lower()
        if name in ("id", "code", "name", "key"):
            stems = {table, table.removesuffix("s"), table.removesuffix("es"), table.removesuffix("ies") + "y"}
            return {f"{one}_{name}" for one in stems} | {f"{one}{name}" for one in stems}
        return {name}

    @cached_property
    def neighbours(self) -> dict[int, list[tuple[int, ForeignKeyEdge]]]:
        """For each table, the tables one join away."""
        found: dict[int, list[tuple[int, ForeignKeyEdge]]] = {number: [] for number in range(len(self.tables))}
        for edge in self.edges:
            one, two = self.table_of[edge.column], self.table_of[edge.other]
            found[one].append((two, edge))
            found[two].append((one, edge))
        return found


def join_tree(
    names: SchemaIndex, tables: Iterable[int], through: Iterable[int] = ()
) -> list[tuple[int, ForeignKeyEdge | None]] | None:
    """Return the tables to read, each with its join to the tables before it; None if no keys join them.

    Args:
        tables: the required tables, the most important first.
        through: key columns whose joins are preferred.
    """
    wanted = list(dict.fromkeys(tables))
    forced = [edge for column in dict.fromkeys(through) for edge in names.edges if edge.column == column][:4]
    if not wanted:
        return None
    tree: list[tuple[int, ForeignKeyEdge | None]] = [(wanted[0], None)]
    while True:
        inside = {table for table, _ in tree}
        missing = {table for table in wanted if table not in inside}
        near = [edge for edge in forced if _outside(names, edge, inside) is not None]
        if near:
            table = _outside(names, near[0], inside)
            assert table is not None
            tree.append((table, near[0]))
        elif not missing:
            return tree
        else:
            path = _shortest(names, inside, missing)
            if path is None:
                return None
            tree += path


def _outside(names: SchemaIndex, edge: ForeignKeyEdge, inside: set[int]) -> int | None:
    """Return the end of an edge that is outside, if the other end is inside."""
    one, two = names.table_of[edge.column], names.table_of[edge.other]
    if (one in inside) == (two in inside):
        return None
    return two if one in inside else one


def _shortest(names: SchemaIndex, inside: set[int], missing: set[int]) -> list[tuple[int, ForeignKeyEdge]] | None:
    """Return the shortest path from the tree to a missing table: breadth first, keys in the schema's order."""
    queue: deque[tuple[int, list[tuple[int, ForeignKeyEdge]]]] = deque((table, []) for table in sorted(inside))
    seen = set(inside)
    while queue:
        table, path = queue.popleft()
        if table in missing:
            return path
        for neighbour, edge in names.neighbours[table]:
            if neighbour not in seen:
                seen.add(neighbour)
                queue.append((neighbour, [*path, (neighbour, edge)]))
    return None
