"""Whoever upgrades pays nothing twice: a home that an earlier commit wrote, read by this one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest
from quackllm.udf.calls import migration
from quackllm.udf.calls.call_store import CallStore
from quackllm.udf.calls.migration import TABLE_V0
from quackllm.udf.calls.request_key import request_key
from quackllm.udf.calls.store_file import SCHEMA_VERSION
from quackllm.workers.errors import StoreError
from quackllm.workers.messages import Request
from quackllm.workers.serving.local_fleet import local_fleet

import quackllm
from support import old_home

OLD = Path(old_home.__file__).with_name("home_d85c759")
ROWS = 40


@pytest.fixture
def upgraded(home: Path) -> Path:
    """The home, with the files of the earlier commit in it."""
    for name in ("models.yaml", "settings.yaml"):
        shutil.copy(OLD / name, home)
    write_store(home / "calls.sqlite")
    return home


def write_store(path: Path) -> None:
    with sqlite3.connect(path) as file:
        file.execute("PRAGMA auto_vacuum=INCREMENTAL")
        file.executescript("PRAGMA journal_mode=WAL;" + (OLD / "calls.sql").read_text("utf-8"))
    file.close()


def test_the_statements_of_the_earlier_commit_make_no_call(upgraded: Path):
    before = old_home.calls_recorded(upgraded)
    connection = quackllm.connect()
    connection.execute(f"CREATE TABLE q1 AS FROM '{OLD / 'q1.parquet'}'")
    answers = old_home.run(connection, ROWS)
    assert [len(rows) for rows in answers] == [10, 10, 10, 10]
    assert answers[0][3] == ("echo: a review, número 3 “of” many",)
    assert len(answers[2][0][0]) == 8, "a vector"
    assert old_home.calls_recorded(upgraded) == before == ROWS + 1
    ((calls, model),) = connection.execute("SELECT calls, model FROM llm_usage()").fetchall()
    assert (calls, model) == (before, "qianwen_chat")


def test_a_conversation_that_was_asked_before_is_known(upgraded: Path):
    connection = quackllm.connect()
    old_home.run(connection, ROWS)
    assert old_home.calls_recorded(upgraded) == ROWS + 1


def test_all_answers_move_and_the_old_table_goes(upgraded: Path):
    CallStore(upgraded / "calls.sqlite").close()
    with sqlite3.connect(upgraded / "calls.sqlite") as file:
        tables = {name for (name,) in file.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables == {"models", "answers", "calls", "contexts", "owners", "leases"}
        assert file.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
        times = [at for (at,) in file.execute("SELECT stored_at FROM answers ORDER BY id")]
    assert len(times) == ROWS + 1
    assert times == sorted(times), "the oldest go first, as before"


def test_a_move_that_was_killed_is_gone_on_with(upgraded: Path, monkeypatch: pytest.MonkeyPatch):
    """After the first step: what was moved is there, and the next who opens the file moves the rest."""
    monkeypatch.setattr(migration, "STEP", 15)
    steps = iter([migration._migrate_some])

    def killed(file: object) -> int:
        return next(steps)(file)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(migration, "_migrate_some", killed)
        with pytest.raises((StopIteration, RuntimeError)):
            CallStore(upgraded / "calls.sqlite")
    with sqlite3.connect(upgraded / "calls.sqlite") as file:
        counts = [file.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("answers", TABLE_V0)]
    assert counts == [15, ROWS + 1 - 15]
    store = CallStore(upgraded / "calls.sqlite")
    spec = local_fleet().deployed()["qianwen_chat"]
    assert store.get_many([request_key(spec.identity, Request.of("Who am I?"))])
    with sqlite3.connect(upgraded / "calls.sqlite") as file:
        assert file.execute("SELECT count(*) FROM answers").fetchone() == (ROWS + 1,)


@pytest.mark.parametrize(
    "damage",
    [
        "answer = '{\"output\": 7, ' || substr(answer, 2)",
        "answer = substr(answer, 1, 20)",
        "answer = ''",
        "answer = '[]'",
        'answer = replace(answer, \'"input_tokens": \', \'"input_tokens": "x\')',
        "answer = CAST(x'80ff' AS TEXT)",
        "answer = x'00'",
        "key = 'no hexadecimal digits'",
    ],
)
def test_a_damaged_answer_of_an_old_store_is_as_good_as_none(
    upgraded: Path, damage: str, caplog: pytest.LogCaptureFixture
):
    with sqlite3.connect(upgraded / "calls.sqlite") as file:
        file.execute(f"UPDATE answers SET {damage} WHERE answer LIKE '%Who am I?%'")
    old_home.run(quackllm.connect(), ROWS)
    assert old_home.calls_recorded(upgraded) == ROWS + 2, "that one was asked again"
    assert sum("damaged" in record.message for record in caplog.records) == 1


def test_the_release_before_says_no_to_the_new_file(upgraded: Path):
    """It opens its tables with this line, and stops there: it must not ask everything again."""
    CallStore(upgraded / "calls.sqlite").close()
    with sqlite3.connect(upgraded / "calls.sqlite") as file, pytest.raises(sqlite3.OperationalError):
        file.execute("CREATE INDEX IF NOT EXISTS answers_at ON answers (at)")


def test_a_newer_store_stops_the_statement_and_nothing_is_asked(upgraded: Path):
    CallStore(upgraded / "calls.sqlite").close()
    with sqlite3.connect(upgraded / "calls.sqlite") as file:
        file.execute("PRAGMA user_version=99")
    file.close()
    connection = quackllm.connect()
    with pytest.raises(StoreError, match="newer quackllm"):
        connection.execute(old_home.CONVERSATION)
    assert old_home.calls_recorded(upgraded) == ROWS + 1
    connection.execute("SET VARIABLE llm_store = 'off'")
    assert connection.execute("SELECT llm_result(qianwen_chat('x'))").fetchall() == [("echo: x",)]
