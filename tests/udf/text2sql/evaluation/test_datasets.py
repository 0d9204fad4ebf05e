from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from quackllm.udf.text2sql.evaluation import datasets
from quackllm.workers.database_schema import ForeignKey
from quackllm.workers.errors import SetupError

MOST_BYTES = 3_000_000


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)
    datasets.load_schema.cache_clear()
    yield
    datasets.load_schema.cache_clear()


@pytest.mark.parametrize(
    ("suite", "split", "what", "hint"),
    [
        ("nothing", "dev", "no questions 'nothing'", "there is: business, sparc, spider"),
        ("spider", "train", "no questions 'spider'", "export QUACKLLM_DATA=FOLDER   with train/spider.jsonl in it"),
        ("asked.jsonl", "dev", "there is no file asked.jsonl", "here is /"),
    ],
)
def test_what_is_missing_is_named(suite: str, split: str, what: str, hint: str) -> None:
    with pytest.raises(SetupError, match=what) as raised:
        datasets.load_questions(suite, split)
    assert hint in raised.value.hint


def test_the_sample_is_small_attributed_and_whole() -> None:
    folder = datasets.data_folder()
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MOST_BYTES
    assert "CC BY-SA 4.0" in (folder / "README.md").read_text("utf-8")
    assert len(datasets.list_databases()) == 6
    for suite in datasets.list_suites():
        known = {question.db for question in datasets.load_questions(suite)}
        assert suite == "business" or known <= set(datasets.list_databases())


def test_questions_have_what_evaluation_needs() -> None:
    first = datasets.load_questions("spider")[0]
    assert first.sql.startswith("SELECT")
    assert first.dialogue is None
    turns = datasets.load_questions("sparc")
    assert all(turn.dialogue is not None for turn in turns)
    assert max(turn.turn for turn in turns) > 1


def test_a_database_has_its_rows_and_its_keys() -> None:
    with closing(duckdb.connect()) as connection:
        datasets.open_database(connection, "concert_singer")
        assert connection.execute("SELECT count(*) FROM singer").fetchone() == (6,)
        comments = dict(connection.execute("SELECT table_name, comment FROM duckdb_tables()").fetchall())
    assert comments["concert"] == "primary key: concert_ID\nforeign key: Stadium_ID -> stadium(Stadium_ID)"


@pytest.mark.parametrize("suite", ["spider", "sparc"])
def test_every_right_answer_runs(suite: str) -> None:
    for database in datasets.list_databases():
        with closing(duckdb.connect()) as connection:
            datasets.open_database(connection, database)
            for sql in {question.sql for question in datasets.load_questions(suite) if question.db == database}:
                connection.execute(f"EXPLAIN {sql}")


def test_a_schema_is_read_from_its_files() -> None:
    schema = datasets.load_schema("concert_singer")
    assert [table.name for table in schema.tables] == ["stadium", "singer", "concert", "singer_in_concert"]
    assert ForeignKey("concert", "Stadium_ID", "stadium", "Stadium_ID") in schema.foreign_keys
    columns = {column.name: column for column in schema.tables[1].columns}
    assert columns["Singer_ID"].primary_key
    assert columns["Age"].type == "BIGINT"
    assert "France" in columns["Country"].values


def test_what_is_not_there_is_said_with_what_is() -> None:
    with pytest.raises(SetupError, match=r"sparc, spider"):
        datasets.load_questions("bird")
    with pytest.raises(SetupError, match="no database 'nowhere'"):
        datasets.load_schema("nowhere")


def test_another_folder_is_read_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dev").mkdir()
    row = '{"question": "How many?", "sql": "SELECT COUNT(*) FROM t", "table": "t", "columns": {"a": "VARCHAR"}}\n'
    (tmp_path / "dev" / "own.jsonl").write_text(row, "utf-8")
    monkeypatch.setenv("QUACKLLM_DATA", os.fspath(tmp_path))
    assert datasets.list_suites() == ["business", "own"]
    (question,) = datasets.load_questions("own")
    assert question == datasets.Question("", "How many?", "SELECT COUNT(*) FROM t", columns=(("a", "VARCHAR"),))
