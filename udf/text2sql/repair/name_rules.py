"""Repairs of names: text in double quotes, tables and columns under another name, columns of another table."""

from __future__ import annotations

import re

from sqlglot import expressions as exp

from ....workers.database_schema import Table, split_name
from .faulty_sql import FaultySql, Source, has_column, squash

NOT_IN_TABLE = re.compile(r'Table "(?P<owner>.+?)" does not have a column named "(?P<name>.+?)"\n')
NOT_FOUND = re.compile(r'Referenced column "(?P<name>.+?)" not found in FROM clause')
NO_OWNER = re.compile(r'Referenced table "(?P<owner>.+?)" not found')
NO_TABLE = re.compile(r"Table with name (?P<name>.+?) does not exist")
AMBIGUOUS = re.compile(r'Ambiguous reference to column name "(?P<name>.+?)"')


def quoted_text(faulty: FaultySql) -> str | None:
    """Turn text in double quotes into text: `LIKE "%North%"`, as SQLite and MySQL read it."""
    found = NOT_FOUND.search(faulty.message)
    if found is None or faulty.tree is None:
        return None
    names = {column.name.lower() for table in faulty.schema.tables for column in table.columns}
    names |= {node.alias.lower() for node in faulty.tree.find_all(exp.Alias, exp.TableAlias)}
    texts = [
        column
        for column in faulty.tree.find_all(exp.Column)
        if column.this.args.get("quoted") and not column.table and column.name.lower() not in names
    ]
    for column in texts:
        column.replace(exp.Literal.string(column.name))
    return f"text in double quotes became text: {texts[0].name}" if texts else None


def renamed_table(faulty: FaultySql) -> str | None:
    """Give a table its name of the schema: `stadiums` for `stadium`, if only one table is called so."""
    found = NO_TABLE.search(faulty.message)
    if found is None or faulty.tree is None:
        return None
    name = found["name"].strip('"')
    near = {table.name: table for table in faulty.schema.tables if squash(split_name(table.name)[-1]) == squash(name)}
    if len(near) != 1:
        return None
    (table,) = near.values()
    for node in faulty.tree.find_all(exp.Table):
        if node.name.lower() == split_name(name)[-1].lower():
            _set_table(node, table)
    for column in faulty.tree.find_all(exp.Column):
        if column.table.lower() == name.lower():
            column.set("table", _identifier(split_name(table.name)[-1]))
    return f"the table {name} is {table.name}"


def known_owner(faulty: FaultySql) -> str | None:
    """Correct the alias before a column: the alias of its table, or of the only source that has the column."""
    found = NO_OWNER.search(faulty.message) or NOT_IN_TABLE.search(faulty.message)
    if found is None:
        return None
    name = found.groupdict().get("name")
    for select in faulty.selects():
        sources = faulty.sources(select)
        for column in faulty.columns_of(select):
            if column.table.lower() != found["owner"].lower() or (name and column.name.lower() != name.lower()):
                continue
            right = _owners(sources, column, found["owner"])
            if len(right) == 1 and right[0].alias.lower() != column.table.lower():
                note = f"{column.table}.{column.name} is {right[0].alias}.{column.name}"
                column.set("table", _identifier(right[0].alias))
                return note
    return None


def _owners(sources: list[Source], column: exp.Column, owner: str) -> list[Source]:
    """Return the sources that a column can belong to: those that read the table it names, else all that have it."""
    having = [source for source in sources if has_column(source.table, column.name)]
    named = [s for s in having if s.table and split_name(s.table.name)[-1].lower() == owner.lower()]
    return named or having


def renamed_column(faulty: FaultySql) -> str | None:
    """Give a column its name of the schema: `stadium_id` for `StadiumID`, if only one column is called so."""
    found = NOT_IN_TABLE.search(faulty.message) or NOT_FOUND.search(faulty.message)
    if found is None:
        return None
    for select in faulty.selects():
        for column in faulty.columns_of(select):
            if column.name.lower() != found["name"].lower():
                continue
            near = {
                other.name
                for source in faulty.sources(select)
                if source.table and (not column.table or source.alias.lower() == column.table.lower())
                for other in source.table.columns
                if squash(other.name) == squash(column.name)
            }
            if len(near) == 1:
                column.set("this", _identifier(near.pop()))
                return f"the column {found['name']} is {column.name}"
    return None


def joined_table(faulty: FaultySql) -> str | None:
    """Join the one table that has a missing column, if a key ties it to a table of the query."""
    found = NOT_IN_TABLE.search(faulty.message) or NOT_FOUND.search(faulty.message)
    if found is None:
        return None
    for select in faulty.selects():
        sources = [source for source in faulty.sources(select) if source.table]
        missing = [
            column
            for column in faulty.columns_of(select)
            if column.name.lower() == found["name"].lower()
            and not any(has_column(source.table, column.name) for source in sources)
        ]
        if missing and (note := _join(faulty, select, sources, missing)):
            return note
    return None


def _join(faulty: FaultySql, select: exp.Select, sources: list[Source], missing: list[exp.Column]) -> str | None:
    ways = [
        (source, table, pairs)
        for table in faulty.schema.tables
        if has_column(table, missing[0].name)
        for source in sources
        if source.table and (pairs := faulty.ties(source.table, table))
    ]
    if len({table.name for _, table, _ in ways}) != 1 or len(ways) != 1:
        return None
    source, table, pairs = ways[0]
    alias = _new_alias(split_name(table.name)[-1], sources)
    on = exp.and_(
        *(exp.EQ(this=_column(here, source.alias), expression=_column(there, alias)) for here, there in pairs)
    )
    node: exp.Expr = _set_table(exp.Table(), table)
    if alias.lower() != split_name(table.name)[-1].lower():
        node = exp.alias_(node, alias, table=True)
    select.join(node, on=on, copy=False)
    for column in missing:
        column.set("table", _identifier(alias))
    return f"{missing[0].name} is a column of {table.name}, which was joined"


def chosen_of_equals(faulty: FaultySql) -> str | None:
    """Choose a table for a column that two have, if the query or a key makes both equal."""
    found = AMBIGUOUS.search(faulty.message)
    if found is None:
        return None
    for select in faulty.selects():
        having = [source for source in faulty.sources(select) if has_column(source.table, found["name"])]
        if len(having) < 2 or not _all_equal(select, having, found["name"], faulty):
            continue
        bare = [c for c in faulty.columns_of(select) if not c.table and c.name.lower() == found["name"].lower()]
        for column in bare:
            column.set("table", _identifier(having[0].alias))
        if bare:
            return f"{found['name']} is {having[0].alias}.{found['name']}, which equals the others"
    return None


def _all_equal(select: exp.Select, having: list[Source], name: str, faulty: FaultySql) -> bool:
    first, *others = having
    pairs = {
        frozenset((equal.left.table.lower(), equal.right.table.lower()))
        for equal in select.find_all(exp.EQ)
        if isinstance(equal.left, exp.Column)
        and isinstance(equal.right, exp.Column)
        and {equal.left.name.lower(), equal.right.name.lower()} == {name.lower()}
    }
    return all(
        frozenset((first.alias.lower(), other.alias.lower())) in pairs
        or any(
            {here.lower(), there.lower()} == {name.lower()}
            for here, there in (faulty.ties(first.table, other.table) if first.table and other.table else ())
        )
        for other in others
    )


def _new_alias(name: str, sources: list[Source]) -> str:
    taken = {source.alias.lower() for source in sources}
    return next(
        alias for alias in (name, *(f"{name}{number}" for number in range(2, 99))) if alias.lower() not in taken
    )


def _column(name: str, table: str) -> exp.Column:
    return exp.Column(this=_identifier(name), table=_identifier(table))


def _identifier(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=not re.fullmatch(r"[A-Za-z_]\w*", name))


def _set_table(node: exp.Table, table: Table) -> exp.Table:
    parts = [_identifier(part) for part in split_name(table.name)]
    for place in ("this", "db", "catalog"):
        node.set(place, parts.pop() if parts else None)
    return node
