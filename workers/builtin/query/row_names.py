"""Names of rows where a question asks "which" or "who", and the query answers with a key or a greatest number."""

from __future__ import annotations

import re
from dataclasses import replace

from ...database_schema import split_name
from ..schema.schema_index import SchemaIndex, column_kind
from ..text.tokens import name_words, read_words, stem
from .query_tree import LiteralValue, Order, Predicate, Query, Term

NAMING = ("name", "title", "label", "名", "标题", "description", "描述")
ONE = LiteralValue("1", number=True)
KEY_WORDS = re.compile(r"\b(?:ids?|identifiers?|codes?|numbers?|keys?)\b|编号|号码|代码", re.IGNORECASE)
GREATEST = re.compile(
    r"\b(?:what|which)\s+(?:is|was|are|were)\s+(?:the|our|your)\s+(?:most\s+\w+|\w+est)\s+(?P<table>[\w ]+?)\W*$",
    re.IGNORECASE,
)


def with_row_names(tree: Query, names: SchemaIndex, question: str) -> Query:
    """Return the query with the rows' names where it selects their key, or one number of the row that is asked for.

    Args:
        tree: the query.
        names: of the schema.
        question: its words; "What is the heaviest parcel?" asks for a parcel, not for a weight.
    """
    if len(tree.items) != 1 or tree.group or tree.having or tree.limit:
        return tree
    item = tree.items[0]
    if item.column is None or item.right or item.distinct or item.part:
        return tree
    table = names.table_of[item.column]
    named = naming_column(names, table)
    if item.aggregate in ("MAX", "MIN") and tree.right is None and _asks_for_row(question, names, table):
        order = Order(Term(item.column), item.aggregate == "MAX")
        return replace(
            tree, items=(Term(named) if named is not None else Term(table=table),), order=(order,), limit=ONE
        )
    keyed = tree.operator == "EXCEPT" and not item.aggregate and names.columns[item.column].name.lower().endswith("id")
    if not keyed or named is None or KEY_WORDS.search(question) or tree.right is None:
        return tree
    others = Predicate(Term(item.column), "NOT_IN", (tree.right,))
    return replace(tree.without_right(), items=(Term(named),), where=(*tree.where, others))


def naming_column(names: SchemaIndex, table: int) -> int | None:
    """Return the first text column of a table that names its rows; None if there is none."""
    for column in names.columns_of[table]:
        own = names.columns[column]
        if column_kind(own) == "text" and any(part in f"{own.name.lower()}{own.comment}" for part in NAMING):
            return column
    return None


def _asks_for_row(question: str, names: SchemaIndex, table: int) -> bool:
    match = GREATEST.search(question)
    wanted = "".join(stem(word.lower) for word in read_words(match["table"])) if match else ""
    return bool(wanted) and wanted == "".join(map(stem, name_words(split_name(names.tables[table].name)[-1])))
