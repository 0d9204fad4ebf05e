from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from quackllm.udf.text2sql.evaluation import datasets
from quackllm.udf.text2sql.evaluation.datasets import Question
from quackllm.udf.text2sql.evaluation.runner import (
    DECLINED,
    RIGHT,
    UNBOUND,
    WRONG,
    History,
    Report,
    evaluate,
    fetch_rows,
    judge,
    reads_several_tables,
    same_rows,
)
from quackllm.workers.errors import SetupError


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE t AS SELECT * FROM (VALUES (1, 'a', 0.1), (2, 'b', 0.2), (2, 'b', NULL)) t(x, y, z)"
    )
    return connection


@pytest.mark.parametrize(
    ("gold", "given", "ordered", "outcome"),
    [
        ("SELECT x FROM t", "SELECT x AS other FROM t ORDER BY x DESC", False, RIGHT),
        ("SELECT x FROM t ORDER BY x", "SELECT x FROM t ORDER BY x DESC", True, WRONG),
        ("SELECT x FROM t", "SELECT DISTINCT x FROM t", False, WRONG),
        ("SELECT x, y FROM t", "SELECT y, x FROM t", False, WRONG),
        ("SELECT sum(z) FROM t", "SELECT 0.30000000001", False, RIGHT),
        ("SELECT sum(z) FROM t", "SELECT 0.30001", False, WRONG),
        ("SELECT count(*) FROM t", "SELECT 3.0", False, RIGHT),
        ("SELECT z FROM t WHERE z IS NULL", "SELECT 0", False, WRONG),
        ("SELECT x FROM t", "SELECT nothing FROM t", False, UNBOUND),
        ("SELECT x FROM t", "SELECT x FROM", False, UNBOUND),
        ("SELECT x FROM t", None, False, DECLINED),
    ],
)
def test_answers_are_judged_by_their_rows(
    connection: duckdb.DuckDBPyConnection, gold: str, given: str | None, ordered: bool, outcome: str
) -> None:
    assert judge(connection, Question("t", "?", gold, ordered), given).outcome == outcome


def test_numbers_are_compared_across_types() -> None:
    assert same_rows([(Decimal("1.50"), True)], [(1.5, True)], ordered=False)
    assert not same_rows([(1,)], [("1",)], ordered=False)
    assert not same_rows([(None,)], [("None",)], ordered=False)
    assert not same_rows([(1,)], None, ordered=False)


def test_a_slow_answer_is_stopped(connection: duckdb.DuckDBPyConnection) -> None:
    slow = "SELECT sum(hash(a.range, b.range)) FROM range(10000000) a, range(1000000) b"
    assert fetch_rows(connection, slow, 0.2) is None
    assert fetch_rows(connection, "SELECT 1") == [(1,)]


def test_joins_are_told_from_single_tables() -> None:
    assert not reads_several_tables("SELECT x FROM t WHERE x > 1")
    assert reads_several_tables("SELECT x FROM t JOIN u ON t.a = u.a")
    assert reads_several_tables("SELECT x FROM t WHERE x = (SELECT max(x) FROM t)")


def test_the_right_answers_are_right() -> None:
    gold = {question.question: question.sql for question in datasets.load_questions("spider")}
    report = evaluate(lambda connection, question, history: gold[question], "spider", limit=40)
    assert report.accuracy() == 1.0
    assert report.counts().total() == 40


def test_turns_bring_the_answers_before_them() -> None:
    seen: list[History] = []

    def answer(connection: duckdb.DuckDBPyConnection, question: str, history: History) -> str | None:
        seen.append(history)
        return "SELECT 1" if len(seen) % 2 else None

    report = evaluate(answer, "sparc", limit=3)
    firsts = [place for place, history in enumerate(seen) if not history]
    assert len(firsts) == 3
    assert seen[firsts[0] + 1] == ((report.judged[firsts[0]].question.question, "SELECT 1"),)
    assert all(len(one) == len(before) + 1 for before, one in pairwise(seen) if one)


def test_questions_without_rows_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "wikisql.jsonl").write_text('{"question": "?", "sql": "SELECT a FROM t", "columns": {}}')
    monkeypatch.setenv("QUACKLLM_DATA", str(tmp_path))
    with pytest.raises(SetupError, match="wikisql have no rows"):
        evaluate(lambda connection, question, history: None, "wikisql")


def test_a_report_tells_single_tables_from_several() -> None:
    gold = {question.question: question.sql for question in datasets.load_questions("spider")}
    report = evaluate(
        lambda connection, question, history: None if reads_several_tables(gold[question]) else gold[question],
        "spider",
        limit=60,
    )
    assert report.accuracy(joins=False) == 1.0
    assert report.counts(joins=True)[DECLINED] == report.counts(joins=True).total() > 0
    assert "several tables   0.0 %" in str(report)
    assert Report("none").accuracy() == 0.0
