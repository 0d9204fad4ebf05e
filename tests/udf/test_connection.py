"""A Connection is DuckDB's own: transactions, cursors, DataFrames and views go on working."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
import weakref

import duckdb
import pyarrow as pa
import pytest
from quackllm.workers.errors import TimeLimitError

import quackllm
from standin.fixtures import StandIn

SAY = "SELECT llm_result(chat('hello'))"


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    quackllm.deploy("chat", "echo")
    return quackllm.connect()


def test_it_is_a_duckdb_connection(connection):
    assert isinstance(connection, duckdb.DuckDBPyConnection)
    assert connection.execute("SELECT 42").fetchone() == (42,)


def test_an_existing_connection_is_registered_in_place(connection):
    plain = duckdb.connect()
    plain.execute("CREATE TABLE t AS SELECT 1 AS i")
    registered = quackllm.register(plain)
    assert registered is plain
    assert plain.execute(f"{SAY}, i FROM t").fetchall() == [("echo: hello", 1)]
    assert quackllm.register(plain, model="chat") is plain, "registering again changes the default"


def test_cursors_and_second_connections_have_the_functions(connection, tmp_path):
    assert connection.cursor().execute(SAY).fetchall() == [("echo: hello",)]
    path = tmp_path / "file.duckdb"
    with quackllm.connect(path) as one, quackllm.connect(path) as two:
        assert one.execute(SAY).fetchall() == two.execute(SAY).fetchall()
        one.close()
        assert two.execute(SAY).fetchall() == [("echo: hello",)]


def test_a_model_deployed_later_is_callable_at_once_and_an_undeployed_one_is_gone(connection):
    cursor = connection.cursor()
    quackllm.deploy("later_chat", "echo")
    for each in (connection, cursor):
        assert each.execute("SELECT llm_result(later_chat('x'))").fetchall() == [("echo: x",)]
    quackllm.undeploy("later_chat")
    with pytest.raises(duckdb.CatalogException, match="later_chat"):
        connection.execute("SELECT later_chat('x')")


def test_a_model_costs_a_connection_nothing_until_it_is_called(connection):
    quackllm.deploy("other_chat", "echo")
    fresh = quackllm.connect()
    models = (
        "SELECT list_sort(list(function_name)) FROM duckdb_functions() WHERE function_name IN ('chat', 'other_chat')"
    )
    assert duckdb.DuckDBPyConnection.execute(fresh, models).fetchall() == [(None,)]
    fresh.execute("SELECT other_chat('x')")
    assert duckdb.DuckDBPyConnection.execute(fresh, models).fetchall() == [(["other_chat"],)]
    assert fresh.execute(models).fetchall() == [(["chat", "other_chat"],)], "who lists them sees all"


@pytest.mark.parametrize("read", ["FROM v", "BEGIN; FROM v", "relation", "other('x')"])
def test_a_view_calls_models_that_the_statement_does_not_name(connection, tmp_path, read: str):
    quackllm.deploy("other_chat", "echo")
    path = tmp_path / "file.duckdb"
    with quackllm.connect(path) as one:
        one.execute("CREATE VIEW v AS SELECT llm_result(chat('x')) AS a, llm_result(other_chat('y')) AS b")
        one.execute("CREATE MACRO other(x) AS llm_result(other_chat(x))")
    with quackllm.connect(path) as two:
        if read == "relation":
            assert two.table("v").fetchall() == [("echo: x", "echo: y")]
        elif read.startswith("other"):
            assert two.execute(f"SELECT {read}").fetchall() == [("echo: x",)]
        else:
            assert two.execute(read).fetchall() == [("echo: x", "echo: y")]


@pytest.mark.parametrize("rollback", ["ROLLBACK", "abort", "method"])
def test_no_rollback_takes_functions_or_models_away(connection, rollback: str):
    connection.execute("BEGIN")
    quackllm.deploy("new_chat", "echo")
    connection.execute("SELECT new_chat('x')").fetchall()
    connection.rollback() if rollback == "method" else connection.execute(rollback)
    assert connection.execute("SELECT llm_result(new_chat('y')), llm_result(chat('y'))").fetchall() == [
        ("echo: y", "echo: y")
    ]


def test_an_aborted_transaction_says_its_own_error(connection):
    connection.execute("CREATE TABLE t (i INTEGER PRIMARY KEY)")
    connection.execute("BEGIN")
    with pytest.raises(duckdb.ConstraintException):
        connection.execute("INSERT INTO t VALUES (1), (1)")
    with pytest.raises(duckdb.TransactionException, match="aborted"):
        connection.execute("SELECT text2sql('how many?')")


def test_local_tables_of_python_are_seen(connection):
    prompts = pa.table({"p": ["a", "b"]})
    assert connection.execute("SELECT llm_result(chat(p)) FROM prompts").fetchall() == [("echo: a",), ("echo: b",)]
    assert connection.sql("SELECT llm_result(chat(p)) FROM prompts").fetchall() == [("echo: a",), ("echo: b",)]
    assert prompts.num_rows == 2


@pytest.mark.parametrize("read", ["fetchall", "fetchnumpy", "fetchmany", "fetchone"])
def test_every_way_of_reading_works(connection, read: str):
    assert "echo: hello" in str(getattr(connection.execute(SAY), read)())


def test_views_and_ctas_and_copy_hold_model_calls(connection, tmp_path):
    connection.execute("CREATE VIEW v AS SELECT llm_result(chat('x')) AS a")
    assert connection.execute("FROM v").fetchall() == [("echo: x",)]
    target = tmp_path / "out.parquet"
    connection.execute(f"COPY (SELECT chat('x') AS r) TO '{target}'")
    assert duckdb.connect().execute(f"SELECT r.output FROM '{target}'").fetchall() == [("echo: x",)]


def test_parameters_and_executemany(connection):
    connection.execute("CREATE TABLE said (a VARCHAR)")
    connection.executemany("INSERT INTO said SELECT llm_result(chat(?))", [["a"], ["b"]])
    assert connection.execute("FROM said ORDER BY a").fetchall() == [("echo: a",), ("echo: b",)]


def test_a_connection_that_is_let_go_is_freed(connection):
    other = quackllm.connect()
    other.execute(SAY).fetchall()
    watch = weakref.ref(other)
    del other
    gc.collect()
    assert watch() is None


def test_the_name_in_an_error_is_duckdbs_own_where_the_mistake_is_sql(connection):
    with pytest.raises(duckdb.BinderException, match="nosuch"):
        connection.execute("SELECT chat(nosuch) FROM range(3)")
    with pytest.raises(duckdb.ParserException):
        connection.execute("SELEC chat('x')")


def test_interrupt_from_another_thread_stops_a_waiting_statement(service: StandIn):
    quackllm.deploy("slow_chat", "echo", infer_params={"delay_seconds": 30})
    connection = quackllm.connect()
    threading.Timer(0.3, connection.interrupt).start()
    started = time.monotonic()
    with pytest.raises(duckdb.InterruptException):
        connection.execute("SELECT slow_chat('x')").fetchall()
    assert time.monotonic() - started < 2
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_ask_has_a_time_limit(service: StandIn):
    endless = "SELECT count(*) FROM numbers a, numbers b, numbers c, numbers d WHERE a.i + b.i + c.i + d.i = 7"
    service.script([{"fault": "reply", "text": endless}])
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    connection = quackllm.connect()
    connection.execute("CREATE TABLE numbers AS SELECT i FROM range(2000) t(i)")
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match="seconds := 5"):
        connection.execute("FROM ask('how many?', seconds := 0.5)").fetchall()
    assert time.monotonic() - started < 3
    assert connection.execute("SELECT 1").fetchone() == (1,)


def test_threads_that_share_a_connection_take_turns(connection):
    answers: list[str] = []

    def ask(name: str) -> None:
        for number in range(20):
            (answer,) = connection.execute(f"SELECT llm_result(chat('{name} {number}'))").fetchone() or ("",)
            answers.append(answer)

    threads = [threading.Thread(target=ask, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 40


@pytest.mark.parametrize("read", ["con.execute(ask).fetchall()", "con.sql(ask).fetchall()", "con.close()"])
def test_a_script_ends_in_silence(read: str):
    program = f"""
import quackllm
con = quackllm.connect()
con.execute("CREATE TABLE singer (name VARCHAR)")
ask = "FROM ask('How many singers are there?')"
{read}
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (told.stdout, told.stderr) == ("", "")
