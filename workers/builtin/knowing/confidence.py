"""How probable it is that an answer is right, and that there is one: logistic regressions on what the model saw.

`udf/text2sql/builtin_training/calibrate.py` fits the coefficients on databases that the network was not trained on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..network.schema_linking import LinkedQuestion, SchemaLinks, literals_in
from ..query.implied_tables import map_scopes
from ..query.query_tree import Predicate, Query
from ..schema.schema_index import column_kind
from ..text.tokens import is_cjk
from .word_coverage import Coverage, content_words, used_items

COEFFICIENTS = Path(__file__).parents[1] / "confidence.json"
FEATURES = (
    "constant",
    "log probability",
    "log probability per symbol",
    "margin",
    "probability of all beams",
    "probability of declining",
    "words unplaced",
    "share of words unplaced",
    "words vague",
    "words unused",
    "tables",
    "subqueries",
    "symbols",
    "unknown constants",
    "Chinese",
    "Chinese over English names",
    "time",
)
UNCALIBRATED = 0.5  # Every score while no coefficients are there.
MIN_ANSWERABLE = 0.1  # Below it the model declines; chosen on the same databases: hardly a right answer is lost.


@dataclass(frozen=True, slots=True)
class Draft:
    """A query that binds, from one beam: its tree, SQL, log-probability and number of symbols."""

    tree: Query
    sql: str
    score: float
    symbols: int


def features(
    drafts: Sequence[Draft],
    linked: LinkedQuestion,
    links: SchemaLinks,
    coverage: Coverage,
    declined: float,
    timed: bool,
) -> list[float]:
    """Return the features of the first draft, in the order of FEATURES.

    Args:
        drafts: all drafts, the likeliest first.
        linked: the question; links: the schema.
        coverage: the words that the first draft leaves out.
        declined: the probability that the network gives to declining.
        timed: whether words of time were placed by rules.
    """
    best, others = drafts[0], [draft for draft in drafts[1:] if draft.sql != drafts[0].sql]
    words = len(list(content_words(linked))) or 1
    tables = sum(item >= len(links.names.columns) for item in used_items(best.tree, links.names))
    chinese = any(is_cjk(word.text) for word in linked.words)
    crossed = chinese and not any(is_cjk(table.name) for table in links.names.tables)
    return [
        1.0,
        max(best.score, -8.0),
        max(best.score, -8.0) / best.symbols * 10,
        min(best.score - others[0].score, 6.0) if others else 6.0,
        min(sum(math.exp(draft.score) for draft in drafts), 1.0),
        declined,
        min(len(coverage.unplaced), 3),
        min(len(coverage.unplaced) / words, 1.0),
        min(len(coverage.vague), 3),
        min(len(coverage.unused), 3),
        min(tables, 5) - 1,
        float(_has_subquery(best.tree)),
        best.symbols / 10,
        min(_unknown_constants(best.tree, links), 3),
        float(chinese),
        float(crossed),
        float(timed),
    ]


def _has_subquery(tree: Query) -> bool:
    nested = any(isinstance(operand, Query) for one in (*tree.where, *tree.having) for operand in one.operands)
    return tree.right is not None or nested


def _unknown_constants(tree: Query, links: SchemaLinks) -> int:
    """Count texts that are compared with a column whose cells are known and do not have them."""
    found: list[Predicate] = []

    def visit(scope: Query) -> Query:
        found.extend(scope.where)
        return scope

    map_scopes(tree, visit)
    count = 0
    for predicate in found:
        column = predicate.term.column
        if (
            column is None
            or column_kind(links.names.columns[column]) != "text"
            or predicate.operator not in ("=", "ONE_OF")
        ):
            continue
        values = [text.text for text in literals_in(Query(items=(), where=(predicate,)))]
        cells = links.names.columns[column].examples or links.names.columns[column].values
        count += sum(bool(cells) and column not in links.cells.find(text) for text in values)
    return count


def confidence(values: Sequence[float]) -> float:
    """Return the probability, 0 to 1, that the first draft is right.

    Args:
        values: the features.
    """
    return _probability(values, "confidence")


def answerable(values: Sequence[float]) -> float:
    """Return a score, 0 to 1, of how much the question looks like one of this database's own.

    Args:
        values: the features.
    """
    return _probability(values, "answerable")


def _probability(values: Sequence[float], kind: str) -> float:
    weights = coefficients(kind)
    if weights is None:
        return UNCALIBRATED
    total = sum(weight * value for weight, value in zip(weights, values, strict=True))
    return 1 / (1 + math.exp(-max(min(total, 30.0), -30.0)))


@lru_cache(maxsize=4)
def coefficients(kind: str) -> tuple[float, ...] | None:
    """Return coefficients in the order of FEATURES; None if they were fitted for other features."""
    if not COEFFICIENTS.is_file():
        return None
    fitted: dict[str, float] = json.loads(COEFFICIENTS.read_text(encoding="utf-8")).get(kind, {})
    return tuple(fitted.values()) if tuple(fitted) == FEATURES else None
