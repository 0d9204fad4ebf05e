from __future__ import annotations

import json
from pathlib import Path

import pytest
from quackllm.udf.text2sql.evaluation.suites import load_suite, turn_numbers
from quackllm.workers.errors import SetupError, TrainingError


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


def test_a_suite_of_the_sample() -> None:
    suite = load_suite("spider")
    assert {len(conversation) for conversation in suite.conversations} == {1}
    assert len(suite.questions) == len({question.line for question in suite.questions}) > 300
    assert not suite.left_out


def test_conversations_stay_whole_and_in_order() -> None:
    suite = load_suite("sparc", limit=20)
    assert len(suite.conversations) == 20
    for conversation in suite.conversations:
        assert len({(one.db, one.dialogue) for one in conversation}) == 1
        assert [one.turn for one in conversation] == sorted(one.turn for one in conversation)
    assert max(map(len, suite.conversations)) > 1
    assert turn_numbers(suite.questions)[3] == 2


def test_first_turns_alone() -> None:
    suite = load_suite("sparc", turns="first")
    assert {one.turn for one in suite.questions} == {1}


def test_a_limit_is_spread_or_drawn() -> None:
    spread = [one.line for one in load_suite("spider", limit=10).questions]
    assert spread == [one.line for one in load_suite("spider", limit=10).questions]
    drawn = [one.line for one in load_suite("spider", limit=10, seed=1).questions]
    assert drawn == [one.line for one in load_suite("spider", limit=10, seed=1).questions]
    assert drawn != [one.line for one in load_suite("spider", limit=10, seed=2).questions] != spread


def test_a_file_of_ones_own_with_bad_lines(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    rows = [
        {"question": "How many?", "sql": "SELECT count(*) FROM t ORDER BY 1;", "schema": "CREATE TABLE t (a INT)"},
        {"question": "Who?", "query": "SELECT a FROM t", "db_id": "shop"},
        {"question": "What?", "sql": "SELECT 1"},
        {"sql": "SELECT 1", "db": "shop"},
        ["no", "object"],
    ]
    path.write_text("\n".join([*map(json.dumps, rows), "{half"]), "utf-8")
    suite = load_suite(str(path))
    first, second = sorted(suite.questions, key=lambda one: one.line)
    assert (first.schema, first.ordered, first.sql) == (
        "CREATE TABLE t (a INT)",
        True,
        "SELECT count(*) FROM t ORDER BY 1",
    )
    assert (second.db, second.ordered, second.line) == ("shop", False, 2)
    assert [(one.line, one.kind) for one in suite.left_out] == [(3, "fields"), (4, "fields"), (5, "json"), (6, "json")]
    assert "`schema`" in suite.left_out[0].why
    assert "it has sql, db" in suite.left_out[1].why


def test_a_database_for_the_rows_that_name_none(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text('{"question": "How many?", "sql": "SELECT 1"}', "utf-8")
    (question,) = load_suite(str(path), database="shop.duckdb").questions
    assert question.db == "shop.duckdb"


def test_suites_and_files_that_are_not_there() -> None:
    with pytest.raises(SetupError, match="no questions 'nothing'"):
        load_suite("nothing")
    with pytest.raises(TrainingError, match="no data file"):
        load_suite("./nothing.jsonl")
