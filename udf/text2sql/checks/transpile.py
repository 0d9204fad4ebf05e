"""Translates generated SQL from DuckDB's dialect to another database's, with names in that database's spelling."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import sqlglot
from sqlglot import expressions as exp
from sqlglot.errors import ErrorLevel, SqlglotError
from sqlglot.optimizer.scope import Scope, traverse_scope

from ....workers.database_schema import Schema, Table, split_name
from ....workers.errors import RequestError, did_you_mean
from .date_types import infer_date_type
from .guard import table_paths
from .server_dates import MYSQL, POSTGRES
from .sqlite_dates import SQLITE

ALIASES = {"postgresql": "postgres", "mariadb": "mysql", "sqlserver": "tsql", "mssql": "tsql"}
DIALECTS = frozenset(dialect.value for dialect in sqlglot.Dialects if dialect.value)
Names = dict[str, str]  # Names in their original spelling, by their lower case.
EQUALS = (exp.EQ, exp.NEQ, exp.In)
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")


def find_dialect(name: str) -> str:
    """Return sqlglot's name of a dialect.

    Raises:
        RequestError: no dialect has that name.
    """
    lower = name.strip().lower()
    found = ALIASES.get(lower, lower)
    if found not in DIALECTS:
        raise RequestError(f"no SQL dialect is called {name!r}", hint=did_you_mean(lower, DIALECTS | ALIASES.keys()))
    return found


def transpile(sql: str, schema: Schema, dialect: str) -> str:
    """Return DuckDB's SQL in another dialect.

    DuckDB ignores the case of names; PostgreSQL does not for columns and MySQL not for tables. Names are therefore
    written in quotes, in the schema's spelling, and an alias always as it was first written.

    Args:
        sql: a SELECT that DuckDB has bound to the schema.
        schema: of the other database.
        dialect: sqlglot's name, see `find_dialect`.

    Raises:
        SqlglotError: the dialect cannot express it.
    """
    if dialect == "duckdb":
        return sql
    query = _query(sql, "duckdb")
    _Spelling(query, schema).spell()
    _name_all(query)
    rewrite = REWRITES.get(dialect)
    if dates := DATES.get(dialect):
        query = dates.rewrite(query)
    translated = query.transform(rewrite) if rewrite else query
    return translated.sql(dialect=dialect, comments=False, unsupported_level=ErrorLevel.RAISE)


def with_limit(sql: str, dialect: str, max_rows: int) -> str:
    """Return the query with a limit on its rows: the first rows of the query without the limit.

    Raises:
        SqlglotError: it is not a query of the dialect.
    """
    tree = _query(sql, dialect)
    limit = tree.args.get("limit")
    given = limit.expression if isinstance(limit, exp.Limit) else None
    if given is not None and not (isinstance(given, exp.Literal) and given.is_int and int(given.this) > max_rows):
        return sql
    return tree.limit(max_rows, copy=False).sql(dialect=dialect)


def _query(sql: str, dialect: str) -> exp.Query:
    tree = sqlglot.parse_one(sql, read=dialect)
    if not isinstance(tree, exp.Query):
        raise SqlglotError(f"it is not a query: {sql}")
    return tree


def _name_all(query: exp.Query) -> None:
    """Replace GROUP BY ALL and ORDER BY ALL, which only DuckDB has, by their columns."""
    for select in query.find_all(exp.Select):
        group, order = select.args.get("group"), select.args.get("order")
        items = select.selects
        if group and group.args.get("all"):
            named = [exp.Literal.number(number) for number, item in enumerate(items, 1) if not _aggregates(item)]
            select.set("group", exp.Group(expressions=named) if named else None)
        item = order.expressions[0] if order and len(order.expressions) == 1 else None
        if isinstance(item, exp.Ordered) and isinstance(item.this, exp.Var) and item.this.name.upper() == "ALL":
            by = [exp.Ordered(**{**item.args, "this": column.unalias().copy()}) for column in items]
            select.set("order", exp.Order(expressions=by))


def _aggregates(item: exp.Expr) -> bool:
    """Whether a result column has an aggregate or a window function, not counting subqueries."""
    nodes = item.walk(prune=lambda node: isinstance(node, exp.Query))
    return any(isinstance(node, exp.AggFunc | exp.Window) for node in nodes)


def _wrap_limit(node: exp.Expr) -> exp.Expr:
    """Wrap the subquery of `x IN (SELECT … LIMIT n)`: MySQL and MariaDB accept it only one level deeper."""
    query = node.args.get("query") if isinstance(node, exp.In) else None
    if isinstance(query, exp.Subquery) and query.this.args.get("limit"):
        inner = exp.select("*").from_(query.this.subquery("limited"))
        node.set("query", exp.Subquery(this=inner))
    return node


class _Spelling:
    """Spells the names of one statement as the schema does."""

    def __init__(self, tree: exp.Query, schema: Schema) -> None:
        self._tree = tree
        self._tables = {table.name: table for table in schema.tables}
        self._paths = table_paths(schema)
        self._aliases: Names = {}

    def spell(self) -> None:
        """Spell every name, inner queries first, because outer queries use the names of their columns."""
        scopes = traverse_scope(self._tree)
        for scope in scopes:
            for source in scope.sources.values():
                if isinstance(source, exp.Table):
                    self._spell_table(source)
        self._spell_aliases()
        for scope in scopes:
            for column in scope.find_all(exp.Column):
                self._spell_column(column, scope)
            self._spell_using(scope)

    def _names_in_schema(self, table: exp.Table) -> Table | None:
        path = tuple(part.name.lower() for part in table.parts)
        return self._tables.get(self._paths.get(path, ""))

    def _spell_table(self, node: exp.Table) -> None:
        if (table := self._names_in_schema(node)) is None:
            return
        parts = [exp.to_identifier(part, quoted=True) for part in split_name(table.name)]
        for part_name in ("this", "db", "catalog"):
            node.set(part_name, parts.pop() if parts else None)

    def _spell_aliases(self) -> None:
        for node in self._tree.find_all(exp.TableAlias, exp.Alias):
            name = node.args.get("alias") if isinstance(node, exp.Alias) else node.this
            for identifier in (name, *(node.args.get("columns") or ())):
                if isinstance(identifier, exp.Identifier):
                    _quote(identifier, self._aliases.setdefault(identifier.name.lower(), identifier.name))
        for table in self._tree.find_all(exp.Table):
            if not table.db and table.name.lower() in self._aliases and not self._names_in_schema(table):
                _quote(table.this, self._aliases[table.name.lower()])

    def _spell_column(self, column: exp.Column, scope: Scope) -> None:
        name, owner = column.name.lower(), column.table.lower()
        sources = [source for alias, source in _reachable(scope) if alias.lower() == owner or not owner]
        source = next((source for source in sources if name in self._names(source)), None)
        if owner and sources:
            _quote(column.args["table"], self._owner(owner, sources[0]))
            column.set("db", None)
            column.set("catalog", None)
        own = {} if owner else _own(scope)
        candidates = [own, self._names(source)] if column.find_ancestor(exp.Order) else [self._names(source), own]
        spelled = next((names[name] for names in candidates if name in names), self._aliases.get(name))
        if spelled:
            _quote(column.this, spelled)
        column.meta["type"] = self._type(source, name)

    def _type(self, source: exp.Table | Scope | None, name: str) -> str:
        """Return the type of a source's column; '' if it is unknown."""
        if isinstance(source, exp.Table):
            columns = table.columns if (table := self._names_in_schema(source)) else ()
            return next((column.type for column in columns if column.name.lower() == name), "")
        query = source.expression if source else None
        items = query.selects if isinstance(query, exp.Query) else ()
        return next((infer_date_type(item) for item in items if item.alias_or_name.lower() == name), "")

    def _owner(self, name: str, source: exp.Table | Scope) -> str:
        if isinstance(source, exp.Table) and not source.alias:
            return source.name
        return self._aliases.get(name, name)

    def _names(self, source: exp.Table | Scope | None) -> Names:
        """Return the columns of a source."""
        if isinstance(source, exp.Table):
            table = self._names_in_schema(source)
            return {column.name.lower(): column.name for column in table.columns} if table else {}
        names = _output_columns(source) if source else {}
        if source and "*" in names:
            for inner in source.sources.values():
                names |= self._names(inner)
        return names

    def _spell_using(self, scope: Scope) -> None:
        for join in scope.find_all(exp.Join):
            for identifier in join.args.get("using") or ():
                plain = identifier.this if isinstance(identifier, exp.Column) else identifier
                names = [self._names(source) for source in scope.sources.values()]
                spelled = next((found[plain.name.lower()] for found in names if plain.name.lower() in found), None)
                _quote(plain, spelled or plain.name)


def _output_columns(scope: Scope) -> Names:
    """Return the names of a query's result columns, in their current spelling."""
    query = scope.expression
    return {name.lower(): name for name in query.named_selects} if isinstance(query, exp.Query) else {}


def _own(scope: Scope) -> Names:
    """Return a query's column aliases, for its ORDER BY, GROUP BY and HAVING."""
    query = scope.expression
    if isinstance(query, exp.Select):
        return {item.alias.lower(): item.alias for item in query.selects if isinstance(item, exp.Alias)}
    return _output_columns(scope)


def _quote(identifier: exp.Identifier, name: str) -> None:
    identifier.set("this", name)
    identifier.set("quoted", True)


def _reachable(scope: Scope) -> Iterator[tuple[str, exp.Table | Scope]]:
    """Yield the sources of a query, then those of the enclosing queries."""
    here: Scope | None = scope
    while here is not None:
        yield from here.sources.items()
        here = here.parent


def _cast_compared(node: exp.Expr) -> exp.Expr:
    """Cast text that is compared with a number; DuckDB's `=` and IN do this implicitly, PostgreSQL refuses it."""
    if not isinstance(node, EQUALS):
        return node
    sides = [node.this, node.args.get("expression"), *node.args.get("expressions", ())]
    number_types = [number_type for side in sides if side is not None and (number_type := _number_type(side))]
    for side in sides if number_types else ():
        if isinstance(side, exp.Column) and side.meta.get("type") == "VARCHAR":
            side.replace(exp.cast(side.copy(), "DOUBLE" if "DOUBLE" in number_types else "BIGINT"))
    return node


def _number_type(side: exp.Expr) -> str | None:
    """Return the numeric type of one side of a comparison; None if it is not known to be a number."""
    plain = side.this if isinstance(side, exp.Neg) else side
    if isinstance(plain, exp.Literal) and not plain.is_string:
        return "BIGINT" if plain.is_int else "DOUBLE"
    number_type = plain.meta.get("type", "") if isinstance(plain, exp.Column) else ""
    if number_type in INTEGERS:
        return "BIGINT"
    return "DOUBLE" if number_type in ("FLOAT", "DOUBLE") or number_type.startswith("DECIMAL") else None


DATES = {functions.dialect: functions for functions in (SQLITE, MYSQL, POSTGRES)}
# Rewrites that sqlglot does not do itself.
REWRITES: dict[str, Callable[[exp.Expr], exp.Expr]] = {"mysql": _wrap_limit, "postgres": _cast_compared}
