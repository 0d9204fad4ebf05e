from __future__ import annotations

import pytest
from quackllm.udf.text2sql.evaluation.datasets import Question
from quackllm.udf.text2sql.evaluation.report import Report, compare, mcnemar
from quackllm.udf.text2sql.evaluation.scoring import (
    DECLINED,
    RIGHT,
    UNBOUND,
    WRONG,
    ModelAnswer,
    ScoredAnswer,
    difference,
    find_outcome,
)

EASY, HARD = "SELECT count(*) FROM t", "SELECT a FROM t WHERE b IN (SELECT b FROM u)"


def judged(outcome: str, sql: str = EASY, turn: int = 0, seconds: float = 1.0) -> ScoredAnswer:
    question = Question("db", "?", sql, dialogue=1 if turn else None, turn=turn)
    return ScoredAnswer(
        question, "SELECT 1", outcome, sql == HARD, ModelAnswer("SELECT 1", bound=True, seconds=seconds)
    )


def test_accuracy_by_parts() -> None:
    report = Report("own", [judged(RIGHT), judged(WRONG), judged(RIGHT, HARD, 3)], turns={1: 1, 3: 2})
    shares = {name: sum(one.outcome == RIGHT for one in part) / len(part) for name, part in report.parts().items()}
    assert shares == {"all": 2 / 3, "one table": 0.5, "several tables": 1, "easy": 0.5, "hard": 1, "turn 2": 1}


def test_seconds_tokens_and_shares() -> None:
    report = Report("own", [judged(RIGHT, seconds=n) for n in range(1, 101)])
    assert report.latency_quantiles() == (50.5, 96)
    assert report.bind_rate() == 1.0
    assert Report("own").latency_quantiles() == (0.0, 0.0)


def test_an_error_is_named_by_its_kind() -> None:
    told = {
        code: find_outcome(code)
        for code in ("parser", "binder", "catalog", "conversion", "guard", "declined", "no_sql")
    }
    assert set(told.values()) == {"does not parse", "does not bind", "guard", "declined", "no SQL"}
    assert told["conversion"] == UNBOUND
    assert find_outcome("Throttling.RateQuota") == "service error"


@pytest.mark.parametrize(
    ("one", "other", "p"), [(0, 0, 1.0), (5, 5, 1.0), (0, 6, 2 / 64), (10, 2, 0.0385742), (1000, 1100, 0.0307)]
)
def test_mcnemars_exact_test(one: int, other: int, p: float) -> None:
    assert mcnemar(one, other) == pytest.approx(p, rel=2e-3)
    assert mcnemar(other, one) == mcnemar(one, other)


def test_models_are_compared_on_the_same_questions() -> None:
    first = [judged(RIGHT) for _ in range(8)] + [judged(DECLINED)]
    outcomes = [WRONG] * 7 + [RIGHT, WRONG]
    second = [ScoredAnswer(one.question, None, outcome, False) for one, outcome in zip(first, outcomes, strict=True)]
    found = compare(Report("own", first, model="a"), Report("own", second, model="b"))
    assert (found.both, found.only_one, found.only_other, found.neither) == (1, 7, 0, 1)
    assert found.significant
    assert "7 right only of a" in str(found)
    assert not compare(Report("own", first[:3]), Report("own", second[:3])).significant


def test_a_difference_of_rows_is_shown() -> None:
    found = difference([(1, "a"), (2, "b")], [(2, "b"), (2, "b"), (3, None)])
    assert (found.right, found.given) == (2, 3)
    assert (found.missing, found.extra) == (("(1, 'a')",), ("(2, 'b')", "(3, None)"))
