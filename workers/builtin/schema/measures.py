"""Measures that a question names and no column has, but columns make: revenue is quantity times unit price.

For the network such a measure is one more column of the table that has the quantity, named as the question names it;
in SQL it is the product.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ...database_schema import Column, Schema, Table
from ..text.tokens import is_cjk, name_words, read_words, stem
from .schema_index import SchemaIndex, column_kind

REVENUE = re.compile(
    r"\b(?:revenues?|turnover|takings|sales(?!\s+(?:rep|person|people|man|team|agent|manager|staff))|gross income)\b"
    "|销售额|营业额|营收|销售收入|成交额|流水",
    re.IGNORECASE,
)
SOLD = re.compile(
    r"\bunits sold\b|\bsold(?= (?:the )?(?:most|least|best)\b)|\bhow many\b.*?\b(?:were|was|have we|are) (sold)\b"
    "|销售数量|销售量|销量|售出量",
    re.IGNORECASE,
)
COUNTED = re.compile(r"\b(?:how many|number of|count of)\s+\w*\s*$", re.IGNORECASE)
_QUANTITY = "quantity qty units pieces nights hours 数量 件数 份数 天数 晚数 小时数"
_PRICE = "price rate fare 单价 价格 售价 房价 单位价格"
_AMOUNT = "amount total subtotal revenue sales turnover 金额 总价 总额 小计 销售额 收入"
_UNSOLD = "stock reserve warehouse min max minimum maximum 库存"
_LEVELS = "cost purchase list original 成本 进价 原价"  # Prices at which nothing is sold.


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure.

    Args:
        name: the question's words for it.
        table: the table that has the first factor.
        factors: one column, or two that are multiplied, each as (table, column).
    """

    name: str
    table: str
    factors: tuple[tuple[str, str], ...]

    def added_to(self, schema: Schema) -> Schema:
        """Return the schema with the measure as a column."""
        column = Column(self.name, "DOUBLE")
        tables = [
            replace(one, columns=(*one.columns, column)) if one.name == self.table else one for one in schema.tables
        ]
        return replace(schema, tables=tuple(tables))


def find_measure(question: str, names: SchemaIndex) -> Measure | None:
    """Return the measure that a question names and no column has; None if there is none, or no columns for it."""
    for pattern, factors_of in ((REVENUE, _revenue_factors), (SOLD, _sold_factors)):
        match = pattern.search(question)
        if match is None:
            continue
        name = match[match.lastindex or 0]
        if not COUNTED.search(question[: match.start()]) and not _is_named(name, names):
            factors = factors_of(names)
            return Measure(name, factors[0][0], factors) if factors else None
    return None


def is_sold(names: SchemaIndex, column: int) -> bool:
    """Whether a column says what one of many sales brought, or how much was sold: such a table has dates, or refers."""
    table = names.table_of[column]
    is_amount = REVENUE.search(_described(names.columns[column])) or _has(names.columns[column], _QUANTITY)
    return bool(is_amount) and _is_of_events(names, table)


def _described(item: Table | Column) -> str:
    """Return the words of a name, the name itself, and the comment."""
    return " ".join((*name_words(item.name), item.name, item.comment or ""))


def _is_of_events(names: SchemaIndex, table: int) -> bool:
    refers = any(names.table_of[edge.column] == table for edge in names.edges)
    return refers or any(column_kind(names.columns[one]) == "date" for one in names.columns_of[table])


def _is_named(text: str, names: SchemaIndex) -> bool:
    wanted = {stem(word.lower) for word in read_words(text) if not is_cjk(word.text)}
    items: list[Table | Column] = [*names.tables, *names.columns]
    for item in items:
        described = _described(item)
        if (not wanted and text in described) or wanted & {stem(word) for word in name_words(described)}:
            return True
    return False


def _revenue_factors(names: SchemaIndex) -> tuple[tuple[str, str], ...]:
    for number, quantity in _quantities(names):
        near = [other for other, edge in names.neighbours[number] if names.table_of[edge.column] == number]
        tables = [number, *near]
        if any(_has(names.columns[one], _AMOUNT) for table in tables for one in names.columns_of[table]):
            continue
        for table in tables:
            for price in _numbers(names, [table]):
                if _has(names.columns[price], _PRICE) and not _has(names.columns[price], _LEVELS):
                    return _named(names, (quantity, price))
    return ()


def _sold_factors(names: SchemaIndex) -> tuple[tuple[str, str], ...]:
    return next((_named(names, (quantity,)) for _, quantity in _quantities(names)), ())


def _quantities(names: SchemaIndex) -> Iterator[tuple[int, int]]:
    """Yield each table of things that happened (it refers to another, or has a date) with its column of quantities."""
    for number in range(len(names.tables)):
        for column in _numbers(names, [number]) if _is_of_events(names, number) else ():
            if _has(names.columns[column], _QUANTITY) and not _has(names.columns[column], _UNSOLD):
                yield number, column
                break


def _numbers(names: SchemaIndex, tables: Iterable[int]) -> list[int]:
    columns = [column for table in tables for column in names.columns_of[table]]
    return [column for column in columns if column_kind(names.columns[column]) == "number"]


def _has(column: Column, words: str) -> bool:
    """Whether the name or the comment of a number column has one of these words."""
    own = set(name_words(column.name)) | set(name_words(column.comment or "_"))
    return column_kind(column) == "number" and any(
        word in f"{column.name}{column.comment}" if is_cjk(word) else word in own for word in words.split()
    )


def _named(names: SchemaIndex, columns: Sequence[int]) -> tuple[tuple[str, str], ...]:
    tables: list[Table] = [names.tables[names.table_of[column]] for column in columns]
    return tuple((table.name, names.columns[column].name) for table, column in zip(tables, columns, strict=True))
