"""Puts a question's words of time into its query: a condition on a date column, a unit of time to group by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from ...database_schema import Column
from ..network.name_matching import NEAR, Levels
from ..network.schema_linking import SchemaLinks
from ..query.implied_tables import table_for
from ..query.query_tree import Period, Predicate, Query, Term, terms_in
from ..schema.schema_index import SchemaIndex, column_kind, join_tree
from ..text.tokens import name_words, read_words, stem
from .time_phrases import UNITS, TimePhrases, TimeSpan, find_time_phrases, find_yearless_month

# Words of names of dates that are rarely meant unless the question names them, and words that say nothing.
_RARE_WORDS = """
birth born due expiry expires valid until end ended closed cancelled canceled updated modified last leave left delivered
paid discontinued 出生 生日 到期 截止 结束 更新 离职
"""
_PLAIN_WORDS = "date time day on at when timestamp 日 期 时 间"
RARE, PLAIN = frozenset(_RARE_WORDS.split()), frozenset(_PLAIN_WORDS.split())
ABSENT = re.compile(r"\b(without|no|never|not|nobody|none|didn't|did not)\b|没|未|无", re.IGNORECASE)
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def cut_time_phrases(question: str, names: SchemaIndex) -> TimePhrases:
    """Return a question without its words of time; whole if columns other than dates are named after them.

    A table with a number column `year` has its own way to say "in 2014", which the network knows; so has a schema
    without a date for a date that the question writes out. `monthly` may be part of a name.
    """
    found = find_time_phrases(question)
    words = {word for column in names.columns for word in name_words(column.name) if not is_date_column(column)}
    if not found.words:
        return found
    named = [unit for unit, forms in UNITS.items() if words & {unit, f"{unit}ly", *forms.split("|")}]
    dated = any(is_date_column(column) for column in names.columns)
    absolute = found.span is not None and found.span.plain
    if (
        (absolute and ("year" in named or not dated))
        or (found.unit in named)
        or (found.unit == "day" and "daily" in words)
    ):
        return TimePhrases(question)
    return replace(found, rest=_totalled(found.rest, names)) if found.unit else found


def _totalled(rest: str, names: SchemaIndex) -> str:
    """Return "total quantity sold" for "quantity sold": what is grouped by a unit of time is added up."""
    words = [stem(word.lower) for word in read_words(rest)]
    for column in names.columns:
        name = [stem(word) for word in name_words(column.name)]
        if column_kind(column) == "number" and words[: len(name)] == name:
            return f"total {rest[0].lower()}{rest[1:]}"
    return rest


def yearless_month(question: str, links: SchemaLinks) -> str:
    """Return the words of a question that name a month without its year, such as "in March"; '' for none.

    Only a schema with dates and without a column of months needs the year; nor does a month that is a cell.
    """
    columns = links.names.columns
    words = {word for column in columns for word in name_words(column.name) if not is_date_column(column)}
    found = find_yearless_month(question)
    if not found or words & {"month", "months", "月", "月份"} or not any(map(is_date_column, columns)):
        return ""
    cells = {cell.casefold() for column in columns for cell in (*column.values, *column.examples)}
    return "" if any(word in cells for word in found.casefold().split()) else found


def is_date_column(column: Column) -> bool:
    """Whether a column has dates: by its type, or as texts that begin like 2024-01-31."""
    kind = column_kind(column)
    if kind == "date":
        return not column.type.upper().startswith(("TIME ", "INTERVAL")) and column.type.upper() != "TIME"
    cells = [*column.examples, *column.values[:5]]
    return kind == "text" and bool(cells) and all(ISO_DATE.match(cell) for cell in cells)


def place_time(tree: Query, phrases: TimePhrases, links: SchemaLinks, question: str) -> Query | None:
    """Return the query with its words of time; None if it has no date for them.

    Args:
        tree: the query of the question without them.
        phrases: what they say.
        links: the schema.
        question: the whole question, whose other words tell which date is meant.
    """
    if tree.right is not None:
        return None
    scoped = _absent_scope(tree) if phrases.span and ABSENT.search(question) else None
    if scoped is not None:
        inner = place_time(scoped[1], phrases, links, question)
        return _with_inner(tree, scoped[0], inner) if inner else None
    column = date_column(tree, links, question, years=phrases.span is not None and bool(phrases.span.year))
    if column is None:
        return None
    placed = replace(tree, period=_period(column, phrases.span, links.names)) if phrases.span else tree
    return _grouped(placed, column, phrases.unit, links.names) if phrases.unit else placed


def _absent_scope(tree: Query) -> tuple[int, Query] | None:
    """Return the number of the predicate that asks for rows without others, with its subquery."""
    for number, predicate in enumerate(tree.where):
        if predicate.operator == "NOT_IN" and isinstance(predicate.operands[0], Query):
            return number, predicate.operands[0]
    return None


def _with_inner(tree: Query, number: int, inner: Query) -> Query:
    changed: Predicate = replace(tree.where[number], operands=(inner,))
    return replace(tree, where=(*tree.where[:number], changed, *tree.where[number + 1 :]))


def _period(column: int, span: TimeSpan, names: SchemaIndex) -> Period:
    if column_kind(names.columns[column]) == "number":
        return Period(column, span.year, f"{span.year} + 1")
    return Period(column, span.begin, span.end)


def date_column(tree: Query, links: SchemaLinks, question: str, years: bool = False) -> int | None:
    """Return the date column that a question means: of the query's tables, else of a table one join away.

    Args:
        tree: the query.
        links: the schema.
        question: its words; "hired" means `hire_date`.
        years: whether a number column that is a year will do.
    """
    names = links.names
    own = [table_for(term, names) for term in terms_in(tree)]
    read = [table for table, _ in join_tree(names, own) or ()]
    near = [table for one in read for table, _ in names.neighbours[one] if table not in read]
    levels = links.matcher.levels([word.lower for word in read_words(question)])
    for tables in (read, near):
        columns = [one for table in dict.fromkeys(tables) for one in names.columns_of[table]]
        fits = [one for one in columns if is_date_column(names.columns[one])]
        fits = fits or [one for one in columns if years and _is_year(names, one)]
        if fits:
            return max(fits, key=lambda one: (_score(one, own[:1], levels, names, question), -one))
    return None


def _is_year(names: SchemaIndex, column: int) -> bool:
    words = name_words(names.columns[column].name)
    return column_kind(names.columns[column]) == "number" and bool({"year", "年"} & set(words))


def _score(column: int, first: Iterable[int], levels: Levels, names: SchemaIndex, question: str) -> float:
    words = set(name_words(names.columns[column].name)) | set(name_words(names.columns[column].comment or "x"))
    text = "".join(sorted(words)) + names.columns[column].name.lower() + names.columns[column].comment
    named = bool(levels[:, column].max(initial=0) >= NEAR) and bool(words - PLAIN)
    rare = any(word in text if not word.isascii() else word in words for word in RARE)
    return 4 * named - 3 * (rare and not named) + 2 * (names.table_of[column] in first)


def _grouped(tree: Query, column: int, unit: str, names: SchemaIndex) -> Query:
    """Return the query by unit of time; what it selects is counted or added up, unless it is an aggregate."""
    items = tree.items
    if not any(part.aggregate for item in items for part in item.parts):
        items = (_counted(items[0], names),)
    return replace(tree, items=(Term(column, part=unit), *items), distinct=False)


def _counted(item: Term, names: SchemaIndex) -> Term:
    if item.right is not None:
        return replace(item, aggregate="SUM")
    if (
        item.column is not None
        and column_kind(names.columns[item.column]) == "number"
        and not names.is_key(item.column)
    ):
        return Term(item.column, aggregate="SUM")
    return Term(table=table_for(item, names), aggregate="COUNT")
