"""From a query tree to SQL: the joins are derived from the keys, names are quoted only where needed."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from ...database_schema import split_name
from ...sql_text import quote_identifier, quote_literal
from ..schema.schema_index import ForeignKeyEdge, SchemaIndex, column_kind, join_tree
from .implied_tables import table_for
from .query_tree import LiteralValue, Operand, Period, Predicate, Query, Term, terms_in

PATTERN_FORMS = {"CONTAINS": "%{}%", "STARTS": "{}%", "ENDS": "%{}", "LACKS": "%{}%"}
DATE = re.compile(r"(\d{4}-\d{1,2}-\d{1,2})?[ T]?(\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?")
TRUE, FALSE = ("1", "true", "t", "yes", "y"), ("0", "false", "f", "no", "n")
SIGNS = {"!=": "<>"}
# Takes a column's index and a text; returns the text as the column's cells spell it.
SpellValue = Callable[[int, str], str]


class NotWritableError(ValueError):
    """The query names tables that no keys join, or compares values that cannot be compared."""


def format_sql(query: Query, names: SchemaIndex, spelling: SpellValue | None = None) -> str:
    """Return the SQL of a query in DuckDB's dialect.

    Args:
        query: the tree.
        names: of the schema.
        spelling: returns a text as the cells of a column spell it; None: as it is.

    Raises:
        NotWritableError: no keys join its tables, or a value does not fit its column.
    """
    return _Writer(query, names, spelling or (lambda _, text: text)).whole()


@lru_cache(maxsize=1)
def _reserved() -> frozenset[str]:
    import duckdb

    rows = duckdb.connect().execute("SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'")
    return frozenset(name for (name,) in rows.fetchall())


def quoted(name: str) -> str:
    """Return an identifier, in double quotes where SQL needs them."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name) and name.lower() not in _reserved():
        return name
    return quote_identifier(name)


class _Writer:
    """Writes one scope; subqueries and the other side of a set operation get writers of their own."""

    def __init__(self, query: Query, names: SchemaIndex, spelling: SpellValue) -> None:
        self.query = query
        self.names = names
        self.spelling = spelling
        self.tree = self._tables()
        self.single = len(self.tree) == 1

    def _tables(self) -> list[tuple[int, ForeignKeyEdge | None]]:
        tables = [table_for(term, self.names) for term in terms_in(self.query)]
        through = [term.column for term in self.query.using if term.column is not None]
        tree = join_tree(self.names, tables, through)
        if tree is None:
            raise NotWritableError("no keys tie the tables together")
        return tree

    def whole(self) -> str:
        query = self.query
        items = ", ".join(self._term(item) for item in query.items)
        group, order = self._group(), self._order()
        parts = [f"SELECT {'DISTINCT ' if query.distinct else ''}{items}", self._from()]
        if conditions := self._conditions():
            parts.append("WHERE " + conditions)
        if group:
            parts.append("GROUP BY " + ", ".join(group))
        if query.having:
            parts.append("HAVING " + self._predicates(query.having))
        if query.per is not None and query.limit is not None:
            parts.append(self._first_rows(self._column(query.per), query.limit))
            order = [self._column(query.per), *order]
        if order:
            parts.append("ORDER BY " + ", ".join(order))
        if query.limit is not None and query.per is None:
            parts.append("LIMIT " + self._whole_number(query.limit))
        return self._with_right(" ".join(parts))

    def _with_right(self, text: str) -> str:
        """Return a scope's SQL, with the other side of its set operation."""
        query = self.query
        if query.operator is None or query.right is None:
            return text
        right = _Writer(query.right, self.names, self.spelling).whole()
        left = f"({text})" if query.order or query.limit else text
        tail = query.right.order or query.right.limit
        return f"{left} {query.operator} {f'({right})' if tail else right}"

    def _order(self) -> list[str]:
        """Return the order; periods of time are in order by themselves."""
        query = self.query
        if not query.order and not query.distinct and query.items[0].part:
            return [self._term(query.items[0])]
        return [self._term(order.term) + (" DESC" if order.descending else "") for order in query.order]

    def _first_rows(self, per: str, limit: LiteralValue) -> str:
        order = ", ".join(self._order())
        return f"QUALIFY row_number() OVER (PARTITION BY {per} ORDER BY {order}) <= {self._whole_number(limit)}"

    def _conditions(self) -> str:
        """Return the text of WHERE; the conditions that a share filters by are not part of it."""
        query = self.query
        where = "" if self._filtered() else self._predicates(query.where) if query.where else ""
        period = self._period(query.period) if query.period else ""
        if where and period and any(one.joiner == "OR" for one in query.where[1:]):
            where = f"({where})"
        return " AND ".join(one for one in (where, period) if one)

    def _filtered(self) -> bool:
        """Whether the conditions select the rows whose share is wanted."""
        return any(item.share for item in self.query.items) and bool(self.query.where) and not self._group()

    def _period(self, period: Period) -> str:
        column = self._column(period.column)
        if column_kind(self.names.columns[period.column]) == "text":
            column = f"TRY_CAST({column} AS DATE)"
        ends = ((">=", period.begin), ("<", period.end))
        return " AND ".join(f"{column} {sign} {moment}" for sign, moment in ends if moment)

    def _group(self) -> list[str]:
        """Return what to group by: DuckDB requires everything selected without an aggregate."""
        query = self.query
        terms = [*query.items, *(order.term for order in query.order), *(predicate.term for predicate in query.having)]
        plain = [term for term in terms if not _is_aggregated(term) and term.column is not None]
        if not query.group and not (plain and any(_is_aggregated(term) for term in terms)):
            return []
        texts = [*map(self._column, query.group), *map(self._term, plain)]
        return list(dict.fromkeys(texts + ([self._column(query.per)] if query.per is not None else [])))

    def _alias(self, table: int) -> str:
        parts = split_name(self.names.tables[table].name)
        alike = [other for other, _ in self.tree if self._last(other).lower() == parts[-1].lower()]
        return parts[-1] if len(alike) == 1 else "_".join(parts)

    def _last(self, table: int) -> str:
        return split_name(self.names.tables[table].name)[-1]

    def _table(self, table: int) -> str:
        parts = split_name(self.names.tables[table].name)
        text = ".".join(quoted(part) for part in parts)
        alias = self._alias(table)
        return text if self.single or alias == parts[-1] else f"{text} AS {quoted(alias)}"

    def _from(self) -> str:
        text = ""
        for table, edge in self.tree:
            if edge is None:
                text = f"FROM {self._table(table)}"
            else:
                text += f" JOIN {self._table(table)} ON {self._column(edge.column)} = {self._column(edge.other)}"
        return text

    def _column(self, column: int) -> str:
        name = quoted(self.names.columns[column].name)
        return name if self.single else f"{quoted(self._alias(self.names.table_of[column]))}.{name}"

    def _term(self, term: Term) -> str:
        if term.share:
            return self._share(replace(term, share=""), 100 if term.share == "PERCENT" else 1)
        if term.right is None:
            return self._simple(term)
        left = replace(term, operator="", right=None, aggregate=term.aggregate if term.right.aggregate else "")
        text = _arithmetic(self._simple(left), term.operator, self._simple(term.right))
        return f"{term.aggregate}({text})" if term.aggregate and not term.right.aggregate else text

    def _share(self, term: Term, factor: int) -> str:
        """Return the share of an aggregate: of a group in all groups, or of the selected rows in all rows."""
        text = self._term(term)
        if self._filtered():
            return f"{text} FILTER (WHERE {self._predicates(self.query.where)}) * {factor}.0 / {text}"
        if not self._group():
            raise NotWritableError("a share of what?")
        return f"{text} * {factor}.0 / SUM({text}) OVER ()"

    def _simple(self, term: Term) -> str:
        if term.column is None:
            if term.aggregate:
                return "COUNT(*)"
            return "*" if self.single or term.table is None else f"{quoted(self._alias(term.table))}.*"
        column = self._column(term.column)
        if term.part:
            return f"year({column})" if term.part == "year" else f"date_trunc('{term.part}', {column})"
        if not term.aggregate:
            return column
        return f"{term.aggregate}({'DISTINCT ' if term.distinct else ''}{column})"

    def _predicates(self, predicates: tuple[Predicate, ...]) -> str:
        texts = [self._predicate(predicate) for predicate in predicates]
        joined = texts[0]
        for predicate, text in zip(predicates[1:], texts[1:], strict=True):
            joined += f" {predicate.joiner} {text}"
        return joined

    def _predicate(self, predicate: Predicate) -> str:
        left, operator = self._term(predicate.term), predicate.operator
        if operator in ("IS_NULL", "NOT_NULL"):
            return f"{left} IS {'NOT ' if operator == 'NOT_NULL' else ''}NULL"
        if operator in PATTERN_FORMS:
            return self._pattern(left, predicate)
        operands = [self._operand(operand, predicate.term) for operand in predicate.operands]
        if self._is_of_year(predicate):
            left = f"year({left})"
        if operator == "BETWEEN":
            low, high = sorted(operands, key=_size)
            return f"{left} BETWEEN {low} AND {high}"
        if operator == "ONE_OF":
            return f"{left} IN ({', '.join(dict.fromkeys(operands))})"
        sign = SIGNS.get(operator, operator.replace("_", " "))
        return f"{left} {sign} {operands[0]}"

    def _is_of_year(self, predicate: Predicate) -> bool:
        """Whether a date is compared with years alone."""
        texts = [operand.text for operand in predicate.operands if isinstance(operand, LiteralValue)]
        return bool(texts) and self._term_type(predicate.term) == "date" and all(is_year(text) for text in texts)

    def _term_type(self, term: Term) -> str:
        """Return the type of a term's values."""
        if term.column is None or term.aggregate in ("COUNT", "SUM", "AVG"):
            return "number"
        return column_kind(self.names.columns[term.column])

    def _pattern(self, left: str, predicate: Predicate) -> str:
        (value,) = predicate.operands
        assert isinstance(value, LiteralValue)
        if self._term_type(predicate.term) != "text":
            raise NotWritableError("only text is searched")
        pattern = PATTERN_FORMS[predicate.operator].format(value.text)
        return f"{left} {'NOT ' if predicate.operator == 'LACKS' else ''}ILIKE {quote_literal(pattern)}"

    def _operand(self, operand: Operand, term: Term) -> str:
        if isinstance(operand, Term):
            return self._term(operand)
        if isinstance(operand, Query):
            return f"({_Writer(operand, self.names, self.spelling).whole()})"
        term_type = self._term_type(term)
        if term_type == "number" or (term_type == "date" and is_year(operand.text)):
            return _number(operand)
        if term_type == "boolean":
            return _boolean(operand)
        if term_type == "other" or (term_type == "date" and not is_date(operand.text)):
            raise NotWritableError("a constant does not suit its column")
        assert term.column is not None
        return quote_literal(self.spelling(term.column, operand.text))

    def _whole_number(self, value: LiteralValue) -> str:
        if not re.fullmatch(r"\d{1,9}", value.text):
            raise NotWritableError("LIMIT needs a whole number")
        return value.text


def _is_aggregated(term: Term) -> bool:
    return any(part.aggregate for part in term.parts)


def _arithmetic(left: str, operator: str, right: str) -> str:
    return f"{left} * 100.0 / {right}" if operator == "%" else f"{left} {operator} {right}"


def is_year(text: str) -> bool:
    """Whether a text is a year alone."""
    return re.fullmatch(r"[12]\d{3}", text) is not None


def is_date(text: str) -> bool:
    """Whether DuckDB reads a text as a date, a time, or both."""
    return (
        re.fullmatch(r"(\d{4}-\d{1,2}-\d{1,2})?[ T]?(\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?", text) is not None and text != ""
    )


def _number(value: LiteralValue) -> str:
    if not re.fullmatch(r"-?\d+(\.\d+)?", value.text):
        raise NotWritableError("a number is compared with a text")
    return value.text


def _boolean(value: LiteralValue) -> str:
    """Return a truth value from the constants 1 and 0 or from a word."""
    word = value.text.casefold()
    if word not in TRUE and word not in FALSE:
        raise NotWritableError("a truth value is compared with what is none")
    return "true" if word in TRUE else "false"


def _size(text: str) -> tuple[float, str]:
    """Return the sort key of a constant: numbers by size, texts (also dates) alphabetically."""
    return (0.0, text) if text.startswith("'") else (float(text), "")
