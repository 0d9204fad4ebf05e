"""Whole rows where a question asks for the rows of a table and the query selects a column that nobody named."""

from __future__ import annotations

import re
from dataclasses import replace

from ..schema.schema_index import SchemaIndex
from ..text.tokens import is_cjk, name_words, read_words, stem
from .query_tree import Query, Term
from .row_names import naming_column

SHOWN = re.compile(r"^\W*(?:please\s+)?(?:show|list|give|display|get|find|see)\b", re.IGNORECASE)
_VERB = (
    r"^\W*(?:please\s+)?(?:(?:show|list|give|display|get|find|see)\s+)?(?:me\s+|us\s+)?(?:all\s+)?(?:of\s+)?(?:the\s+)?"
)
_AFTER = r"\s+(?:of|for|in|on|at|with|by|from|after|before|that|which|where|whose)\b|\W*$"
# "orders of customer 4", "Show all orders"; "客户4的订单", "已取消的订单有哪些".
ASKS = re.compile(rf"{_VERB}(?P<table>[a-z_][\w ]*?)(?:{_AFTER})", re.IGNORECASE)
ASKS_CJK = re.compile(r"的(?P<table>[^的]{1,6}?)(?:有哪些|是哪些|列表|明细|记录)?[？?。]?\s*$")


def with_whole_rows(tree: Query, names: SchemaIndex, question: str) -> Query:
    """Return the query with `*` of the table whose rows the question asks for, in place of a column nobody named.

    Args:
        tree: the query.
        names: of the schema.
        question: its words.
    """
    if len(tree.items) != 1 or tree.group or tree.having or tree.distinct or tree.right is not None:
        return tree
    item, found = tree.items[0], _asked_table(question, names)
    if found is None or item.right or item.part:
        return tree
    table, words = found
    if item.aggregate:
        unnamed = item.aggregate == "COUNT" and item.column is None and SHOWN.search(question) is not None
    else:
        unnamed = item.column is not None and not (
            _is_named(names, item.column, words) or item.column == naming_column(names, table)
        )
    return replace(tree, items=(Term(table=table),)) if unnamed else tree


def _asked_table(question: str, names: SchemaIndex) -> tuple[int, str] | None:
    """Return the table whose rows are asked for, and the question from its name on."""
    for pattern in (ASKS, ASKS_CJK):
        match = pattern.search(question)
        if match:
            wanted = "".join(stem(word) for word in name_words(match["table"].strip()))
            for number, table in enumerate(names.tables):
                titles = [name_words(table.name.split(".")[-1]), name_words(table.comment) if table.comment else ()]
                if wanted and any("".join(map(stem, title)) == wanted for title in titles):
                    return number, question if pattern is ASKS_CJK else question[match.start("table") :]
    return None


def _is_named(names: SchemaIndex, column: int, text: str) -> bool:
    """Whether a text has a word of a column's name or comment that its table's name does not have; if there is any."""
    own = names.columns[column]
    if own.comment and is_cjk(own.comment) and own.comment in text:
        return True
    table = names.tables[names.table_of[column]]
    words = {stem(word) for word in name_words(own.name)} - {stem(word) for word in name_words(table.name)}
    return not words or bool(words & {stem(word.lower) for word in read_words(text)})
