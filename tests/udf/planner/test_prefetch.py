"""The forty questions of benchmarks/queries.yaml: each makes the calls it must, once, and gives the right rows."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb
import pytest
from quackllm.udf.text2sql.evaluation.datasets import open_database

import quackllm
from standin.fixtures import StandIn

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

from queries import Query, load, plain

QUERIES = load()


def by_a_plain_function(query: Query, connection: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """The statement's rows where `judge` is nothing but the stand-in's rule."""
    connection.execute("CREATE TEMP MACRO judge(request) AS answer(request)")
    connection.execute("CREATE TEMP MACRO llm_result(response) AS response")
    connection.execute("CREATE TEMP MACRO llm_param(given) AS given.instruction")
    return connection.execute(query.sql).fetchall()


def test_there_are_forty() -> None:
    assert len({query.name for query in QUERIES}) == 40
    assert {query.kind for query in QUERIES} >= {
        "filter",
        "map",
        "join",
        "order and limit",
        "count and group",
        "nested",
    }


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_the_calls_made_are_those_that_survive_the_native_predicates(query: Query, service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection, plain(query.database) as native:
        open_database(connection, query.database)
        rows = connection.execute(query.sql).fetchall()
        needed = {text for texts in query.requests(native) for text in texts}
        asked = service.prompts()
        assert len(asked) == len(set(asked))
        if query.limit:
            assert set(asked) <= needed
            assert len(rows) == len(by_a_plain_function(query, native))
        else:
            assert set(asked) == needed
            assert sorted(rows, key=repr) == sorted(by_a_plain_function(query, native), key=repr)
