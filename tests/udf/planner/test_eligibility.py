"""What happens beside a planned statement, or in the middle of it, ends as it does without the planner."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

import quackllm
from support.sql_oracle import oracles

TABLE = "CREATE TABLE people AS SELECT i AS id, 'name ' || i % 12 AS name FROM range(60) t(i)"
SLOW = "SELECT id, llm_result(orc('say: ' || name)) FROM {} WHERE id < 50 AND llm_result(orc('yn: ' || name)) = 'yes'"
"""Asks twice, one answer after the other: the engine takes a while each time."""


@pytest.fixture
def asked() -> Iterator[list[str]]:
    with oracles(delay_seconds=0.15) as asked:
        yield asked


@pytest.fixture(params=["planned", "plain"])
def connection(request: pytest.FixtureRequest, asked: list[str], tmp_path) -> Iterator[quackllm.Connection]:
    """A connection with the planner, then one without: each test says what DuckDB itself does."""
    with quackllm.connect(tmp_path / "people.duckdb", model="orc") as connection:
        if request.param == "plain":
            connection.execute("SET VARIABLE llm_prefetch = 'off'")
        connection.execute(TABLE)
        connection.execute("CREATE TABLE before AS FROM people")
        yield connection


def in_a_transaction(connection: quackllm.Connection) -> bool:
    """Whether a transaction is open; one that is not stays so."""
    try:
        connection.execute("BEGIN")
    except duckdb.TransactionException:
        return True
    connection.execute("ROLLBACK")
    return False


def while_it_asks(asked: list[str], work: Callable[[], object]) -> threading.Thread:
    """Do the work in a thread of its own, as soon as a model is asked."""

    def wait_and_work() -> None:
        while not asked:
            time.sleep(0.005)
        work()

    thread = threading.Thread(target=wait_and_work)
    thread.start()
    return thread


def expected(connection: quackllm.Connection) -> list[tuple[int, str]]:
    return sorted(connection.execute(SLOW.format("before")).fetchall())


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE people SET name = 'changed ' || id",
        "INSERT INTO people SELECT id, 'more ' || id FROM before",
        "DELETE FROM people WHERE id > 5",
        "DROP TABLE people",
        "ALTER TABLE people ADD COLUMN more INTEGER DEFAULT 7",
        "CREATE OR REPLACE TABLE people AS SELECT 1 AS id, 'other' AS name",
    ],
)
def test_what_another_cursor_changes_meanwhile_is_not_seen(connection, asked, change: str):
    cursor = connection.cursor()
    thread = while_it_asks(asked, lambda: cursor.execute(change))
    rows = connection.execute(SLOW.format("people")).fetchall()
    thread.join()
    assert sorted(rows) == expected(connection)
    assert not in_a_transaction(connection)
    if "DROP" not in change:
        assert connection.execute("SELECT count(*), sum(hash(p)) FROM people p").fetchall() == (
            cursor.execute("SELECT count(*), sum(hash(p)) FROM people p").fetchall()
        ), "the next statement sees what was changed"


def test_a_table_made_from_answers_is_committed_at_once(connection):
    cursor = connection.cursor()
    connection.execute(f"CREATE TABLE made AS {SLOW.format('people')}")
    assert sorted(cursor.execute("FROM made").fetchall()) == expected(connection)
    connection.execute(f"INSERT INTO made {SLOW.format('people')}")
    assert cursor.execute("SELECT count(*) FROM made").fetchone() == (2 * len(expected(connection)),)
    assert not in_a_transaction(connection)


FAILS_WITHOUT_ANSWERS = (
    "SELECT CASE WHEN llm_result(orc('say: ' || name)) IS NULL THEN CAST(name AS INTEGER) ELSE id END FROM people"
)


@pytest.mark.parametrize("statement", [SLOW.format("people"), FAILS_WITHOUT_ANSWERS])
@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_an_open_transaction_is_neither_committed_nor_aborted(connection, statement: str, end: str):
    cursor = connection.cursor()
    connection.execute("BEGIN")
    connection.execute("INSERT INTO people VALUES (49, 'uncommitted')")
    one = connection.execute(statement).fetchall()
    two = connection.sql(statement).fetchall()
    assert sorted(one) == sorted(two)
    assert cursor.execute("SELECT count(*) FROM people").fetchone() == (60,)
    assert in_a_transaction(connection) is True
    connection.execute("ROLLBACK")
    connection.begin()
    connection.execute("INSERT INTO people VALUES (49, 'uncommitted')")
    connection.execute(statement).fetchone()
    getattr(connection, end)()
    assert cursor.execute("SELECT count(*) FROM people").fetchone() == (61 if end == "commit" else 60,)


def test_a_statement_that_fails_outside_of_a_transaction_leaves_none_open(connection):
    for statement in (
        "SELECT CAST(llm_result(orc('say: ' || name)) AS INTEGER) FROM people",
        "CREATE TABLE made AS SELECT CAST(llm_result(orc('say: ' || name)) AS INTEGER) FROM people",
        "INSERT INTO people SELECT llm_result(orc('say: ' || name)), name FROM people",
    ):
        with pytest.raises(duckdb.ConversionException):
            connection.execute(statement).fetchall()
        assert not in_a_transaction(connection)
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (60,)
    with pytest.raises(duckdb.CatalogException, match="made"):
        connection.execute("FROM made")


def test_a_statement_that_fails_inside_of_a_transaction_aborts_it(connection):
    connection.execute("BEGIN")
    connection.execute("INSERT INTO people VALUES (70, 'uncommitted')")
    with pytest.raises(duckdb.ConversionException):
        connection.execute("SELECT CAST(llm_result(orc('say: ' || name)) AS INTEGER) FROM people").fetchall()
    with pytest.raises(duckdb.TransactionException, match="aborted"):
        connection.execute("SELECT 1")
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (60,)


def test_what_fails_behind_the_first_rows_while_there_are_no_answers_fails_no_statement(connection):
    rows = connection.execute(
        "SELECT CASE WHEN llm_result(orc('cls: ' || i // 1000)) IS NULL AND i > 4500 THEN CAST('x' || i AS INTEGER) "
        "ELSE 1 END FROM range(5000) t(i)"
    ).fetchall()
    assert rows == [(1,)] * 5000


@pytest.mark.parametrize("form", ["{}", "FROM ({}) s, range(3000)", "CREATE TABLE made AS {}", "INSERT INTO people {}"])
def test_ctrl_c_while_it_asks_leaves_the_connection_as_it_was(connection, asked, form: str):
    thread = while_it_asks(asked, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        connection.execute(form.format(SLOW.format("people"))).fetchall()
    thread.join()
    assert not in_a_transaction(connection)
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (60,)
    assert sorted(connection.execute(SLOW.format("people")).fetchall()) == expected(connection)


def test_interrupt_while_it_asks_inside_of_a_transaction_loses_nothing_of_before(connection, asked):
    connection.execute("CREATE TABLE kept (i INTEGER)")
    connection.execute("BEGIN")
    thread = while_it_asks(asked, connection.interrupt)
    with pytest.raises(duckdb.InterruptException):
        connection.execute(SLOW.format("people")).fetchall()
    thread.join()
    assert in_a_transaction(connection)
    connection.execute("ROLLBACK")
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (60,)


def test_threads_with_a_cursor_each_at_once(connection):
    statements = [SLOW.format("people") + f" AND id % {number} = 0" for number in (1, 2, 3, 4)]
    connections = [connection.cursor(), connection.cursor(), connection, connection.cursor()]

    def run(one: quackllm.Connection, statement: str) -> list[tuple[int, str]]:
        return sorted(one.sql(statement).fetchall())

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(run, connections, statements))
    rows = expected(connection)
    assert found == [[row for row in rows if row[0] % number == 0] for number in (1, 2, 3, 4)]


def test_a_result_that_was_read_half_way_holds_nothing_open(connection):
    cursor = connection.cursor()
    for _ in range(2):
        assert len(connection.execute(SLOW.format("people")).fetchmany(2)) == 2
        cursor.execute("INSERT INTO people VALUES (100, 'later')")
        assert connection.execute("SELECT max(id) FROM people").fetchone() == (100,), "no old snapshot is kept"
        cursor.execute("DELETE FROM people WHERE id = 100")
        assert not in_a_transaction(connection)
    connection.execute(SLOW.format("people")).fetchone()
    connection.execute("DROP TABLE people")
    connection.execute("CHECKPOINT")
    with pytest.raises(duckdb.CatalogException):
        cursor.execute("FROM people")


def test_begin_and_rollback_after_a_result_that_was_not_read_to_its_end(connection):
    connection.execute(SLOW.format("people")).fetchone()
    connection.begin()
    connection.execute("INSERT INTO people VALUES (100, 'undone')")
    connection.rollback()
    assert connection.execute("SELECT max(id) FROM people").fetchone() == (59,)


def test_there_is_no_transaction_of_the_users_to_end_after_a_planned_statement(connection):
    connection.execute(SLOW.format("people")).fetchone()
    connection.commit()
    endings = (connection.rollback, lambda: connection.execute("COMMIT"), lambda: connection.execute("ROLLBACK"))
    for end in endings:
        connection.execute(SLOW.format("people")).fetchone()
        with pytest.raises(duckdb.TransactionException, match="no transaction is active"):
            end()
    assert sorted(connection.execute(SLOW.format("people")).fetchall()) == expected(connection)


def test_a_connection_is_closed_half_way(connection, tmp_path):
    other = connection.cursor()
    other.execute(SLOW.format("people")).fetchone()
    other.close()
    assert connection.execute("SELECT count(*) FROM people").fetchone() == (60,)
    connection.execute("DROP TABLE before")


def test_what_was_asked_early_is_taken_back_when_the_statement_is_interrupted(asked: list[str]):
    with quackllm.connect(model="orc") as connection:
        stopped: list[int] = []

        def stop() -> None:
            connection.interrupt()
            stopped.append(len(asked))

        thread = while_it_asks(asked, stop)
        with pytest.raises(duckdb.InterruptException):
            connection.execute("SELECT llm_result(orc('say: ' || i)) FROM range(60000) t(i)").fetchall()
        thread.join()
        time.sleep(1)  # For what must not come: more than was under way.
        assert len(asked) <= stopped[0] + 1000


def test_a_model_that_cannot_answer_stops_a_long_statement_at_once(connection):
    quackllm.deploy("mute", "openai", infer_params={"saas.base_url": "http://127.0.0.1:9/v1", "saas.model": "m"})
    with pytest.raises(quackllm.QuackLLMError):
        connection.execute("SELECT llm_result(mute('say: ' || i)) FROM range(20000) t(i)").fetchall()
