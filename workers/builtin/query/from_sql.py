"""From SQL to a query tree: for training, and for the earlier turns of a conversation."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import sqlglot
from sqlglot import expressions as exp

from ...database_schema import join_name
from ..schema.schema_index import SchemaIndex
from .grammar import AGGREGATES
from .query_tree import Joiner, LiteralValue, Operand, Order, Predicate, Query, SetOperator, Term

COMPARISONS: dict[type[exp.Expr], str] = {
    exp.EQ: "=",
    exp.NEQ: "!=",
    exp.LT: "<",
    exp.GT: ">",
    exp.LTE: "<=",
    exp.GTE: ">=",
}
ARITHMETIC_SIGNS: dict[type[exp.Expr], str] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
FLIPPED = {"=": "=", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
SET_OPERATIONS: dict[type[exp.Expr], SetOperator] = {
    exp.Intersect: "INTERSECT",
    exp.Union: "UNION",
    exp.Except: "EXCEPT",
}


class UnsupportedSqlError(ValueError):
    """The SQL has something that a query tree cannot express."""


def parse_sql(sql: str, names: SchemaIndex) -> Query:
    """Return the query tree of a SELECT. Its `using` has every table that only FROM names.

    Raises:
        UnsupportedSqlError: the SQL does not parse, or has something that a tree cannot express.
    """
    try:
        parsed = sqlglot.parse_one(sql, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise UnsupportedSqlError(str(error)) from error
    return _query(parsed, names)


def _query(node: exp.Expr | None, names: SchemaIndex) -> Query:
    if isinstance(node, exp.Subquery | exp.Paren):
        return _query(node.this, names)
    for kind, operator in SET_OPERATIONS.items():
        if isinstance(node, kind):
            left, right = _query(node.this, names), _query(node.expression, names)
            if left.operator or node.args.get("order") or node.args.get("limit"):
                raise UnsupportedSqlError("a chain of set operations")
            return Query(**{**{f: getattr(left, f) for f in left.__slots__}, "operator": operator, "right": right})
    if not isinstance(node, exp.Select):
        raise UnsupportedSqlError(f"a {type(node).__name__}")
    return _Scope(node, names).query()


class _Scope:
    """One SELECT with the tables of its FROM."""

    def __init__(self, select: exp.Select, names: SchemaIndex) -> None:
        self.select = select
        self.names = names
        self.tables: dict[str, int] = {}
        self.pairs: list[frozenset[int]] = []
        self._read_from()

    def query(self) -> Query:
        select = self.select
        if select.args.get("with_") or select.args.get("qualify") or select.args.get("windows"):
            raise UnsupportedSqlError("WITH or window functions")
        items = tuple(self._item(item) for item in select.expressions)
        where, having = select.args.get("where"), select.args.get("having")
        group, order, limit = select.args.get("group"), select.args.get("order"), select.args.get("limit")
        grouped = [self._column(column) for column in group.expressions] if group else []
        return Query(
            items=items,
            distinct=select.args.get("distinct") is not None,
            where=self._predicates(where.this) if where else (),
            group=_short_group(grouped, items),
            having=self._predicates(having.this) if having else (),
            order=tuple(self._order(item) for item in order.expressions) if order else (),
            limit=_literal(limit.expression) if limit else None,
            using=tuple(Term(table=table) for table in self.tables.values()),
        )

    def _read_from(self) -> None:
        source = self.select.args.get("from_")
        sources = [source.this] if source else []
        joins = self.select.args.get("joins") or []
        for table in [*sources, *(join.this for join in joins)]:
            if not isinstance(table, exp.Table):
                raise UnsupportedSqlError("FROM holds more than tables")
            name = join_name(part.name for part in table.parts)
            number = self.names.table_numbers.get(name.lower())
            if number is None or number in self.tables.values():
                raise UnsupportedSqlError(f"table {name} is unknown or read twice")
            self.tables[table.alias_or_name.lower()] = number
        for join in joins:
            if join.args.get("side") or join.args.get("using"):
                raise UnsupportedSqlError("an outer join, or USING")
            self._read_on(join.args.get("on"))

    def _read_on(self, on: exp.Expr | None) -> None:
        for part in on.flatten() if isinstance(on, exp.And) else [on]:
            if isinstance(part, exp.EQ) and isinstance(part.this, exp.Column):
                self.pairs.append(frozenset((self._column(part.this), self._column(part.expression))))
            elif part is not None and not (isinstance(part, exp.Boolean) and part.this):
                raise UnsupportedSqlError("a join on more than keys")

    def _column(self, node: exp.Expr) -> int:
        if not isinstance(node, exp.Column):
            raise UnsupportedSqlError(f"{node.sql()} is no column")
        tables = [self.tables[node.table.lower()]] if node.table.lower() in self.tables else list(self.tables.values())
        for table in tables:
            number = self.names.column_numbers.get((table, node.name.lower()))
            if number is not None:
                return number
        raise UnsupportedSqlError(f"column {node.sql()} is unknown")

    def _item(self, node: exp.Expr) -> Term:
        node = node.this if isinstance(node, exp.Alias) else node
        if isinstance(node, exp.Star):
            if len(self.tables) > 1:
                raise UnsupportedSqlError("* of several tables")
            return Term(table=next(iter(self.tables.values())))
        if isinstance(node, exp.Column) and isinstance(node.this, exp.Star):
            return Term(table=self.tables[node.table.lower()])
        return self._term(node)

    def _term(self, node: exp.Expr) -> Term:
        if isinstance(node, exp.Paren | exp.AnyValue | exp.IgnoreNulls):
            return self._term(node.this)
        if sign := ARITHMETIC_SIGNS.get(type(node)):
            return self._arithmetic(node, sign)
        name = type(node).__name__.upper()
        if name not in AGGREGATES:
            return Term(self._column(node))
        inner = node.this
        if isinstance(inner, exp.Star):
            return Term(table=self._counted(), aggregate="COUNT")
        if isinstance(inner, exp.Distinct):
            if len(inner.expressions) != 1 or name != "COUNT":
                raise UnsupportedSqlError("DISTINCT of several columns")
            return Term(self._column(inner.expressions[0]), aggregate=name, distinct=True)
        if type(inner) in ARITHMETIC_SIGNS:
            return replace(self._term(inner), aggregate=name)
        return Term(self._column(inner), aggregate=name)

    def _arithmetic(self, node: exp.Expr, sign: str) -> Term:
        left, right = self._term(node.this), self._term(node.expression)
        if left.right or right.right or bool(left.aggregate) != bool(right.aggregate):
            raise UnsupportedSqlError("nested arithmetic")
        return replace(left, operator=sign, right=right)

    def _counted(self) -> int:
        """Return the table whose rows COUNT(*) counts: one named nowhere else, or else one that refers to others."""
        columns = self.select.find_all(exp.Column)
        own = {self._scope_column(column) for column in columns if column.find_ancestor(exp.Select) is self.select}
        in_join = {number for pair in self.pairs for number in pair}
        used = {self.names.table_of[number] for number in own if number is not None and number not in in_join}
        free = [table for table in self.tables.values() if table not in used]
        choice = free or list(self.tables.values())
        refers = [
            table for table in choice if any(self.names.table_of[edge.column] == table for edge in self.names.edges)
        ]
        return (refers or choice)[0]

    def _scope_column(self, node: exp.Column) -> int | None:
        try:
            return self._column(node)
        except UnsupportedSqlError:
            return None

    def _order(self, node: exp.Expr) -> Order:
        return Order(self._term(node.this), descending=bool(node.args.get("desc")))

    def _predicates(self, node: exp.Expr, joiner: Joiner = "AND") -> tuple[Predicate, ...]:
        if isinstance(node, exp.Or | exp.And):
            tie: Joiner = "OR" if isinstance(node, exp.Or) else "AND"
            left = self._predicates(node.this, joiner)
            right = self._predicates(node.expression, tie)
            if tie == "AND" and any(one.joiner == "OR" for one in (*left[1:], *right[1:])):
                raise UnsupportedSqlError("OR inside of AND")
            return left + right
        if isinstance(node, exp.Paren):
            return self._predicates(node.this, joiner)
        return (self._predicate(node, joiner),)

    def _predicate(self, node: exp.Expr, joiner: Joiner) -> Predicate:
        negated = isinstance(node, exp.Not)
        node = node.this if negated else node
        while isinstance(node, exp.Paren):
            node = node.this
        if isinstance(node, exp.Is):
            return Predicate(self._term(node.this), "NOT_NULL" if negated else "IS_NULL", (), joiner)
        if isinstance(node, exp.In):
            inner = node.args.get("query")
            if inner is None:
                return self._one_of(node, negated, joiner)
            return Predicate(self._term(node.this), "NOT_IN" if negated else "IN", (_query(inner, self.names),), joiner)
        if isinstance(node, exp.Like | exp.ILike):
            operator, value = _pattern(node.expression, negated != bool(node.args.get("negate")))
            return Predicate(self._term(node.this), operator, (value,), joiner)
        if negated:
            raise UnsupportedSqlError("NOT")
        if isinstance(node, exp.Between):
            operands = (_literal(node.args["low"]), _literal(node.args["high"]))
            return Predicate(self._term(node.this), "BETWEEN", operands, joiner)
        return self._comparison(node, joiner)

    def _one_of(self, node: exp.In, negated: bool, joiner: Joiner) -> Predicate:
        if negated:
            raise UnsupportedSqlError("NOT IN a list of values")
        return Predicate(self._term(node.this), "ONE_OF", tuple(_literal(one) for one in node.expressions), joiner)

    def _comparison(self, node: exp.Expr, joiner: Joiner) -> Predicate:
        operator = COMPARISONS.get(type(node))
        if operator is None:
            raise UnsupportedSqlError(f"a {type(node).__name__}")
        left, right = node.this, node.expression
        if isinstance(left, exp.Literal | exp.Subquery):
            left, right, operator = right, left, FLIPPED[operator]
        return Predicate(self._term(left), operator, (self._operand(right),), joiner)

    def _operand(self, node: exp.Expr) -> Operand:
        if isinstance(node, exp.Subquery):
            return _query(node, self.names)
        if isinstance(node, exp.Column):
            return Term(self._column(node))
        return _literal(node)


def _short_group(grouped: list[int], items: tuple[Term, ...]) -> tuple[int, ...]:
    """Drop the columns that the writer adds itself: the selected ones, unless GROUP BY has no others."""
    plain = {item.column for item in items if not item.aggregate}
    return tuple(column for column in grouped if column not in plain) or tuple(grouped[:1])


def _literal(node: exp.Expr) -> LiteralValue:
    if isinstance(node, exp.Neg) and isinstance(node.this, exp.Literal):
        return LiteralValue(f"-{node.this.this}", number=True)
    if isinstance(node, exp.Cast):
        return _literal(node.this)
    if not isinstance(node, exp.Literal):
        raise UnsupportedSqlError(f"{node.sql()} is no constant")
    return LiteralValue(cast(str, node.this), number=not node.is_string)


def _pattern(node: exp.Expr, negated: bool) -> tuple[str, LiteralValue]:
    text = _literal(node).text
    inner = text.strip("%")
    if "%" in inner or "_" in inner or not inner:
        raise UnsupportedSqlError("a pattern")
    if text.startswith("%") and text.endswith("%"):
        return "LACKS" if negated else "CONTAINS", LiteralValue(inner)
    if negated:
        raise UnsupportedSqlError("NOT LIKE")
    return ("STARTS" if text.endswith("%") else "ENDS" if text.startswith("%") else "="), LiteralValue(inner)
