"""The sign of a comparison with a number: "below 10" is `< 10`, "at least 10" is `>= 10`."""

from __future__ import annotations

import re
from dataclasses import replace

from .implied_tables import map_scopes
from .query_tree import LiteralValue, Predicate, Query

_NUMBER = r"\s*(\d+(?:\.\d+)?)(?![\d.,]*\d|\s*(?:%|percent|thousand|million|billion|[千万亿]))"
_NOT = r"(?<!not )(?<!n't )(?<!no )\b"
_LESS, _MORE = "less|fewer|smaller|lower|younger|cheaper", "more|greater|higher|larger|bigger|older"
# Words before or after a number, and the sign that they mean; what is found is taken out before the next.
SIGNS = tuple(
    (re.compile(pattern, re.IGNORECASE), sign)
    for pattern, sign in (
        (rf"(?:\b(?:at least|not? (?:less|fewer) than|minimum of)|至少|不低于|不少于|不小于){_NUMBER}", ">="),
        (rf"(?:\b(?:at most|not? more than|up to)|至多|不超过|不高于|不大于|不多于){_NUMBER}", "<="),
        (rf"(?<![\d.]){_NUMBER}\s+or (?:above|{_MORE})\b", ">="),
        (rf"(?<![\d.]){_NUMBER}\s+or (?:below|{_LESS})\b", "<="),
        (rf"(?:{_NOT}(?:below|under|(?:{_LESS}) than)|(?<!不)(?:低于|小于|少于)|不到){_NUMBER}", "<"),
        (rf"(?:{_NOT}(?:above|over|(?:{_MORE}) than)|(?<!不)(?:高于|大于|多于|超过)){_NUMBER}", ">"),
    )
)
COMPARED = ("<", ">", "<=", ">=")


def with_comparison_signs(tree: Query, question: str) -> Query:
    """Return the query with the comparisons of its numbers as the question words them.

    Args:
        tree: the query.
        question: its words; a number that they compare in two ways is left alone.
    """
    found: dict[str, set[str]] = {}
    rest = question
    for pattern, sign in SIGNS:
        for match in pattern.finditer(rest):
            found.setdefault(match[1], set()).add(sign)
        rest = pattern.sub(" ", rest)

    def signed(predicate: Predicate) -> Predicate:
        number = predicate.operands[0] if predicate.operands else None
        if predicate.operator not in COMPARED or not isinstance(number, LiteralValue):
            return predicate
        signs = found.get(number.text, set())
        return replace(predicate, operator=next(iter(signs))) if len(signs) == 1 else predicate

    if not found:
        return tree
    return map_scopes(
        tree, lambda one: replace(one, where=tuple(map(signed, one.where)), having=tuple(map(signed, one.having)))
    )
