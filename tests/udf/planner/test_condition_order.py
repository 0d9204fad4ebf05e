"""Conditions that call models are evaluated in the order that costs least; the answer is the same in any order."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

import quackllm
from standin.fixtures import StandIn

pytest_plugins = ["support.oracle_fixtures"]

TABLES = """
CREATE TABLE t AS SELECT i AS id, 'row ' || i AS body, 'kind ' || i % 12 AS kind FROM range(600) t(i);
CREATE TABLE u AS SELECT i AS id, 'other ' || i AS text FROM range(600) t(i);
"""
COMMON = "llm_result(orc('num: ' || body)) <> '3'"
"""Nine of ten rows pass."""
RARE = "llm_result(elf('num: b ' || body)) = '3'"
"""One of ten rows passes."""
FEW = "llm_result(orc('yn: ' || kind)) = 'yes'"
"""Twelve calls for all rows."""
LONG = f"llm_result(orc('yn: {'word ' * 200}' || body)) = 'yes'"
"""Many tokens."""
SHORT = "llm_result(orc('yn: short ' || body)) = 'yes'"


@pytest.fixture
def connection(asked: list[str]) -> Iterator[quackllm.Connection]:
    with quackllm.connect(model="orc") as connection:
        connection.execute(TABLES)
        yield connection


def calls_of(connection: quackllm.Connection, asked: list[str], sql: str) -> list[str]:
    """Run a statement planned; its rows are those without the planner. Return what it asked."""
    connection.execute("SET VARIABLE llm_store = 'off'")
    asked.clear()
    rows = connection.execute(sql).fetchall()
    said = list(asked)
    connection.execute("SET VARIABLE llm_prefetch = 'off'")
    assert sorted(connection.execute(sql).fetchall()) == sorted(rows)
    connection.execute("SET VARIABLE llm_prefetch = 'on'")
    return said


@pytest.mark.parametrize("order", list(permutations([COMMON, RARE])))
@pytest.mark.parametrize(
    "sql",
    [
        "SELECT id FROM t WHERE {} AND {}",
        "SELECT t.id FROM t JOIN u ON t.id = u.id AND {} WHERE text <> 'x' AND {}",
        "WITH a AS (SELECT id FROM t WHERE {} AND {}) SELECT count(*) FROM a, a AS b WHERE a.id = b.id",
        "SELECT id FROM u WHERE id IN (SELECT id FROM t WHERE {} AND {})",
        "SELECT id FROM u WHERE EXISTS (SELECT 1 FROM (SELECT id FROM t WHERE {} AND {}) x WHERE x.id = u.id)",
        "SELECT id FROM t WHERE {} AND {} UNION ALL SELECT 1",
    ],
)
def test_the_more_selective_condition_goes_first(connection, asked: list[str], sql: str, order: tuple[str, str]):
    said = calls_of(connection, asked, sql.format(*order))
    assert len(said) == len(set(said))
    assert len(said) <= 600 + 60 + 70, "600 of the selective one, 60 of the other one, and what the first waves cost"


@pytest.mark.parametrize("order", list(permutations([COMMON, FEW])))
def test_what_has_few_different_requests_goes_first(connection, asked: list[str], order: tuple[str, str]):
    said = calls_of(connection, asked, f"SELECT id FROM t WHERE {order[0]} AND {order[1]}")
    passed = sum(text.startswith("num: ") for text in said)
    assert len(said) - passed == 12
    assert passed < 600 * 3 / 4


@pytest.mark.parametrize("order", list(permutations([LONG, SHORT])))
def test_what_costs_fewer_tokens_goes_first(connection, asked: list[str], order: tuple[str, str]):
    said = calls_of(connection, asked, f"SELECT id FROM t WHERE {order[0]} AND {order[1]}")
    assert sum("word" in text for text in said) < 350


def test_three_conditions(connection, asked: list[str]):
    counts = [len(calls_of(connection, asked, f"SELECT id FROM t WHERE {' AND '.join(order)}"))
              for order in permutations([COMMON, RARE, SHORT])]  # fmt: skip
    assert max(counts) <= 600 + 60 + 30 + 100


def test_what_is_cached_goes_first(connection, asked: list[str]):
    connection.execute(f"SELECT {SHORT} FROM t").fetchall()
    asked.clear()
    connection.execute(f"SELECT id FROM t WHERE {RARE} AND {SHORT}").fetchall()
    assert len(asked) < 350


def test_a_condition_over_no_column_and_one_with_a_subquery(connection, asked: list[str]):
    sql = f"SELECT id FROM t WHERE {RARE} AND id IN (SELECT id FROM u WHERE llm_result(orc('yn: ' || id)) = 'yes')"
    assert len(calls_of(connection, asked, sql)) == 664, "the subquery only for the rows that the other one leaves"
    said = calls_of(connection, asked, f"SELECT id FROM t WHERE llm_result(orc('say: x')) = 'y' AND {RARE} AND {FEW}")
    assert said == ["say: x"]


def test_a_nested_call_waits_for_the_answer_in_its_request(connection, asked: list[str]):
    nested = "llm_result(elf('yn: ' || llm_result(orc('cls: ' || kind)))) = 'yes'"
    said = calls_of(connection, asked, f"SELECT id FROM t WHERE {RARE} AND {nested}")
    assert sum(text.startswith("cls: ") for text in said) == 12
    assert {text for text in said if text.startswith("yn: ")} <= {"yn: red", "yn: green", "yn: blue"}


def test_values_and_the_transaction_of_the_user(connection, asked: list[str]):
    sql = f"SELECT id FROM t WHERE id < $n AND {COMMON} AND {RARE} AND kind <> $k"
    values = {"n": 500, "k": "kind 3"}
    rows = connection.execute(sql, values).fetchall()
    assert len(asked) <= 480 + 60 + 70
    connection.execute("BEGIN")
    connection.execute("INSERT INTO t VALUES (-1, 'mine', 'kind 1')")
    assert set(rows) <= set(connection.execute(sql, values).fetchall())
    connection.execute("ROLLBACK")


def test_over_http(service: StandIn):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE t AS SELECT 'row ' || i AS body FROM range(300) t(i)")
        all_rows, no_rows = (
            "llm_result(chat('{} ' || body)) LIKE '{}'".format(*each) for each in (("a", "%"), ("b", ""))
        )
        connection.execute(f"SELECT body FROM t WHERE {all_rows} AND {no_rows}").fetchall()
    assert sum(prompt.startswith("a ") for prompt in service.prompts()) < 20
