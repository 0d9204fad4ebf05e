"""Reads the items between the commas of CREATE TABLE: a column with its options, or a constraint."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise, takewhile

from ....workers.database_schema import Column, join_name
from .column_types import duckdb_type, is_known
from .ddl_tokens import Group, Node, read_path, split, string_at, table_path
from .inferred_keys import Keys

OPTION_WORDS = """
    not null default primary foreign references unique check collate charset comment auto_increment autoincrement
    auto_random identity generated constraint on as encode storage options option codec ttl materialized alias ephemeral
    virtual stored persisted persistent masked mask sparse column_set rowguidcol filestream encrypted encrypt distkey
    sortkey compress compressed compression nocompress format title casespecific uppercase visible invisible hidden
    implicitly inline logged compact with without tag masking projection key sum max min replace replace_if_not_null
    hll_union bitmap_union quantile_union generic first after enable disable statistics stat using column_format index
    computed calculated metadata enforced deferrable initially rely norely srid sort system position shardkey
    clustered nonclustered maxvalue minvalue start increment always path for is in encoding block_size
    ccsid scope fast preprocess search fuzzy
    secondary_engine_attribute engine_attribute cs_int cs_string cs_fixed cs_fixedstring cs_decimal_float cs_double
    cs_seconddate cs_longdate cs_daydate cs_date cs_time unindexed
"""
OPTIONS = frozenset(OPTION_WORDS.split())  # The words that end a column's type, in all supported databases.
STILL_TYPE = {("with", "time"), ("with", "local"), ("without", "time"), ("for", "bit"), ("column", "set")}
CHARACTER_SET = {("character", "set"), ("char", "set")}
# Words that may precede KEY or INDEX.
BEFORE_KEY = {
    "primary",
    "foreign",
    "fulltext",
    "spatial",
    "shard",
    "sort",
    "cluster",
    "clustered",
    "vector",
    "inverted",
}
# Words that may follow ClickHouse's PRIMARY KEY without brackets.
BEHIND_KEY = {"order", "partition", "sample", "settings", "ttl", "comment", "distributed", "by", "as", ","}
TYPE_WORDS = """
    unsigned signed zerofill precision varying binary byte ascii unicode array multiset time zone local large object to
    second day year month hour minute bit data set long national native double big character char
"""
CONTINUES_TYPE = frozenset(TYPE_WORDS.split())


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a table.

    Args:
        columns: the column, if the item is one.
        keys: the keys that it declares.
        like: the table whose columns it copies: `LIKE other`.
        left: the parts that were not understood.
    """

    columns: tuple[Column, ...] = ()
    keys: Keys = field(default_factory=Keys)
    like: str = ""
    left: tuple[Node, ...] = ()

    def with_comment(self, comment: str) -> Item:
        """Return the item; a column without a comment gets this one."""
        return replace(self, columns=tuple(replace(c, comment=c.comment or comment) for c in self.columns))


def read_item(nodes: list[Node]) -> Item:
    """Read one item, which has at least one node."""
    if nodes[0].lower == "like" and len(nodes) > 1 and nodes[1].is_name:
        return Item(like=join_name(table_path(nodes, 1)[0]))
    if is_constraint(nodes):
        return Item(keys=_constraint_keys(nodes))
    path, at = read_path(nodes, 0)
    if not path:
        return Item(left=tuple(nodes))
    at += at < len(nodes) and nodes[at].lower == ":"
    end = _options_at(nodes, at)
    type_name, left = duckdb_type(nodes[at:end])
    options = nodes[end:]
    column = Column(path[-1], type_name, comment=find_comment(options))
    return Item((column,), _column_keys(column.name, options), left=tuple(left))


def is_constraint(nodes: list[Node]) -> bool:
    """Whether an item is a constraint, an index or another clause, not a column; both may begin with KEY."""
    word, following = nodes[0].lower, nodes[1].lower if len(nodes) > 1 else ""
    group_follows = len(nodes) > 1 and isinstance(nodes[1], Group)
    if word in ("constraint", "unique", "supplemental"):
        return len(nodes) > 1 and not is_known(nodes, 1)
    if word in BEFORE_KEY:
        return (
            following in ("key", "index", "by", "primary")
            or (word == "fulltext" and not is_known(nodes, 1))
            or _names_a_key(nodes)
        )
    if word in ("period", "watermark"):
        return following == "for" or (len(nodes) > 2 and isinstance(nodes[2], Group) and not is_known(nodes, 1))
    if following in ("=", "by"):
        return True  # An option of SQLite's virtual tables, tokenize = 'porter', or PARTITION BY.
    if word == "with":
        return following == "column"
    if word == "not":
        return following == "cluster"  # Dameng: NOT CLUSTER PRIMARY KEY (a)
    if word in ("check", "distkey", "sortkey", "exclude"):
        return group_follows or following in ("using", "constraint")
    if word in ("projection", "family"):
        return len(nodes) > 2 and isinstance(nodes[2], Group) and not is_known(nodes, 1)
    if word in ("key", "index"):
        return _is_index(nodes)
    return _names_a_key(nodes)


def _names_a_key(nodes: list[Node]) -> bool:
    """Whether words of any database lead to KEY (a) or GROUP g (a): PARTIAL CLUSTER KEY, CLUSTER UNIQUE KEY."""
    end = next((at for at, node in enumerate(nodes[:5]) if isinstance(node, Group)), 0)
    words = [node.lower for node in nodes[:end]]
    if len(words) < 2 or not all(words) or is_known(nodes, 1):
        return False
    return words[-1] == "key" or words[:2] == ["column", "group"]


def _is_index(nodes: list[Node]) -> bool:
    """Whether it is `KEY name (columns)`, `INDEX (columns)` or `INDEX name expression TYPE …`, not a column `key`."""
    group = next((node for node in nodes[1:4] if isinstance(node, Group)), None)
    if any(node.lower in ("type", "columnstore") for node in nodes[2:]):
        return True
    if group is None:
        return False
    return not is_known(nodes, 1) or any(node.is_name and not node.text.isdigit() for node in group.nodes[:1])


def _options_at(nodes: list[Node], start: int) -> int:
    """Return the end of a column's type: the position of its first option."""
    for at in range(start, len(nodes)):
        word = nodes[at].lower
        pair = word, nodes[at + 1].lower if at + 1 < len(nodes) else ""
        if pair in CHARACTER_SET or word in ("=", "::") or (word in OPTIONS and pair not in STILL_TYPE):
            return at
    return len(nodes)


def forgotten_commas(nodes: list[Node]) -> list[int]:
    """Return the positions in an item where another column begins without a comma."""
    positions: list[int] = []
    complete = options = is_constraint(nodes)
    for at in range(1, len(nodes) - 1):
        new_line = nodes[at].line > nodes[at - 1].line
        if complete and (new_line or not options) and _begins_column(nodes, at):
            positions.append(at)
            complete = options = False
            continue
        options = options or nodes[at].lower in OPTIONS
        complete = complete or options or is_known(nodes, at)
    return positions


def _begins_column(nodes: list[Node], at: int) -> bool:
    node = nodes[at]
    if node.kind not in ("word", "name", "double") or node.text.isdigit() or nodes[at - 1].lower in (*OPTIONS, "="):
        return False
    return node.lower not in OPTIONS | CONTINUES_TYPE and not is_known(nodes, at) and is_known(nodes, at + 1)


def find_comment(nodes: list[Node]) -> str:
    """Return the comment in a column's options: COMMENT 'x', COMMENT = 'x', OPTIONS (description = 'x'), TITLE 'x'."""
    for at, node in enumerate(nodes):
        if node.lower in ("comment", "title"):
            value = at + 1 + (at + 1 < len(nodes) and nodes[at + 1].lower == "=")
            if text := string_at(nodes, value):
                return text.text
        elif node.lower in ("options", "tblproperties", "properties", "with") and at + 1 < len(nodes):
            group = nodes[at + 1]
            found = _property(group) if isinstance(group, Group) else ""
            if found:
                return found
    return ""


def _property(group: Group) -> str:
    """Return the description or comment in the properties in brackets."""
    for item in split(group.nodes):
        if len(item) == 3 and item[0].text.lower() in ("description", "comment") and item[1].lower == "=":
            return item[2].text
    return ""


def key_names(group: Node | None) -> tuple[str, ...]:
    """Return the names of columns in brackets, without lengths and orders."""
    if not isinstance(group, Group):
        return ()
    return tuple(item[0].text for item in split(group.nodes) if item and item[0].is_name)


def primary_key(nodes: list[Node]) -> tuple[str, ...]:
    """Return the columns of `PRIMARY KEY (a, b)` or ClickHouse's `PRIMARY KEY a` among the nodes."""
    for at in range(len(nodes) - 2):
        if nodes[at].lower == "primary" and nodes[at + 1].lower == "key":
            following = list(takewhile(lambda node: node.lower not in BEHIND_KEY, nodes[at + 2 : at + 7]))
            group = next((node for node in following if isinstance(node, Group)), None)
            return key_names(group) or (() if group else tuple(n.text for n in following[:1] if n.is_name))
    return ()


def references(columns: tuple[str, ...], nodes: list[Node]) -> Keys:
    """Return the foreign key of `REFERENCES other (columns)`; without columns, it refers to the primary key."""
    for at, node in enumerate(nodes):
        if node.lower == "references":
            path, end = table_path(nodes, at + 1)
            others = key_names(nodes[end]) if end < len(nodes) else ()
            if path and columns:
                return Keys(foreign=((columns, join_name(path), others),))
    return Keys()


def _constraint_keys(nodes: list[Node]) -> Keys:
    words = [node.lower for node in nodes[:5]]
    if "foreign" in words:
        group = next((node for node in nodes if isinstance(node, Group)), None)
        return references(key_names(group), nodes)
    return Keys(primary=primary_key(nodes)) if "primary" in words else Keys()


def _column_keys(name: str, options: list[Node]) -> Keys:
    keys = references((name,), options)
    words = ["", *(node.lower for node in options)]
    pairs = pairwise(words)
    is_primary = any(word == "key" and before not in ("unique", "foreign", "duplicate") for before, word in pairs)
    return replace(keys, primary=(name,)) if is_primary else keys
