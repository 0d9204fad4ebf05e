"""The direction in which the first rows are sorted: "the most" downwards, "the cheapest" upwards."""

from __future__ import annotations

import re
from dataclasses import replace

from ..schema.schema_index import SchemaIndex, column_kind
from ..text.tokens import name_words
from .query_tree import Order, Query

HIGH = re.compile(
    r"(?<!at )\bmost\b(?! (?:recent|affordable))|最[多高大重贵]"
    r"|\b(?:highest|largest|biggest|greatest|maximum|heaviest|tallest|priciest)\b",
    re.IGNORECASE,
)
LOW = re.compile(
    r"(?<!at )\bleast\b|\b(?:lowest|smallest|fewest|minimum|cheapest|lightest|most affordable)\b|最[少低小轻]|最便宜",
    re.IGNORECASE,
)
BEST = re.compile(r"\b(?:top|best)\b", re.IGNORECASE)  # Of counts and sums: the best time of a race is the lowest.
LATE = re.compile(r"\b(?:latest|newest|youngest|most recent(?:ly)?)\b|最[新晚]|最年轻|最近的|年龄最小", re.IGNORECASE)
EARLY = re.compile(r"\b(?:earliest|oldest|longest)\b|最[早老久]|最年长|年龄最大", re.IGNORECASE)
RANKS = frozenset({"rank", "ranking", "position", "place", "名次", "排名"})


def with_direction(tree: Query, names: SchemaIndex, question: str) -> Query:
    """Return the query with its first rows sorted as the question's superlative says; as it is if there are two.

    Args:
        tree: the query.
        names: of the schema. A rank is left alone, for the highest rank is number 1.
        question: its words.
    """
    if len(tree.order) != 1 or tree.limit is None or tree.right is not None:
        return tree
    order = tree.order[0]
    found = _direction(order, names, question)
    return tree if found is None else replace(tree, order=(replace(order, descending=found),))


def _direction(order: Order, names: SchemaIndex, question: str) -> bool | None:
    """Return whether the question wants the greatest first; None if it does not say."""
    term = order.term
    column = names.columns[term.column] if term.column is not None else None
    if column is not None and RANKS & set(name_words(column.name)):
        return None
    dated = column is not None and column_kind(column) == "date" and term.aggregate != "COUNT"
    down, up = (LATE, EARLY) if dated else (HIGH, LOW)
    if term.aggregate in ("COUNT", "SUM") and BEST.search(question) and not up.search(question):
        return True
    wanted = [sign for sign, words in ((True, down), (False, up)) if words.search(question)]
    return wanted[0] if len(wanted) == 1 else None
