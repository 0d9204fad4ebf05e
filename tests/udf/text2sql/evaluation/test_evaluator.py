from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import psutil
import pytest
from quackllm.udf.text2sql.evaluation import datasets
from quackllm.udf.text2sql.evaluation.databases import QuestionDatabases
from quackllm.udf.text2sql.evaluation.datasets import Question
from quackllm.udf.text2sql.evaluation.evaluator import (
    DECLINED,
    RIGHT,
    UNBOUND,
    WRONG,
    History,
    Report,
    ScoredAnswer,
    checked_answer,
    evaluate,
    fetch_rows,
    reads_several_tables,
    same_rows,
)
from quackllm.udf.text2sql.evaluation.gold import GoldAnswers
from quackllm.udf.text2sql.evaluation.scoring import FAILED, GUARDED, UNPARSED, ModelAnswer
from quackllm.workers.errors import SetupError

from support.bombs import BY_COLUMN, TABLE, WITHOUT_ROWS


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


@pytest.fixture(scope="module")
def gold() -> Iterator[GoldAnswers]:
    with QuestionDatabases() as sources:
        yield GoldAnswers(sources, seconds=1, megabytes=256)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database file with the bombs' table and a small one."""
    path = str(tmp_path_factory.mktemp("shop") / "shop.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute(TABLE)
        connection.execute(
            "CREATE TABLE s AS SELECT * FROM (VALUES (1, 'a', 0.1), (2, 'b', 0.2), (2, 'b', NULL)) s(x, y, z)"
        )
    return path


def outcome(gold: GoldAnswers, shop: str, right: str, given: str | None, ordered: bool = False) -> ScoredAnswer:
    """Return the score of a function's answer."""
    question = Question(shop, "?", right, ordered)
    return scored(gold, question, checked_answer(given, gold.sources.schema(question).schema))


def scored(gold: GoldAnswers, question: Question, answered: ModelAnswer) -> ScoredAnswer:
    """Return the score of one answer."""
    (score,) = gold.score([(question, answered)])
    return score


@pytest.mark.parametrize(
    ("right", "given", "ordered", "expected"),
    [
        ("SELECT x FROM s", "SELECT x AS other FROM s ORDER BY x DESC", False, RIGHT),
        ("SELECT x FROM s ORDER BY x", "SELECT x FROM s ORDER BY x DESC", True, WRONG),
        ("SELECT x FROM s", "SELECT DISTINCT x FROM s", False, WRONG),
        ("SELECT x, y FROM s", "SELECT y, x FROM s", False, WRONG),
        ("SELECT sum(z) FROM s", "SELECT 0.30000000001", False, RIGHT),
        ("SELECT sum(z) FROM s", "SELECT 0.30001", False, WRONG),
        ("SELECT count(*) FROM s", "SELECT 3.0", False, RIGHT),
        ("SELECT z FROM s WHERE z IS NULL", "SELECT 0", False, WRONG),
        ("SELECT x FROM s", "SELECT nothing FROM s", False, UNBOUND),
        ("SELECT x FROM s", "SELECT x FROM", False, UNPARSED),
        ("SELECT x FROM s", None, False, DECLINED),
    ],
)
def test_answers_are_judged_by_their_rows(
    gold: GoldAnswers, shop: str, right: str, given: str | None, ordered: bool, expected: str
) -> None:
    assert outcome(gold, shop, right, given, ordered).outcome == expected


@pytest.mark.parametrize(
    ("bomb", "why"),
    [
        (BY_COLUMN[0], "more memory than 256 MB|Out of Memory"),
        (BY_COLUMN[17], "more memory than 256 MB|Out of Memory"),
        (BY_COLUMN[20], "longer than 1 s"),
        (WITHOUT_ROWS[14], "more memory than 256 MB|Out of Memory|longer than 1 s"),
    ],
)
def test_a_bomb_is_one_wrong_answer_and_this_process_does_not_grow(
    gold: GoldAnswers, shop: str, bomb: str, why: str
) -> None:
    outcome(gold, shop, "SELECT 1", "SELECT 1")
    before = psutil.Process().memory_info().rss
    question = Question(shop, "?", "SELECT 2000")
    answers = [ModelAnswer("SELECT count(*) FROM t"), ModelAnswer(bomb, bound=True), ModelAnswer("SELECT 2000.0")]
    right, failed, also_right = gold.score([(question, answered) for answered in answers])
    assert (right.outcome, failed.outcome, also_right.outcome) == (RIGHT, FAILED, RIGHT)
    assert re.search(why, failed.why)
    assert psutil.Process().memory_info().rss - before < 50 << 20
    assert outcome(gold, shop, "SELECT 1", "SELECT 1").outcome == RIGHT, "the next question is scored"


def test_an_answer_cannot_change_the_database_or_read_files(gold: GoldAnswers, shop: str) -> None:
    for sql in ("DROP TABLE s", f"SELECT * FROM read_text('{shop}')", "INSERT INTO s VALUES (1, 'a', 1)"):
        assert outcome(gold, shop, "SELECT count(*) FROM s", sql).outcome == GUARDED
        unchecked = scored(gold, Question(shop, "?", "SELECT count(*) FROM s"), ModelAnswer(sql))
        assert unchecked.outcome == FAILED, "not even unchecked"
    assert outcome(gold, shop, "SELECT 3", "SELECT count(*) FROM s").outcome == RIGHT


def test_an_evaluation_holds_no_lock_on_a_database_afterwards(tmp_path: Path) -> None:
    path = str(tmp_path / "own.duckdb")
    duckdb.connect(path).execute("CREATE TABLE t AS SELECT 1 AS x").close()
    with QuestionDatabases() as sources:
        assert GoldAnswers(sources).invalid_reasons([Question(path, "?", "SELECT x FROM t")]) == [None]
    with duckdb.connect(path) as connection:
        connection.execute("DROP TABLE t")


def test_numbers_are_compared_across_types() -> None:
    assert same_rows([(Decimal("1.50"), True)], [(1.5, True)], ordered=False)
    assert not same_rows([(1,)], [("1",)], ordered=False)
    assert not same_rows([(None,)], [("None",)], ordered=False)
    assert not same_rows([(1,)], None, ordered=False)


def test_a_slow_answer_is_stopped() -> None:
    connection = duckdb.connect()
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
