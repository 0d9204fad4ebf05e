"""The transaction around a planned statement: what a user may do next is what DuckDB itself allows."""

from __future__ import annotations

import pytest

import quackllm


@pytest.fixture
def connection() -> quackllm.Connection:
    quackllm.deploy("parrot", "echo")
    connection = quackllm.connect()
    connection.execute("CREATE TABLE singer AS SELECT 'Ann' AS name UNION ALL SELECT 'Bo'")
    return connection


WRITING = (
    "CREATE TABLE turn AS SELECT name, parrot('hello ' || name) AS response FROM singer",
    "INSERT INTO singer SELECT llm_result(parrot(name)) FROM singer",
)


@pytest.mark.parametrize("statement", WRITING)
def test_a_relation_can_follow_a_statement_whose_count_nobody_fetched(connection, statement: str) -> None:
    connection.execute(statement)
    assert connection.sql("SELECT 1").fetchall() == [(1,)]


@pytest.mark.parametrize("statement", WRITING)
def test_the_count_can_be_fetched(connection, statement: str) -> None:
    assert connection.execute(statement).fetchall() == [(2,)]
    assert connection.sql("SELECT 1").fetchall() == [(1,)]
