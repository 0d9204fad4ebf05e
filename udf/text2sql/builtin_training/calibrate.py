"""Fits the model's confidence on training databases that the network was not trained on, and prints how good it is.

    QUACKLLM_DATA=/path/to/data python -m quackllm.udf.text2sql.builtin_training.calibrate --weights weights.npz

Three kinds of question are asked: the databases' own; the same without a column that they need; of another database.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ....workers.builtin.knowing.confidence import COEFFICIENTS, FEATURES, MIN_ANSWERABLE
from ....workers.builtin.network.numpy_network import Network, load_network
from ....workers.builtin.network.weights_file import WEIGHTS
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
from .training_examples import HELD_OUT
from .unanswerable import without_column

RIDGE = 0.5
WEIGHT = {"own": 1.0, "no column": 0.35, "other": 0.2}
ANSWERABLE_WEIGHT = {"own": 1.0, "no column": 1.0, "other": 0.7}
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
        return parse(network, messages[0].content, [], question, min_answerable=0.0)
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
    found: list[tuple[str, Question, Parsed]] = []
    counts = {kind: [0, 0] for kind in WEIGHT}
    with QuestionDatabases() as sources:
        schemas = {question.db: sources.schema(question).schema for question in asked}
        like = {text: sorted({one.db for one in asked if bool(one.schema) is text}) for text in (False, True)}
        for question in asked:
            others = [name for name in like[bool(question.schema)] if name != question.db]
            dropped = without_needed_column(schemas[question.db], question.sql, chance)
            variants = {"own": schemas[question.db], "no column": dropped, "other": schemas[chance.choice(others)]}
            for kind, schema in variants.items():
                if schema is not None:
                    answer = ask(network, schema, question.question)
                    counts[kind][0] += 1
                    counts[kind][1] += answer is None
                    found += [(kind, question, answer)] if answer else []
        right = right_answers(GoldAnswers(sources), [(one, answer) for kind, one, answer in found if kind == "own"])
    answers = [Asked(kind, one.db, answer.seen, id(answer) in right, one.question) for kind, one, answer in found]
    return answers, counts


def count_right(network: Network, questions: Sequence[Question]) -> int:
    """Return how many questions a network answers correctly on their own databases.

    Args:
        network: the network.
        questions: with their databases, or with their schema alone.
    """
    with QuestionDatabases() as sources:
        schemas = {question.db: sources.schema(question).schema for question in questions}
        answers = [(question, ask(network, schemas[question.db], question.question)) for question in questions]
        return len(right_answers(GoldAnswers(sources), [(question, answer) for question, answer in answers if answer]))


def right_answers(gold: GoldAnswers, answers: Sequence[tuple[Question, Parsed]]) -> set[int]:
    """Return the ids of the answers whose rows or SQL are those of the reference."""
    faults = gold.invalid_reasons([question for question, _ in answers])
    valid = [pair for pair, fault in zip(answers, faults, strict=True) if fault is None]
    scored = gold.score([(question, ModelAnswer(answer.sql)) for question, answer in valid])
    return {id(answer) for (_, answer), one in zip(valid, scored, strict=True) if one.outcome == RIGHT}


def fit(asked: Sequence[Asked]) -> Rows:
    """Return the coefficients: a ridge regression on all kinds, then rescaled on the databases' own questions."""
    seen = np.array([one.seen for one in asked])
    right = np.array([one.right for one in asked], dtype=float)
    weights = np.array([WEIGHT[one.kind] for one in asked])
    plain = _logistic(seen, right, weights, RIDGE)
    own = np.array([one.kind == "own" for one in asked])
    scores = np.column_stack([np.ones(own.sum()), seen[own] @ plain])
    shift, slope = _logistic(scores, right[own], weights[own], 1e-3)
    coefficients: Rows = slope * plain
    coefficients[0] += shift
    return coefficients


def fit_answerable(asked: Sequence[Asked]) -> Rows:
    """Return the coefficients that tell the databases' own questions from the others, the model's declines aside."""
    own = np.array([one.kind == "own" for one in asked], dtype=float)
    weights = np.array([ANSWERABLE_WEIGHT[one.kind] for one in asked])
    return _logistic(np.array([one.seen for one in asked]), own, weights, RIDGE)


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


def crossed(asked: Sequence[Asked], fit: Callable[[Sequence[Asked]], Rows]) -> Rows:
    """Return each answer's probability by coefficients that were fitted without its database."""
    found = np.zeros(len(asked))
    for database in {one.database for one in asked}:
        inside = np.array([one.database == database for one in asked])
        others = [one for one, here in zip(asked, inside, strict=True) if not here]
        seen = np.array([one.seen for one in asked])[inside]
        found[inside] = probabilities(seen, fit(others))
    return found


def show(asked: Sequence[Asked], chances: Rows, answerable: Rows, counts: dict[str, list[int]]) -> None:
    """Print the reliability, what each bound keeps and declines, and how well right and wrong are told apart."""
    kinds = np.array([one.kind for one in asked])
    right = np.array([one.right for one in asked])
    kept = answerable >= MIN_ANSWERABLE
    own = (kinds == "own") & kept
    for low in np.arange(0, 1, 0.2):
        inside = own & (chances >= low) & (chances < low + 0.2 + (low > 0.7))
        if inside.any():
            print(f"confidence {low:.1f} to {low + 0.2:.1f}: {inside.sum()} answers, {right[inside].mean():.1%} right")
    ranks = np.argsort(np.argsort(chances[own]))
    positive = right[own].sum()
    area = (ranks[right[own]].sum() - positive * (positive - 1) / 2) / max(positive * (own.sum() - positive), 1)
    print(f"AUC {area:.3f}; lost by declining: {(right & ~kept & (kinds == 'own')).sum()} right answers")
    for kind, (total, declined) in counts.items():
        print(f"declined, {kind}: {(declined + ((kinds == kind) & ~kept).sum()) / max(total, 1):.1%} of {total}")
    for bound in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8):
        above = own & (chances >= bound)
        print(
            f"above {bound:.1f}: {above.sum() / counts['own'][0]:.1%} answered, {right[above].mean():.1%} of them right"
        )


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
        answers, counts = ask_all(network, every[:: max(len(every) // given.limit, 1)], random.Random(0))
        fitted = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
        seen = np.array([one.seen for one in answers])
        sure, there = (probabilities(seen, np.array([*fitted[kind].values()])) for kind in ("confidence", "answerable"))
        show(answers, sure, there, counts)
        return
    answers, counts = ask_all(network, held_out_questions(), random.Random(0))
    print(f"{len(answers)} answers; each by coefficients that were fitted on the other databases:")
    show(answers, crossed(answers, fit), crossed(answers, fit_answerable), counts)
    fitted = {
        kind: {name: round(float(value), 4) for name, value in zip(FEATURES, how(answers), strict=True)}
        for kind, how in (("confidence", fit), ("answerable", fit_answerable))
    }
    COEFFICIENTS.write_text(json.dumps(fitted, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
