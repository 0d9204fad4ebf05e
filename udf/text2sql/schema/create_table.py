"""CREATE TABLE in its parts: the name, the brackets that hold the columns, and what stands before and behind them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ....workers.mschema import join_name
from .ddl_tokens import Group, Node, read_path, split
from .table_items import Item

NO_COLUMNS_BEHIND = frozenset(
    "by options tblproperties with properties cluster key index hash distkey sortkey columns tag values select".split()
)
"""Words before brackets that hold no columns."""
BEGINS_QUERY = ("select", "with", "from", "values", "table")
ENDS_SELECT_LIST = ("from", "where", "group", "order", "limit", "union", "having", "intersect", "except", "qualify", "into")


@dataclass(frozen=True, slots=True)
class Body:
    """The parts of one CREATE TABLE.

    Args:
        path: the table's name.
        head: what stands between the name and the columns; everything where there are none.
        group: the brackets with the columns.
        tail: what stands behind them.
        query: of CREATE TABLE … AS.
    """

    path: tuple[str, ...]
    head: list[Node]
    group: Group | None
    tail: list[Node]
    query: list[Node]


def find_body(nodes: list[Node]) -> Body:
    """Return the parts of what stands behind CREATE TABLE."""
    at = 0
    while at < len(nodes) and nodes[at].lower in ("if", "not", "exists", "exist"):
        at += 1
    path, start = read_path(nodes, at)
    place = _columns_place(nodes, start)
    group = nodes[place] if place is not None else None
    if place is None or not isinstance(group, Group):
        return Body(path, nodes[start:], None, [], _query(nodes[start:]))
    if group.nodes and group.nodes[0].lower in ("select", "with"):
        return Body(path, nodes[start:place], None, nodes[place + 1 :], _inside(group.nodes))
    return Body(path, nodes[start:place], group, nodes[place + 1 :], _query(nodes[place + 1 :]))


def _columns_place(nodes: list[Node], start: int) -> int | None:
    """Return the place of the brackets that hold the columns."""
    for at in range(start, len(nodes)):
        node, before = nodes[at], nodes[at - 1]
        if isinstance(node, Group) and node.open.text == "(" and node.nodes:
            called = before.start + len(before.text) == node.start and before.kind == "word"
            if at == start or (before.lower not in NO_COLUMNS_BEHIND and not (called and _is_value(nodes, at))):
                return at
        elif node.lower in ("as", "like", "clone") and at + 1 < len(nodes):
            return None
    return None


def _is_value(nodes: list[Node], at: int) -> bool:
    """Whether the brackets are those of a function that is an option's value: ENGINE = MergeTree(x)."""
    return any(node.lower == "=" for node in nodes[max(at - 2, 0) : at - 1])


def _query(nodes: list[Node]) -> list[Node]:
    """Return the query behind AS."""
    for at, node in enumerate(nodes[:-1]):
        follows = nodes[at + 1]
        if node.lower == "as" and (isinstance(follows, Group) or follows.lower in BEGINS_QUERY):
            return _inside(nodes[at + 1 :])
    return []


def _inside(query: list[Node]) -> list[Node]:
    """Return a query without the brackets around it."""
    while query and isinstance(query[0], Group):
        query = query[0].nodes
    return query


def copied_tables(body: Body, items: Iterable[Item]) -> Iterator[str]:
    """Yield the tables whose columns this one has: LIKE, CLONE, INHERITS, PARTITION OF, ClickHouse's AS other."""
    yield from (item.like for item in items if item.like)
    for at, node in enumerate(body.head[:-1]):
        follows = body.head[at + 1]
        copies = node.lower in ("like", "clone", "copy", "as") and follows.lower not in BEGINS_QUERY
        if (copies or (node.lower == "of" and body.head[at - 1].lower == "partition")) and follows.is_name:
            yield join_name(read_path(body.head, at + 1)[0])
            break
    for at, node in enumerate(body.tail[:-1]):
        group = body.tail[at + 1]
        if node.lower == "inherits" and isinstance(group, Group):
            yield from (join_name(read_path(part, 0)[0]) for part in split(group.nodes) if part)


def partition_items(body: Body) -> Iterator[list[Node]]:
    """Yield the columns that stand in PARTITIONED BY (dt string) and in no other place."""
    nodes = [*body.head, *body.tail]
    for at in range(2, len(nodes)):
        group, words = nodes[at], (nodes[at - 2].lower, nodes[at - 1].lower)
        if isinstance(group, Group) and words in (("partitioned", "by"), ("partition", "columns")):
            for part in split(group.nodes):
                if part and part[0].is_name and not (len(part) > 1 and isinstance(part[1], Group)):
                    yield part


def columns_of_query(body: Body) -> Iterator[tuple[list[Node], list[str]]]:
    """Yield each item of the SELECT list, and the tables behind FROM for one that is `*`."""
    words = [node.lower for node in body.query]
    if "select" not in words:
        return
    start = words.index("select") + 1
    while start < len(words) and words[start] in ("distinct", "all"):
        start += 1
    end = next((at for at in range(start, len(words)) if words[at] in ENDS_SELECT_LIST), len(words))
    sources = list(_sources(body.query[end:]))
    yield from ((part, sources) for part in split(body.query[start:end]) if part)


def _sources(nodes: list[Node]) -> Iterator[str]:
    for at, node in enumerate(nodes[:-1]):
        if node.lower in ("from", "join", ",") and nodes[at + 1].is_name:
            yield join_name(read_path(nodes, at + 1)[0])
