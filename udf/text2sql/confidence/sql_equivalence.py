"""Whether two queries are equivalent apart from notation: the measure if there are no rows to compare.

These differences are ignored:

- spelling: case of keywords and names, quotes around names, whitespace, comments, redundant brackets;
- aliases of result columns and tables; a column with or without its table; `*` or the columns that it stands for;
- the order of AND and OR operands, of inner-joined tables, of GROUP BY keys, of the values in IN, of the two sides
  of `=`, `<>`, `+`, `*`, UNION and INTERSECT;
- a condition of an inner join in ON, USING or WHERE; a comma and CROSS JOIN;
- `<>` and `!=`; `a > b` and `b < a`; `NOT a = b` and `a <> b`; BETWEEN and its two comparisons; `IN ('x')` and `= 'x'`;
- constants as texts, in any case: `'France'` and `'FRANCE'`, `5`, `5.0` and `'5'`; therefore also LIKE and ILIKE;
- a query in WITH and the same one in brackets; `COUNT(*)` and `COUNT(1)`; GROUP BY and ORDER BY by number or by name.

Any other difference counts, even if the rows would be equal: the order of the selected columns, DISTINCT, another
column with the same values, a redundant join.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice, permutations
from typing import Any

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify

from ....workers.database_schema import Schema, split_name

MAX_ASSIGNMENTS = 48  # If a query reads a table several times: how many assignments of its aliases are tried.
SWAPPED = {exp.GT: exp.LT, exp.GTE: exp.LTE}
NEGATED = {exp.EQ: exp.NEQ, exp.NEQ: exp.EQ, exp.GT: exp.LTE, exp.LTE: exp.GT, exp.LT: exp.GTE, exp.GTE: exp.LT}
EITHER_WAY = (exp.EQ, exp.NEQ, exp.Add, exp.Mul, exp.Union, exp.Intersect)
Numbers = dict[int, int]  # For the n-th table of a query: to which occurrence of the same table it corresponds.


def equivalent_sql(right: str, given: str, schema: Schema | None = None) -> bool:
    """Whether two queries are equivalent; False if one of them cannot be parsed.

    Args:
        right, given: DuckDB's SQL.
        schema: used to expand `*` and to find the table of a column.
    """
    try:
        one, two = (sqlglot.parse_one(sql, read="duckdb") for sql in (right, given))
        try:
            one, two = _qualified(one, schema), _qualified(two, schema)
        except SqlglotError:  # sqlglot does not support a part of them: compare them as they are written.
            one, two = (sqlglot.parse_one(sql.lower(), read="duckdb") for sql in (right, given))
    except SqlglotError:
        return False
    wanted = next(_alias_assignments(one))
    return any(reading == wanted for reading in _alias_assignments(two))


def _qualified(tree: exp.Expr, schema: Schema | None) -> exp.Expr:
    """Return the query with every column qualified, `*` expanded, and the queries of WITH inlined."""
    columns: dict[str, object] = {
        split_name(table.name)[-1]: {column.name: column.type or "VARCHAR" for column in table.columns}
        for table in (schema.tables if schema else ())
    }
    tree = _without_with(tree)
    return qualify(tree, schema=columns or None, dialect="duckdb", validate_qualify_columns=bool(columns))


def _without_with(tree: exp.Expr) -> exp.Expr:
    """Inline each query of WITH where it is read."""
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
    """Yield the query's canonical forms, one for each assignment of aliases of tables that it reads several times."""
    groups = list(_namesakes(tree))
    for way in islice(_orders([len(group) for group in groups]), MAX_ASSIGNMENTS):
        numbers = {
            id(table): number
            for group, order in zip(groups, way, strict=True)
            for table, number in zip(group, order, strict=True)
        }
        yield _Writer(numbers).write(tree, {}, 0)


def _orders(sizes: Sequence[int]) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Yield the combinations of orders one by one: `itertools.product` would first make every order of each group."""
    if not sizes:
        yield ()
        return
    for order in permutations(range(sizes[0])):
        for rest in _orders(sizes[1:]):
            yield order, *rest


def _namesakes(tree: exp.Expr) -> Iterator[list[exp.Expr]]:
    """Yield, for each query in the tree, the groups of sources with the same name."""
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
    """Writes a query in its canonical form."""

    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def write(self, node: Any, names: dict[str, str], depth: int) -> str:
        """Return the canonical form of a node.

        Args:
            node: of a query's tree.
            names: the meaning of each alias, here and in the enclosing queries.
            depth: the number of enclosing queries.
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
        # Without a schema, a column may be unqualified: if there is only one table, it belongs to that.
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
            join_texts = [f"{join.side} {join.kind} {inner(join.args.get('on'))}" for join in joins]
            tables = [*tables, *join_texts]
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
    """Return the expression of an ORDER BY key; the name of a result column means its expression."""
    if isinstance(key, exp.Column) and not key.table:
        return called.get(key.name.lower(), key)
    return key


def _expression(node: exp.Expr, inner: Callable[[Any], str]) -> str:
    """Return the canonical form of an expression that is neither a query nor a column."""
    node_type = type(node)
    if isinstance(node, exp.Paren | exp.Subquery | exp.Alias):
        return inner(node.this)
    if isinstance(node, exp.Literal):
        return _constant(node.name)
    if isinstance(node, exp.And | exp.Or):
        return f"{node_type.__name__}({', '.join(sorted(set(_flat([node], node_type, inner))))})"
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
    if node_type in SWAPPED:
        return inner(SWAPPED[node_type](this=node.expression, expression=node.this))
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
        return f"{node_type.__name__}({', '.join(sides)}{', all' if node.args.get('distinct') is False else ''})"
    join_texts = [
        f"{name}={inner(value)}" for name, value in sorted(node.args.items()) if value not in (None, [], False)
    ]
    return f"{node_type.__name__}({', '.join(join_texts)})"


def _comparisons(between: exp.Between) -> list[exp.Expr]:
    low, high = between.args["low"], between.args["high"]
    return [exp.LTE(this=low, expression=between.this), exp.LTE(this=between.this, expression=high)]


def _flat(nodes: Iterable[exp.Expr], node_type: type[exp.Expr], inner: Callable[[Any], str]) -> Iterator[str]:
    """Yield the canonical forms of the operands of AND (or OR), however they are nested."""
    for node in nodes:
        bare = node.unnest()
        if isinstance(bare, exp.Between) and node_type is exp.And:
            yield from map(inner, _comparisons(bare))
        elif isinstance(bare, node_type):
            yield from _flat([bare.this, bare.expression], node_type, inner)
        else:
            yield inner(bare)


def _constant(text: str) -> str:
    """Return a constant as text: numbers in one notation, letters in lower case."""
    try:
        return f"'{float(text):.12g}'"
    except ValueError:
        return f"'{' '.join(text.casefold().split())}'"
