"""Splits CREATE TABLE into its parts: the name, the brackets with the columns, and the text before and after them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ....workers.database_schema import join_name
from .ddl_tokens import Group, Node, split, table_path

NO_COLUMNS = "by options tblproperties with properties cluster key index hash distkey sortkey columns tag values select"
NO_COLUMNS_BEHIND = frozenset(NO_COLUMNS.split())  # Words before brackets that do not contain columns.
BEGINS_QUERY = ("select", "with", "from", "values", "table")
SELECT_ENDS = "from where group order limit union having intersect except qualify into sort cluster"
ENDS_SELECT_LIST = frozenset(SELECT_ENDS.split())


@dataclass(frozen=True, slots=True)
class Body:
    """The parts of one CREATE TABLE.

    Args:
        path: the table's name.
        head: the nodes between the name and the columns; all nodes if there are no columns.
        group: the brackets with the columns.
        tail: the nodes after the columns.
        query: the query of CREATE TABLE … AS.
        adds_query: whether the query's columns follow those in brackets (MySQL, without AS).
    """

    path: tuple[str, ...]
    head: list[Node]
    group: Group | None
    tail: list[Node]
    query: list[Node]
    adds_query: bool = False


def find_body(nodes: list[Node]) -> Body:
    """Return the parts of the nodes after CREATE TABLE."""
    at = 0
    while at < len(nodes) and nodes[at].lower in ("if", "not", "exists", "exist"):
        at += 1
    path, start = table_path(nodes, at)
    position = _columns_position(nodes, start)
    group = nodes[position] if position is not None else None
    if position is None or not isinstance(group, Group):
        return Body(path, nodes[start:], None, [], _query(nodes[start:]))
    if group.nodes and group.nodes[0].lower in ("select", "with"):
        return Body(path, nodes[start:position], None, nodes[position + 1 :], _inside(group.nodes))
    tail = nodes[position + 1 :]
    return Body(path, nodes[start:position], group, tail, _query(tail), bool(tail) and tail[0].lower == "select")


def _columns_position(nodes: list[Node], start: int) -> int | None:
    """Return the position of the brackets with the columns."""
    words = [node.lower for node in nodes]
    for at in range(start, len(nodes)):
        node, before = nodes[at], nodes[at - 1]
        if words[at : at + 2] == ["for", "values"]:
            return None  # PostgreSQL: PARTITION OF sales FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
        if isinstance(node, Group) and node.open.text == "(" and node.nodes:
            called = before.start + len(before.text) == node.start and before.kind == "word"
            called = called and ("=" in words[max(at - 2, start) : at - 1] or "by" in words[start:at])
            if at == start or (before.lower not in NO_COLUMNS_BEHIND and not called):
                return at
        elif node.lower in ("as", "like", "clone", "select") and at + 1 < len(nodes):
            return None
    return None


def _query(nodes: list[Node]) -> list[Node]:
    """Return the query after AS."""
    for at, node in enumerate(nodes[:-1]):
        follows = nodes[at + 1]
        if node.lower == "select":
            return nodes[at:]
        if node.lower == "as" and _begins_query(follows):
            return _inside(nodes[at + 1 :])
    return []


def _begins_query(node: Node) -> bool:
    return isinstance(node, Group) or node.lower in BEGINS_QUERY


def _inside(query: list[Node]) -> list[Node]:
    """Return a query without the brackets around it."""
    while query and isinstance(query[0], Group):
        query = query[0].nodes
    return query


def copied_tables(body: Body) -> Iterator[str]:
    """Yield the tables whose columns this one copies: LIKE, CLONE, INHERITS, PARTITION OF, ClickHouse's AS other."""
    for at, node in enumerate(body.head[:-1]):
        before, follows = body.head[at - 1].lower if at else "", body.head[at + 1]
        if node.lower == "select" or (node.lower == "as" and _begins_query(follows)):
            break
        if follows.lower == "grants":
            continue
        copies = node.lower in ("like", "clone", "copy") or (node.lower == "as" and before != "stored")
        if (copies or (before, node.lower) == ("partition", "of")) and follows.is_name:
            yield join_name(table_path(body.head, at + 1)[0])
            break
    for at, node in enumerate(body.tail[:-1]):
        group = body.tail[at + 1]
        if node.lower == "inherits" and isinstance(group, Group):
            yield from (join_name(table_path(part, 0)[0]) for part in split(group.nodes) if part)


def partition_items(body: Body) -> Iterator[list[Node]]:
    """Yield the columns that appear only in PARTITIONED BY (dt string)."""
    nodes = [*body.head, *body.tail]
    for at in range(2, len(nodes)):
        group, words = nodes[at], (nodes[at - 2].lower, nodes[at - 1].lower)
        if isinstance(group, Group) and words in (("partitioned", "by"), ("partition", "columns")):
            for part in split(group.nodes):
                if part and part[0].is_name and not (len(part) > 1 and isinstance(part[1], Group)):
                    yield part


def columns_of_query(body: Body) -> Iterator[tuple[list[Node], list[str]]]:
    """Yield each item of the SELECT list, and the tables of FROM for `*`."""
    words = [node.lower for node in body.query]
    if "select" not in words:
        return
    start = words.index("select") + 1
    while start < len(words) and words[start] in ("distinct", "all"):
        start += 1
    end = next((at for at in range(start, len(words)) if words[at] in ENDS_SELECT_LIST), len(words))
    sources = list(_sources(body.query[end:]))
    yield from ((part, sources) for part in split(body.query[start:end]) if part)


def name_of_item(item: list[Node]) -> str:
    """Return the name of a query's result column: its alias, or the name of its column; '' if it has none."""
    last, before = item[-1], item[-2] if len(item) > 1 else None
    named = before is None or before.lower in (".", "as") or before.is_name or isinstance(before, Group)
    return last.text if named and last.is_name and not last.text.isdigit() else ""


def _sources(nodes: list[Node]) -> Iterator[str]:
    for at, node in enumerate(nodes[:-1]):
        if node.lower in ("from", "join", ",") and nodes[at + 1].is_name:
            yield join_name(table_path(nodes, at + 1)[0])
