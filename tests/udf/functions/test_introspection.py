"""`llm_calls()` says which statement paid for a call, and `llm_usage()` what was paid."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import quackllm
from standin.fixtures import StandIn

PAID = "SELECT prompt, statement FROM llm_calls() ORDER BY id"
FIRST = "CREATE TABLE answer AS SELECT i, llm_result(standin('row ' || i)) AS a FROM range(2) t(i)"
SECOND = "SELECT llm_result(standin('row ' || i)) AS a FROM range(3) t(i)"


def deploy(service: StandIn) -> None:
    quackllm.deploy("standin", "saas/openai", infer_params=service.openai_params())


def test_a_call_names_the_statement_that_paid_for_it(service: StandIn) -> None:
    deploy(service)
    with quackllm.connect() as connection:
        connection.execute(FIRST)
        connection.execute(SECOND).fetchall()
        connection.sql(SECOND).fetchall()
        paid = connection.execute(PAID).fetchall()
    assert sorted(paid[:2]) == [("row 0", FIRST), ("row 1", FIRST)]
    assert paid[2:] == [("row 2", SECOND)]


def test_a_store_without_statements_gets_the_column(service: StandIn, home: Path) -> None:
    deploy(service)
    with quackllm.connect() as connection:
        connection.execute(SECOND).fetchall()
    with sqlite3.connect(home / "calls.sqlite") as store:
        store.execute("ALTER TABLE calls DROP COLUMN statement")
        store.execute("ALTER TABLE calls DROP COLUMN price_part")
    store.close()
    from quackllm.udf.calls.async_store import close_store

    close_store(home)
    with quackllm.connect() as connection:
        connection.execute("SELECT llm_result(standin('new'))").fetchall()
        paid = connection.execute(PAID).fetchall()
        assert connection.execute("SELECT calls FROM llm_usage()").fetchall() == [(4,)]
    assert [statement for _, statement in paid] == [None, None, None, "SELECT llm_result(standin('new'))"]
    assert service.count() == 4
