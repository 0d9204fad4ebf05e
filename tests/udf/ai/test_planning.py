"""The planner and the typed functions: native conditions first, early stops, budgets, estimates, nothing twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quackllm.workers.errors import BudgetError

import quackllm
from standin.fixtures import StandIn


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "yes"}])
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review AS SELECT i, 'review ' || i AS body FROM range(400) t (i)")
        yield connection


def test_native_conditions_come_first(connection: quackllm.Connection, service: StandIn) -> None:
    rows = connection.execute("SELECT i FROM review WHERE ai_filter(body, 'is praise') AND i % 100 = 7").fetchall()
    assert len(rows) == service.count() == 4


def test_a_limit_stops_early(connection: quackllm.Connection, service: StandIn) -> None:
    statement = "SELECT i FROM review WHERE ai_filter(body, 'is praise') ORDER BY i LIMIT 5"
    assert connection.execute(statement).fetchall() == [(i,) for i in range(5)]
    assert service.count() == 10  # The first batch: twice as many rows as are wanted, and 8 at least.


def test_equal_requests_are_one_call_and_none_the_next_time(connection: quackllm.Connection, service: StandIn) -> None:
    for _ in range(2):
        connection.execute("SELECT ai_filter('the same', 'is praise') FROM review").fetchall()
        assert service.count() == 1


def test_a_budget_stops_and_the_next_run_asks_the_rest(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_max_calls = 100")
    statement = "SELECT count(*) FROM review WHERE ai_filter(body, 'is praise')"
    with pytest.raises(BudgetError):
        connection.execute(statement).fetchall()
    assert service.count() == 100
    connection.execute("RESET VARIABLE llm_max_calls")
    assert connection.execute(statement).fetchall() == [(400,)]
    assert service.count() == 400


def test_an_estimate_counts_each_request_once(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SELECT ai_filter(body, 'is praise') FROM review WHERE i < 30").fetchall()
    (found,) = quackllm.estimate(connection, "SELECT ai_filter(body, 'is praise') FROM review")
    assert (found.calls, found.known, found.to_ask) == (400, 30, 370)
    assert service.count() == 30


def test_a_table_and_a_join_ask_about_distinct_pairs(connection: quackllm.Connection, service: StandIn) -> None:
    rows = connection.execute(
        "SELECT count(*) FROM review a JOIN range(3) b (j) ON a.i % 3 = b.j AND ai_match(a.i % 3, b.j, 'are equal')"
    ).fetchall()
    assert rows == [(400,)]
    assert service.count() == 3


@pytest.mark.filterwarnings("ignore:2 requests got no complete answer")
def test_each_gives_a_row_for_each_thing(connection: quackllm.Connection, service: StandIn) -> None:
    service.script(
        [{"fault": "reply", "text": '{"items": [{"dish": "soup", "price": 4}, {"dish": "tea", "price": "?"}]}'}]
    )
    rows = connection.execute(
        "SELECT i, dish, price FROM review, ai_each(review.body, {'dish': 'VARCHAR', 'price': 'INTEGER'}) "
        "WHERE i < 2 ORDER BY i, dish"
    ).fetchall()
    assert rows == [(0, "soup", 4), (0, "tea", None), (1, "soup", 4), (1, "tea", None)]


@pytest.mark.filterwarnings("ignore:20 requests got no complete answer")
def test_a_repeat_is_planned_like_the_first_question(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "well", "marker": "even"}, {"fault": "reply", "text": "yes"}])
    connection.execute(
        "CREATE TABLE mixed AS SELECT i, 'even odd'[1 + i % 2 * 5 : 4 + i % 2 * 5] || i AS body FROM range(40) t (i)"
    )
    statement = "SELECT i FROM mixed WHERE ai_filter(body, 'is praise') AND i < 1000 ORDER BY i"
    rows = connection.execute(statement).fetchall()
    assert rows == [(i,) for i in range(1, 40, 2)]
    assert service.count() == 60  # Twenty rows are asked twice.
