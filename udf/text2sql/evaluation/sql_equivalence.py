"""Whether two queries are the same but for how they are written: the measure where there are no rows to compare.

What counts as the same:

- spelling: case of keywords and names, quotes around names, spaces, comments, brackets that change nothing;
- what a result column or a table is called with AS; whether a column says its table; `*` and the columns it stands for;
- the order of what AND or OR ties, of tables that are joined inwardly, of GROUP BY's keys, of IN's list, of the sides
  of `=`, `<>`, `+`, `*`, UNION and INTERSECT;
- a condition of an inner join in ON, USING or WHERE; a comma and CROSS JOIN;
- `<>` and `!=`; `a > b` and `b < a`; `NOT a = b` and `a <> b`; BETWEEN and its two comparisons; `IN ('x')` and `= 'x'`;
- constants as texts, in any case: `'France'` and `'FRANCE'`, `5`, `5.0` and `'5'`; hence LIKE and ILIKE;
- a query in WITH and the same one in brackets; `COUNT(*)` and `COUNT(1)`; GROUP BY and ORDER BY by number or by name.

Everything else is different, even where the rows would be equal: the order of the selected columns, DISTINCT, another
column of the same values, a join that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import permutations, product
from typing import Any

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from ....workers.database_schema import Schema, split_name

MAX_ASSIGNMENTS = 48
"""How many ways to tell apart the tables of a query that reads one several times are tried."""
SWAPPED = {exp.GT: exp.LT, exp.GTE: exp.LTE}
NEGATED = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.GT: exp.LTE, exp.LTE: exp.GT, exp.LT: exp.GTE, exp.GTE: exp.LT}
EITHER_WAY = (exp.EQ, exp.NEQ, exp.Add, exp.Mul, exp.Union, exp.Intersect)
Numbers = dict[int, int]
"""For the n-th table of a query, which of its namesakes it is taken for."""


def equivalent_sql(right: str, given: str, schema: Schema | None = None) -> bool:
    """Whether two queries say the same; False where one of them cannot be read.

    Args:
        right, given: DuckDB's SQL.
        schema: its columns say what `*` stands for and which table a column is of.
    """
    try:
        one, two = (sqlglot.parse_one(sql, read="duckdb") for sql in (right, given))
        try:
            one, two = _qualified(one, schema), _qualified(two, schema)
        except SqlglotError:  # Something that sqlglot does not know: then as they are written.
            one, two = (sqlglot.parse_one(sql.lower(), read="duckdb") for sql in (right, given))
    except SqlglotError:
        return False
    wanted = next(_alias_assignments(one))
    return any(reading == wanted for reading in _alias_assignments(two))


def _qualified(tree: exp.Expr, schema: Schema | None) -> exp.Expr:
    """Return the query with every column under its table, `*` written out, and WITH's queries in their places."""
    columns: dict[str, object] = {
        split_name(table.name)[-1]: {column.name: column.type or "VARCHAR" for column in table.columns}
        for table in (schema.tables if schema else ())
    }
    tree = _without_with(tree)
    return qualify(tree, schema=columns or None, dialect="duckdb", validate_qualify_columns=bool(columns))


def _without_with(tree: exp.Expr) -> exp.Expr:
    """Put each query of WITH where it is read."""
    clause = tree.args.get("with_") or tree.args.get("with")
    if clause is None:
        return tree
    clause.pop()
    queries: dict[str, exp.Expr] = {}
    for cte in clause.expressions:
        queries[cte.alias.lower()] = _put_in(cte.this, queries)
    return _put_in(tree, queries)


def _put_in(tree: exp.Expr, queries: dict[str, exp.Expr]) -> exp.Expr:
    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Table) and not node.db and node.name.lower() in queries:
            query = queries[node.name.lower()].copy()
            return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(node.alias_or_name)))
        return node

    return tree.transform(replaced)


def _alias_assignments(tree: exp.Expr) -> Iterator[str]:
    """Yield the query's forms, one for each way to tell apart the tables that it reads several times."""
    groups = list(_namesakes(tree))
    ways = product(*(permutations(range(len(group))) for group in groups))
    for _, way in zip(range(MAX_ASSIGNMENTS), ways, strict=False):
        numbers = {
            id(table): number
            for group, order in zip(groups, way, strict=True)
            for table, number in zip(group, order, strict=True)
        }
        yield _Writer(numbers).write(tree, {}, 0)


def _namesakes(tree: exp.Expr) -> Iterator[list[exp.Expr]]:
    """Yield, for each query in the tree, the sources of the same name together."""
    for query in tree.find_all(exp.Select):
        groups: dict[str, list[exp.Expr]] = {}
        for source in _sources(query):
            groups.setdefault(_source_name(source), []).append(source)
        yield from groups.values()


def _sources(query: exp.Select) -> list[exp.Expr]:
    start = query.args.get("from_") or query.args.get("from")
    return [*([start.this] if start else ()), *(join.this for join in query.args.get("joins") or ())]


def _source_name(source: exp.Expr) -> str:
    return source.name.lower() if isinstance(source, exp.Table) else "()"


class _Writer:
    """Writes a query in its one form."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def write(self, node: Any, names: dict[str, str], depth: int) -> str:
        """Return the form of a node.

        Args:
            node: of a query's tree.
            names: what each alias stands for, here and in the queries around.
            depth: how many queries are around.
        """

        def inner(child: Any) -> str:
            return self.write(child, names, depth)

        if isinstance(node, list):
            return f"[{', '.join(map(inner, node))}]"
        if not isinstance(node, exp.Expr):
            return str(node).lower()
        if isinstance(node, exp.Select):
            return self._select(node, names, depth)
        if isinstance(node, exp.Column):
            table = node.table.lower()
            return f"{names.get(table, table)}.{node.name.lower()}"
        return _expression(node, inner)

    def _select(self, query: exp.Select, names: dict[str, str], depth: int) -> str:
        sources = _sources(query)
        own = {s.alias_or_name.lower(): f"{_source_name(s)}{depth}.{self.numbers.get(id(s), 0)}" for s in sources}
        # Without a schema a column may say no table: where there is only one, it is of that.
        names = {**names, **own, "": next(iter(own.values())) if len(own) == 1 else ""}

        def inner(child: Any) -> str:
            return self.write(child, names, depth + 1)

        joins = query.args.get("joins") or []
        conditions = [query.args["where"].this] if query.args.get("where") else []
        tables = [f"{own[source.alias_or_name.lower()]}={self._source(source, names, depth)}" for source in sources]
        if not any(join.side or join.kind in ("SEMI", "ANTI", "ASOF", "POSITIONAL") for join in joins):
            conditions += [join.args["on"] for join in joins if join.args.get("on")]
            tables.sort()
        else:
            told = [f"{join.side} {join.kind} {inner(join.args.get('on'))}" for join in joins]
            tables = [*tables, *told]
        order, group, having = (query.args.get(name) for name in ("order", "group", "having"))
        called = {column.alias.lower(): column.unalias() for column in query.expressions if column.alias}
        keys = order.expressions if order else ()
        parts = {
            "distinct": query.args.get("distinct") is not None,
            "select": [inner(column.unalias()) for column in query.expressions],
            "from": tables,
            "where": sorted(set(_flat(conditions, exp.And, inner))),
            "group": sorted({inner(key) for key in group.expressions}) if group else (),
            "having": sorted(set(_flat([having.this], exp.And, inner))) if having else (),
            "order": [f"{inner(_meant(key.this, called))} {bool(key.args.get('desc'))}" for key in keys],
            "limit": [inner(query.args[name].expression) for name in ("limit", "offset") if query.args.get(name)],
        }
        return f"({'; '.join(f'{name} {part}' for name, part in parts.items() if part)})"

    def _source(self, source: exp.Expr, names: dict[str, str], depth: int) -> str:
        return "" if isinstance(source, exp.Table) else self.write(source.this, names, depth + 1)


def _meant(key: exp.Expr, called: dict[str, exp.Expr]) -> exp.Expr:
    """Return what a key of ORDER BY is: a column of the result stands for what is selected under its name."""
    if isinstance(key, exp.Column) and not key.table:
        return called.get(key.name.lower(), key)
    return key


def _expression(node: exp.Expr, inner: Callable[[Any], str]) -> str:
    """Return the form of what is neither a query nor a column."""
    kind = type(node)
    if isinstance(node, exp.Paren | exp.Subquery | exp.Alias):
        return inner(node.this)
    if isinstance(node, exp.Literal):
        return _constant(node.name)
    if isinstance(node, exp.And | exp.Or):
        return f"{kind.__name__}({', '.join(sorted(set(_flat([node], kind, inner))))})"
    if isinstance(node, exp.Between):
        low, high = node.args["low"], node.args["high"]
        return inner(
            exp.And(this=exp.LTE(this=low, expression=node.this), expression=exp.LTE(this=node.this, expression=high))
        )
    if isinstance(node, exp.Not) and type(node.this.unnest()) in NEGATED:
        return inner(NEGATED[type(node.this.unnest())](**node.this.unnest().args))
    if isinstance(node, exp.Like | exp.ILike):
        like = f"Like({inner(node.this)}, {inner(node.expression)})"
        return f"Not(this={like})" if node.args.get("negate") else like
    if kind in SWAPPED:
        return inner(SWAPPED[kind](this=node.expression, expression=node.this))
    if isinstance(node, exp.In) and node.expressions:
        values = sorted({inner(value) for value in node.expressions})
        return (
            f"EQ({', '.join(sorted([inner(node.this), *values]))})"
            if len(values) == 1
            else f"In({inner(node.this)}, {values})"
        )
    if isinstance(node, exp.Count) and isinstance(node.this, exp.Literal | exp.Star):
        return "Count(*)"
    if isinstance(node, EITHER_WAY):
        sides = sorted([inner(node.this), inner(node.expression)])
        return f"{kind.__name__}({', '.join(sides)}{', all' if node.args.get('distinct') is False else ''})"
    told = [f"{name}={inner(value)}" for name, value in sorted(node.args.items()) if value not in (None, [], False)]
    return f"{kind.__name__}({', '.join(told)})"


def _comparisons(between: exp.Between) -> list[exp.Expr]:
    low, high = between.args["low"], between.args["high"]
    return [exp.LTE(this=low, expression=between.this), exp.LTE(this=between.this, expression=high)]


def _flat(nodes: Iterable[exp.Expr], kind: type[exp.Expr], inner: Callable[[Any], str]) -> Iterator[str]:
    """Yield the forms of what AND (or OR) ties, however it is nested."""
    for node in nodes:
        bare = node.unnest()
        if isinstance(bare, exp.Between) and kind is exp.And:
            yield from map(inner, _comparisons(bare))
        elif isinstance(bare, kind):
            yield from _flat([bare.this, bare.expression], kind, inner)
        else:
            yield inner(bare)


def _constant(text: str) -> str:
    """Return a constant as text: numbers alike however they are written, letters in lower case."""
    try:
        return f"'{float(text):.12g}'"
    except ValueError:
        return f"'{' '.join(text.casefold().split())}'"
