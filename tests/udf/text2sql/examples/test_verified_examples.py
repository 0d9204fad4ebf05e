"""Examples are checked when they are added and when they are shown; what runs no more is left out, and said."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.examples import verified_examples
from quackllm.udf.text2sql.examples.verified_examples import add_example, nearest_examples, read_examples
from quackllm.udf.text2sql.prompts.background import VerifiedExample
from quackllm.udf.text2sql.schema.resolve import ResolvedSchema
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import RequestError

SCHEMA = ResolvedSchema(Schema("shop", (Table("sale", (Column("id", "INTEGER"), Column("day", "DATE"))),)))
COUNT = VerifiedExample("How many sales?", "SELECT count(*) FROM sale")


@pytest.fixture(autouse=True)
def by_length(monkeypatch) -> None:
    """Let texts of equal length be near: the encoder takes seconds to load, and is tested elsewhere."""
    monkeypatch.setattr(verified_examples, "encode", lambda texts: [[1.0, len(text) / 10] for text in texts])
    verified_examples._vector.cache_clear()


def test_an_example_is_kept_once(tmp_path) -> None:
    path = tmp_path / "shop.examples.jsonl"
    add_example(path, COUNT, SCHEMA)
    assert add_example(path, VerifiedExample(COUNT.question, "SELECT count(id) FROM sale;"), SCHEMA) == 1
    assert read_examples(path) == ([VerifiedExample(COUNT.question, "SELECT count(id) FROM sale")], [])


@pytest.mark.parametrize("sql", ["SELECT price FROM sale", "DROP TABLE sale", "I do not know"])
def test_sql_that_does_not_run_is_refused(tmp_path, sql: str) -> None:
    path = tmp_path / "shop.examples.jsonl"
    with pytest.raises(RequestError, match="not kept"):
        add_example(path, VerifiedExample("?", sql), SCHEMA)
    assert not path.exists()


def test_lines_that_are_none_are_said(tmp_path) -> None:
    path = tmp_path / "shop.examples.jsonl"
    path.write_text('{"question": "a", "sql": "SELECT 1"}\nnonsense\n{"question": 1}\n\n')
    examples, warnings = read_examples(path)
    assert [example.question for example in examples] == ["a"]
    assert [warning.split(":")[0][-6:] for warning in warnings] == ["line 2", "line 3"]


def test_the_nearest_come_last_and_outdated_ones_not_at_all() -> None:
    gone = VerifiedExample("How many items?", "SELECT count(*) FROM item")
    far = VerifiedExample("Which sale was on the first day of the last month?", "SELECT id FROM sale")
    chosen, warnings = nearest_examples("How many orders?", [COUNT, far, gone], 2, SCHEMA)
    assert chosen == (far, COUNT)
    assert len(warnings) == 1
    assert "runs no more" in warnings[0]
    assert nearest_examples("?", [COUNT], 0, SCHEMA) == ((), [])
