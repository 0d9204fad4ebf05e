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


CONDITIONS = {
    "filter": ("ai_filter(body, 'is praise')", "yes"),
    "match": ("ai_match(body, 'x', 'say the same')", "yes"),
    "classify": ("ai_classify(body, ['good', 'bad']) = 'good'", "good"),
    "choose": ("ai_choose(body, ['good', 'bad']) = 'good'", "good"),
    "sentiment": ("ai_sentiment(body) = 'positive'", "positive"),
    "labels": ("len(ai_labels(body, ['good', 'bad'])) = 1", '["good"]'),
    "score": ("ai_score(body, 'praise') > 0.5", "0.9"),
    "extract": ("ai_extract(body, {'age': 'INTEGER'}).age = 4", '{"age": 4}'),
    "value": ("ai_value(body, 'INTEGER') = 4", '{"value": 4}'),
    "complete": ("ai_complete(body) = 'fine'", "fine"),
    "translate": ("ai_translate(body, 'French') = 'fine'", "fine"),
    "mask": ("ai_mask(body, ['names']) = 'fine'", "fine"),
    "fix_grammar": ("ai_fix_grammar(body) = 'fine'", "fine"),
    "agg_list": ("ai_agg_list([body], 'How is it?') = 'fine'", "fine"),
    "top": ("len(ai_top([body, 'x'], 1, 'praise')) = 1", '{"ranking": [1, 2]}'),
}
"""A condition of each function, and the answer with which it is true."""


@pytest.mark.parametrize("function", CONDITIONS)
def test_calls_are_saved_counted_and_limited(function: str, connection: quackllm.Connection, service: StandIn) -> None:
    condition, answer = CONDITIONS[function]
    service.script([{"fault": "reply", "text": answer}])
    # A native condition comes first.
    assert connection.execute(f"SELECT i FROM review WHERE {condition} AND i % 100 = 7").fetchall() == [
        (7,), (107,), (207,), (307,)
    ]  # fmt: skip
    assert service.count() == 4
    # An estimate counts each request once, and sends none.
    (found,) = quackllm.estimate(connection, f"SELECT count(*) FROM review WHERE {condition}")
    assert (found.calls, found.known, found.to_ask, service.count()) == (400, 4, 396, 4)
    # A LIMIT stops early: the first batch has twice as many rows as are wanted, of which row 7 is known.
    first = f"SELECT i FROM review WHERE {condition} ORDER BY i LIMIT 5"
    assert connection.execute(first).fetchall() == [(i,) for i in range(5)]
    assert service.count() == 13
    # A budget stops, and the next run sends the rest.
    some = f"SELECT count(*) FROM review WHERE {condition} AND i BETWEEN 20 AND 29"
    connection.execute("SET VARIABLE llm_max_calls = 3")
    with pytest.raises(BudgetError):
        connection.execute(some).fetchall()
    assert service.count() == 16
    connection.execute("RESET VARIABLE llm_max_calls")
    assert connection.execute(some).fetchall() == [(10,)]
    # What was answered is never sent again.
    connection.execute(first).fetchall()
    assert service.count() == 23


def test_equal_requests_are_one_call(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SELECT ai_filter('the same', 'is praise') FROM review").fetchall()
    assert service.count() == 1


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


def test_only_rows_that_pass_are_scored_and_a_rank_needs_all_of_them(
    connection: quackllm.Connection, service: StandIn
) -> None:
    service.script(
        [
            {"fault": "reply", "text": "0.5", "marker": "how joyful"},
            {"fault": "reply", "text": "yes", "marker": "review 1"},
            {"fault": "reply", "text": "no"},
        ]
    )
    passing = "FROM review WHERE i < 20 AND ai_filter(body, 'is praise')"
    best = connection.execute(f"SELECT i {passing} ORDER BY ai_score(body, 'how joyful') DESC, i LIMIT 3").fetchall()
    assert best == [(1,), (10,), (11,)]
    assert service.count() == 20 + 11
    ranked = f"SELECT i {passing} QUALIFY row_number() OVER (ORDER BY ai_score(body, 'how joyful') DESC, i) <= 3"
    assert connection.execute(ranked).fetchall() == best
    assert service.count() == 20 + 11
