from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from quackllm.udf.text2sql.checks.extract_sql import extract_sql
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.udf.text2sql.evaluation.question_rows import SkippedRow
from quackllm.udf.text2sql.prompts.formats import FORMS
from quackllm.udf.text2sql.training_data import (
    HeldOut,
    build_examples,
    detect_language,
    held_out,
    shuffled,
    split_by_database,
)
from quackllm.workers.errors import SetupError
from quackllm.workers.training.data.data_files import BadRow

import quackllm
from standin.fixtures import StandIn

NOTHING_HELD = HeldOut()
DDL = "CREATE TABLE head (age INTEGER, name VARCHAR)"


def rows(*fields: dict[str, Any]) -> list[tuple[int, dict[str, Any]]]:
    return [(line, {"schema": DDL, **row}) for line, row in enumerate(fields, 1)]


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE item AS SELECT i AS id, 'colour ' || i AS name FROM range(20) t(i)")
    return path


@pytest.mark.parametrize("name", FORMS)
def test_what_is_trained_on_is_what_text2sql_sends(name: str, service: StandIn, shop: Path) -> None:
    """The messages of an example are, letter for letter, those that the service gets for the same question."""
    quackllm.deploy("tuned", "openai", infer_params=service.openai_params(prompt_form=name))
    question, sql = "Which item is called colour 7?", "SELECT id FROM item WHERE name = 'colour 7'"
    ((example,), ()) = build_examples([(1, {"question": question, "sql": sql, "db": str(shop)})], name)
    service.script([{"fault": "reply", "text": example.row["messages"][-1]["content"]}])
    with quackllm.connect(shop, model="tuned", read_only=True) as connection:
        assert connection.execute("SELECT text2sql(?)", [question]).fetchone() == (sql,)
    (sent,) = service.requests()
    told = [{"role": one["role"], "content": one["content"]} for one in sent["body"]["messages"]]
    assert example.row["messages"][:-1] == told


@pytest.mark.parametrize("name", FORMS)
def test_an_answer_in_a_forms_shape_reads_back_as_its_sql(name: str) -> None:
    sql = "SELECT a FROM t WHERE b = '{sql}'"
    assert extract_sql(FORMS[name].answer.replace("{sql}", sql)) == sql


def test_a_schema_of_the_rows_own_and_other_names_of_the_fields() -> None:
    asked = [
        (1, {"question": "How many heads?", "context": DDL, "answer": "SELECT COUNT(*) FROM head;"}),
        (2, {"question": "Who is older than 56?", "ddl": DDL, "query": "SELECT name FROM head WHERE age > 56"}),
        (3, {"question": "Which x?", "columns": {"x": "VARCHAR"}, "sql": "SELECT x FROM t"}),
    ]
    examples, left_out = build_examples(asked, "sql_create_context", tested=NOTHING_HELD)
    assert left_out == []
    assert [one.row["messages"][-1] for one in examples] == [
        {"role": "assistant", "content": sql}
        for sql in ("SELECT COUNT(*) FROM head", "SELECT name FROM head WHERE age > 56", "SELECT x FROM t")
    ]
    assert "CREATE TABLE head (age INTEGER, name VARCHAR)" in examples[0].row["messages"][0]["content"]


def test_what_is_left_out_is_named_by_line_with_duckdbs_words(shop: Path) -> None:
    good = {"question": "How many heads?", "sql": "SELECT count(*) FROM head"}
    asked = [
        *rows(
            good,
            {"question": "2", "sql": "SELECT nme FROM head"},
            {"question": "3", "sql": "SELECT name FROM heads"},
            {"question": "4", "sql": "SELECT FROM WHERE"},
            {"question": "5", "sql": "DROP TABLE head"},
            {"question": "6", "sql": "SELECT 1", "schema": "no schema"},
            {"question": "7"},
            {**good, "sql": "SELECT  count(*)\nFROM head"},
        ),
        BadRow(9, "not JSON"),
        (10, {"question": "10", "sql": "SELECT name::INTEGER FROM item", "db": str(shop)}),
        (11, {"question": "11", "sql": "SELECT name FROM item WHERE id < 0", "db": str(shop)}),
        (12, {"question": "12", "sql": "SELECT 1", "db": "nowhere"}),
    ]
    examples, left_out = build_examples(asked, "chat", tested=NOTHING_HELD, drop_empty=True)
    assert len(examples) == 1
    kinds = ["binder", "catalog", "parser", "guard", "schema", "fields", "duplicate", "json", "run", "empty", "schema"]
    assert [(one.line, one.kind) for one in left_out] == list(enumerate(kinds, 2))
    told = {one.line: one.why for one in left_out}
    assert 'Referenced column "nme" not found' in told[2]
    assert "Table with name heads does not exist" in told[3]
    assert "Could not convert string 'colour 0'" in told[10]
    assert len(build_examples(asked, "chat", tested=NOTHING_HELD)[0]) == 2, "empty results are kept unless asked"


def test_text_in_double_quotes_becomes_text() -> None:
    asked = rows({"question": "How old is Ann?", "sql": 'SELECT age FROM head WHERE name = "Ann"'})
    ((example,), ()) = build_examples(asked, "builtin", tested=NOTHING_HELD)
    assert example.messages[-1].content == "SELECT age FROM head WHERE name = 'Ann'"


def test_a_conversation_is_told_turn_by_turn() -> None:
    turn = {"dialogue": 1, "db": "own"}
    first = {**turn, "turn": 0, "question": "Who is there?", "sql": "SELECT name FROM head"}
    second = {**turn, "turn": 1, "question": "Older than 9?", "sql": "SELECT name FROM head WHERE age > 9"}
    other = {**second, "dialogue": 2}
    examples, _ = build_examples(rows(first, second, other), "builtin", tested=NOTHING_HELD)
    assert [[message.content for message in one.messages[1:]] for one in examples] == [
        [first["question"], first["sql"]],
        [first["question"], first["sql"], second["question"], second["sql"]],
        [second["question"], second["sql"]],
    ]
    examples, left_out = build_examples(rows({**first, "sql": "SELECT x"}, second), "builtin", tested=NOTHING_HELD)
    assert examples == []
    assert left_out[1] == SkippedRow(2, "turn", "an earlier turn of its conversation was left out: line 1")


def test_no_test_database_and_no_test_question_is_trained_on() -> None:
    (dev, *_) = load_questions("spider")
    asked = [dev, *rows({"question": f" {dev.question.upper()}", "sql": "SELECT name FROM head"})]
    asked += [(3, {"question": "?", "sql": "SELECT 1", "db": f"/data/{dev.db}.duckdb"})]
    examples, left_out = build_examples(asked, "chat")
    assert examples == []
    assert [one.kind for one in left_out] == ["tested"] * 3
    assert held_out().databases >= {"concert_singer", "world_1", "pets_1"}


def test_languages_and_a_limit() -> None:
    asked = rows(
        {"question": "有多少人？", "sql": "SELECT count(*) FROM head"},
        {"question": "How many?", "sql": "SELECT count(*) FROM head"},
        {"question": "Who?", "sql": "SELECT name FROM head"},
    )
    examples, left_out = build_examples(asked, "chat", tested=NOTHING_HELD, languages=["zh"])
    assert [detect_language(one.question) for one in examples] == ["zh"]
    assert [one.kind for one in left_out] == ["language", "language"]
    assert len(build_examples(asked, "chat", tested=NOTHING_HELD, limit=2)[0]) == 2


def test_databases_are_split_and_never_shared() -> None:
    asked = [(n, {"question": str(n), "sql": "SELECT a FROM t", "schema": f"CREATE TABLE t (a INT, x{n % 7} INT)"})
             for n in range(70)]  # fmt: skip
    examples, _ = build_examples(asked, "builtin", tested=NOTHING_HELD)
    training, watching = split_by_database(examples, 0.2, seed=1)
    assert len(training) + len(watching) == 70
    assert 10 <= len(watching) <= 20
    assert not {one.question.schema for one in training} & {one.question.schema for one in watching}
    assert split_by_database(examples, 0.0, seed=1) == (examples, [])


def test_shuffling_keeps_conversations_together() -> None:
    turns = load_questions("sparc")
    mixed = shuffled(turns, seed=1)
    assert mixed != turns
    assert sorted(one.line for one in mixed) == sorted(one.line for one in turns)
    seen: list[int | None] = [one.dialogue for one in mixed]
    assert sum(one != other for one, other in pairwise(seen)) + 1 == len(set(seen))


def test_an_unknown_form_is_refused_with_the_near_ones() -> None:
    with pytest.raises(SetupError, match="did you mean 'sqlcoder'"):
        build_examples([], "sqlcodr")
