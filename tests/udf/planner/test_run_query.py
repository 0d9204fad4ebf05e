"""Generated SQL is tried on a second connection: bounded, and blind to what only the caller's transaction sees."""

from __future__ import annotations

from quackllm.udf.planner.run_query import MAX_ROWS, QueryRunner, database_files
from quackllm.udf.session.session import find_session
from quackllm.udf.text2sql.schema.catalog import read_catalog

import quackllm


def test_rows_and_errors(tmp_path) -> None:
    with quackllm.connect(tmp_path / "shop.duckdb") as connection:
        connection.execute("CREATE TABLE t AS SELECT i, i::VARCHAR AS s FROM range(5000) r(i)")
        connection.execute("CREATE TEMP TABLE mine AS SELECT 1 AS a")
        run = QueryRunner(connection.cursor, read_catalog(connection))
        assert run("SELECT count(*) FROM t").rows == ((5000,),)
        many = run("SELECT i FROM t")
        assert (len(many.rows), many.truncated) == (MAX_ROWS, True)
        assert "Could not convert" in run("SELECT CAST('x' || s AS INTEGER) FROM t").error
        assert run("SELECT a FROM mine") is None, "the second connection does not see it"
        assert (
            run("SELECT repeat(s, 100000000) FROM t") is None
            or "too" in run("SELECT repeat(s, 100000000) FROM t").error
        )
        assert database_files(connection) == (tmp_path / "shop.duckdb",)


def test_nothing_is_run_in_the_users_own_transaction() -> None:
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR); INSERT INTO singer VALUES ('Ann')")
        connection.execute("SELECT text2sql('How many singers are there?')").fetchall()
        assert find_session(connection).run_query is not None
        connection.begin()
        connection.execute("SELECT text2sql('How many singers are there?')").fetchall()
        assert find_session(connection).run_query is None
        connection.rollback()


def test_nothing_is_run_where_the_user_switches_it_off() -> None:
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE singer (name VARCHAR); INSERT INTO singer VALUES ('Ann')")
        connection.execute("SET VARIABLE llm_check_rows = 'off'")
        assert connection.execute("SELECT text2sql('How many singers are there?')").fetchone() is not None
        assert find_session(connection).run_query is None
