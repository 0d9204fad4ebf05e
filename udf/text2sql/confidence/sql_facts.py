"""What generated SQL names and does, read from its syntax tree in the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from sqlglot import expressions as exp

from ....workers.database_schema import Schema, split_name
from ....workers.errors import SandboxLimitError
from ..checks.check_answer import MAX_CACHED, SANDBOX, bare_schema, shared_schema
from ..repair.faulty_sql import FaultySql, Source, has_column
from ..repair.repair_sql import LIMITS, names_and_keys
from .sql_equivalence import equivalent_sql

MAX_LITERALS = 20
# Words of a question for which an operation of the SQL stands.
OPERATION_WORDS: dict[type[exp.Expression], str] = {
    exp.Avg: "average mean avg 平均",
    exp.Sum: "total sum overall 合计 总计 总",
    exp.Count: "count number total 数量",
    exp.Max: "maximum max highest most largest latest newest best top 最高 最大 最多",
    exp.Min: "minimum min lowest least smallest earliest oldest worst 最低 最小 最少",
    exp.Order: "top best worst first last highest lowest most least largest smallest latest newest oldest earliest",
    exp.Distinct: "distinct different unique 不同",
}
MULTIPLIED = (exp.Sum, exp.Avg)  # Aggregates that a row which is joined several times falsifies.

# `literals`: each [table, column, text] of a comparison with text; `texts`: every constant; `names`: every name;
# `operations`: words for which an aggregate or the order stands;
# `tables`: the schema's tables; `others`: what else it reads; `multiplied`: a sentence for each aggregate over rows
# that a join multiplies.
SqlFacts = dict[str, list[Any]]
NO_FACTS: SqlFacts = {
    "literals": [],
    "texts": [],
    "names": [],
    "operations": [],
    "tables": [],
    "others": [],
    "multiplied": [],
}


def sql_facts(sql: str, schema: Schema) -> SqlFacts:
    """Return the facts of SQL that binds; no facts if it cannot be read within the sandbox's limits."""
    try:
        return _facts(sql, shared_schema(names_and_keys(schema)))
    except SandboxLimitError:  # It is not cached: on a less busy machine there is time.
        return NO_FACTS


@lru_cache(maxsize=MAX_CACHED)
def _facts(sql: str, schema: Schema) -> SqlFacts:
    return SANDBOX.call(facts_in_child, sql, schema, limits=LIMITS)


def replace_literal(sql: str, literal: tuple[str, str, str], cell: str, schema: Schema) -> str | None:
    """Return SQL that compares a column with another text; None if it cannot be read.

    Args:
        sql: that binds.
        literal: the (table, column, text) to replace, as in the facts.
        cell: the new text.
        schema: that the SQL is about.
    """
    try:
        return SANDBOX.call(replaced_in_child, sql, literal, cell, names_and_keys(schema), limits=LIMITS)
    except SandboxLimitError:
        return None


def same_query(one: str, other: str, schema: Schema) -> bool:
    """Whether two queries that bind are equivalent apart from notation; False if that is not clear in time."""
    try:
        return SANDBOX.call(equivalent_sql, one, other, bare_schema(schema), limits=LIMITS)
    except SandboxLimitError:
        return False


def facts_in_child(sql: str, schema: Schema) -> SqlFacts:
    """Return what `sql_facts` does; runs in a child process."""
    faulty = FaultySql(sql, "", schema)
    if faulty.tree is None:
        return NO_FACTS
    sources = [source for select in faulty.selects() for source in faulty.sources(select)]
    return {
        "literals": [[*place, node.name] for place, node in _literals(faulty)][:MAX_LITERALS],
        "texts": [node.name for node in faulty.tree.find_all(exp.Literal)],
        "names": [node.name for node in faulty.tree.find_all(exp.Identifier)],
        "operations": [words for kind, words in OPERATION_WORDS.items() if faulty.tree.find(kind)],
        "tables": list(dict.fromkeys(source.table.name for source in sources if source.table)),
        "others": list(_others(faulty)),
        "multiplied": list(dict.fromkeys(_multiplied(faulty))),
    }


def replaced_in_child(sql: str, literal: tuple[str, str, str], cell: str, schema: Schema) -> str | None:
    """Return what `replace_literal` does; runs in a child process."""
    faulty = FaultySql(sql, "", schema)
    for place, node in list(_literals(faulty)):
        if (*place, node.name) == tuple(literal):
            node.replace(exp.Literal.string(cell))
    return faulty.tree.sql(dialect="duckdb") if faulty.tree is not None else None


def _others(faulty: FaultySql) -> Iterator[str]:
    """Yield each item of a FROM that is neither a table of the schema nor a query of WITH."""
    assert faulty.tree is not None, "the caller has looked"
    queries = {cte.alias.lower() for cte in faulty.tree.find_all(exp.CTE)}
    for node in faulty.tree.find_all(exp.Table):
        path = ".".join(part.name for part in node.parts)
        if faulty.table_named(path) is None and path.lower() not in queries:
            yield node.sql(dialect="duckdb")


def _literals(faulty: FaultySql) -> Iterator[tuple[tuple[str, str], exp.Literal]]:
    """Yield each text that is compared with a column for equality, and the column's table and name."""
    for select in faulty.selects():
        sources = faulty.sources(select)
        for node in select.find_all(exp.EQ, exp.In):
            if node.find_ancestor(exp.Select) is not select:
                continue
            sides = [node.this, *([node.expression] if isinstance(node, exp.EQ) else node.expressions)]
            column = next((side for side in sides if isinstance(side, exp.Column)), None)
            place = _place(column, sources) if column is not None else None
            for side in sides if place else ():
                if isinstance(side, exp.Literal) and side.is_string and place:
                    yield place, side


def _place(column: exp.Column, sources: list[Source]) -> tuple[str, str] | None:
    """Return the table and the name of a column; None if its table is not clear."""
    having = [
        source
        for source in sources
        if has_column(source.table, column.name) and (not column.table or source.alias.lower() == column.table.lower())
    ]
    if len(having) != 1 or having[0].table is None:
        return None
    table = having[0].table
    return table.name, next(c.name for c in table.columns if c.name.lower() == column.name.lower())


def _multiplied(faulty: FaultySql) -> Iterator[str]:
    """Yield a sentence for each sum or average of a table whose rows a join repeats."""
    for select in faulty.selects():
        sources = [source for source in faulty.sources(select) if source.table]
        for aggregate in select.find_all(*MULTIPLIED):
            column = aggregate.find(exp.Column)
            if column is None or aggregate.find(exp.Distinct) or aggregate.find_ancestor(exp.Select) is not select:
                continue
            owner = _place(column, sources)
            for other in sources:
                if owner and other.table and _refers(faulty, select, other, owner[0]):
                    written, short = aggregate.sql(dialect="duckdb"), split_name(owner[0])[-1]
                    yield f"{written} counts a row of {short} once for each of {other.table.name}"


def _refers(faulty: FaultySql, select: exp.Select, other: Source, table: str) -> bool:
    """Whether a source is joined by its foreign key to a table, so that it may have several rows for each."""
    assert other.table is not None, "the caller has looked"
    if other.table.name == table:
        return False
    unique = [c.name.lower() for c in other.table.columns if c.primary_key]
    return any(
        key.table == other.table.name
        and key.other_table == table
        and unique != [key.column.lower()]
        and _is_joined(select, key.column, key.other_column)
        for key in faulty.schema.foreign_keys
    )


def _is_joined(select: exp.Select, here: str, there: str) -> bool:
    return any(
        {equal.left.name.lower(), equal.right.name.lower()} == {here.lower(), there.lower()}
        for equal in select.find_all(exp.EQ)
        if isinstance(equal.left, exp.Column) and isinstance(equal.right, exp.Column)
    )
