"""Fits the model's confidence on training databases that the network was not trained on, and prints how good it is.

    QUACKLLM_DATA=/path/to/data python -m quackllm.udf.text2sql.builtin_training.calibrate --weights weights.npz

Three kinds of question are asked: the databases' own; the same without a column that they need; of another database.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....workers.builtin.knowing.confidence import COEFFICIENTS, FEATURES
from ....workers.builtin.network.numpy_network import Network, load_network
from ....workers.builtin.network.weights import WEIGHTS
from ....workers.builtin.query.from_sql import UnsupportedSqlError, parse_sql
from ....workers.builtin.query.implied_tables import drop_implied_tables
from ....workers.builtin.schema.schema_index import SchemaIndex
from ....workers.builtin.semantic_parser import DeclinedError, Parsed, parse
from ....workers.database_schema import Schema
from ....workers.messages import Message
from ..evaluation.databases import QuestionDatabases
from ..evaluation.datasets import Question, load_questions
from ..evaluation.gold import GoldAnswers
from ..evaluation.scoring import RIGHT, ModelAnswer
from ..prompts.formats import FORMS
from ..prompts.value_matching import match_values
from .examples import HELD_OUT
from .unanswerable import without_column

RIDGE = 0.5
WEIGHT = {"own": 1.0, "no column": 0.35, "other": 0.2}
CHINESE_STEP = 10  # Every tenth Chinese database is held out, as in training.
Rows = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Asked:
    """One question that was answered: its kind, its database, what the model saw, and whether the answer is right."""

    kind: str
    database: str
    seen: tuple[float, ...]
    right: bool
    question: str = ""


def ask(network: Network, schema: Schema, question: str) -> Parsed | None:
    """Return the model's answer, whatever its confidence; None if it declines."""
    messages = FORMS["builtin"].build_messages([Message("user", question)], schema, match_values(question, schema))
    try:
        return parse(network, messages[0].content, [], question)
    except DeclinedError:
        return None


def without_needed_column(schema: Schema, sql: str, chance: random.Random) -> Schema | None:
    """Return a schema without one of the columns that a query needs, keys aside; None if it needs no other."""
    names = SchemaIndex(schema)
    try:
        tree = drop_implied_tables(parse_sql(sql, names), names)
    except (UnsupportedSqlError, KeyError):
        return None
    found = without_column(schema, tree, chance)
    return found[0] if found else None


def ask_all(
    network: Network, asked: Sequence[Question], chance: random.Random
) -> tuple[list[Asked], dict[str, list[int]]]:
    """Return the answers, and for each kind the numbers of questions and of declines."""
    found, counts = [], {kind: [0, 0] for kind in WEIGHT}
    with QuestionDatabases() as sources:
        gold = GoldAnswers(sources)
        schemas = {question.db: sources.schema(question).schema for question in asked}
        like_schema = {text: {one.db for one in asked if bool(one.schema) is text} for text in (False, True)}
        for question in asked:
            others = [name for name in schemas if name != question.db and name in like_schema[bool(question.schema)]]
            dropped = without_needed_column(schemas[question.db], question.sql, chance)
            variants = {"own": schemas[question.db], "no column": dropped, "other": schemas[chance.choice(others)]}
            for kind, schema in variants.items():
                if schema is None:
                    continue
                answer = ask(network, schema, question.question)
                counts[kind][0] += 1
                counts[kind][1] += answer is None
                if answer is not None:
                    right = kind == "own" and _is_right(gold, sources, question, answer.sql)
                    found.append(Asked(kind, question.db, answer.seen, right, question.question))
    return found, counts


def _is_right(gold: GoldAnswers, sources: QuestionDatabases, question: Question, sql: str) -> bool:
    if gold.invalid_reason(question):
        return False
    return gold.score(question, ModelAnswer(sql), sources.connection(question)).outcome == RIGHT


def fit(asked: Sequence[Asked]) -> Rows:
    """Return the coefficients: a ridge regression on all kinds, then rescaled on the databases' own questions."""
    seen = np.array([one.seen for one in asked])
    right = np.array([one.right for one in asked], dtype=float)
    weights = np.array([WEIGHT[one.kind] for one in asked])
    plain = _logistic(seen, right, weights, RIDGE)
    own = np.array([one.kind == "own" for one in asked])
    scores = np.column_stack([np.ones(own.sum()), seen[own] @ plain])
    shift, slope = _logistic(scores, right[own], weights[own], 1e-3)
    coefficients = slope * plain
    coefficients[0] += shift
    return coefficients


def _logistic(seen: Rows, right: Rows, weights: Rows, ridge: float) -> Rows:
    """Newton's method; the constant is not shrunk."""
    found = np.zeros(seen.shape[1])
    shrink = np.diag([0.0] + [ridge] * (seen.shape[1] - 1)) + np.eye(seen.shape[1]) * 1e-6
    for _ in range(50):
        chances = probabilities(seen, found)
        slope = seen.T @ (weights * (right - chances)) - shrink @ found
        curve = (seen * (weights * chances * (1 - chances))[:, None]).T @ seen + shrink
        found = found + np.linalg.solve(curve, slope)
    return found


def probabilities(seen: Rows, coefficients: Rows) -> Rows:
    """Return the confidences of answers."""
    chances: Rows = 1 / (1 + np.exp(-np.clip(seen @ coefficients, -30, 30)))
    return chances


def crossed(asked: Sequence[Asked]) -> Rows:
    """Return each answer's confidence by coefficients that were fitted without its database."""
    found = np.zeros(len(asked))
    for database in {one.database for one in asked}:
        inside = np.array([one.database == database for one in asked])
        others = [one for one, here in zip(asked, inside, strict=True) if not here]
        seen = np.array([one.seen for one in asked])[inside]
        found[inside] = probabilities(seen, fit(others))
    return found


def show(asked: Sequence[Asked], chances: Rows, counts: dict[str, list[int]]) -> None:
    """Print the reliability, what a bound keeps and declines, and how well right and wrong are told apart."""
    own = np.array([one.kind == "own" for one in asked])
    right = np.array([one.right for one in asked])
    for low in np.arange(0, 1, 0.2):
        inside = own & (chances >= low) & (chances < low + 0.2 + (low > 0.7))
        if inside.any():
            print(f"confidence {low:.1f} to {low + 0.2:.1f}: {inside.sum()} answers, {right[inside].mean():.1%} right")
    ranks = np.argsort(np.argsort(chances[own]))
    positive = right[own].sum()
    area = (ranks[right[own]].sum() - positive * (positive - 1) / 2) / max(positive * (own.sum() - positive), 1)
    print(f"AUC {area:.3f}")
    for bound in (0.0, 0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.6, 0.7):
        kept = own & (chances >= bound)
        parts = [f"bound {bound:.2f}: answered {kept.sum() / counts['own'][0]:.1%}, {right[kept].mean():.1%} right"]
        for kind, (total, declined) in counts.items():
            below = sum(one.kind == kind and chance < bound for one, chance in zip(asked, chances, strict=True))
            parts.append(f"declined {kind} {(declined + below) / max(total, 1):.1%}")
        print("; ".join(parts))


def held_out_questions() -> list[Question]:
    """Return the English and Chinese training questions that the network was not trained on."""
    english = [one for suite in ("spider", "spider_synonyms") for one in load_questions(suite, "train")]
    chinese = [one for one in load_questions("chase_zh", "train") if not one.turn]
    kept = set(sorted({one.db for one in chinese})[::CHINESE_STEP])
    return [one for one in english if one.db in HELD_OUT] + [one for one in chinese if one.db in kept]


def main() -> None:
    """Read the command line, fit, print, and write the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--suite", help="only measure, on this dev suite, with the coefficients that are there")
    parser.add_argument("--limit", type=int, default=300, help="questions of the suite, evenly spread")
    given = parser.parse_args()
    network = load_network(given.weights)
    if given.suite:
        every = load_questions(given.suite)
        asked = every[:: max(len(every) // given.limit, 1)]
        answers, counts = ask_all(network, asked, random.Random(0))
        fitted = np.array(list(json.loads(COEFFICIENTS.read_text())["coefficients"].values()))
        show(answers, probabilities(np.array([one.seen for one in answers]), fitted), counts)
        return
    answers, counts = ask_all(network, held_out_questions(), random.Random(0))
    print(f"{len(answers)} answers; fitted on other databases:")
    show(answers, crossed(answers), counts)
    values = {name: round(float(value), 4) for name, value in zip(FEATURES, fit(answers), strict=True)}
    COEFFICIENTS.write_text(json.dumps({"coefficients": values}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
