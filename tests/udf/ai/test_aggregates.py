"""`ai_agg`: no text is left out, a changed row asks few calls again, and a part that fails makes the answer NULL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from quackllm.udf.ai import aggregation_tree

import quackllm
from standin.fixtures import StandIn
from standin.standin_answers import answer_to

ROWS = 10_000
TEXT = "'[0-99] How good is it? ‹dish ' || i || '›'"


def expected_calls(texts: list[str]) -> int:
    """How many calls the tree of these texts has, where the stand-in answers."""
    limit = 4000 * aggregation_tree.BYTES_PER_TOKEN
    parts = aggregation_tree.cut(aggregation_tree.pieces(sorted(texts), limit), limit)
    calls = len(parts)
    while len(parts) > 1:
        answers = [answer_to([{"role": "user", "content": aggregation_tree.written(part)}]).strip() for part in parts]
        parts = aggregation_tree.cut(answers, limit, least=2)
        assert all(len(part) > 1 for part in parts)
        calls += len(parts)
    return calls


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        yield connection


def test_every_text_is_read_and_a_changed_row_asks_few_calls(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute(f"CREATE TABLE review AS SELECT i, {TEXT} AS body FROM range({ROWS}) t (i)")
    statement = "SELECT ai_agg(body, 'How good is the food?') FROM review"
    (answer,) = connection.execute(statement).fetchone() or ()
    assert answer
    first = service.prompts()
    read = sorted(text for prompt in first for text in json.loads(prompt) if "dish" in text)
    assert read == sorted(f"[0-99] How good is it? ‹dish {i}›" for i in range(ROWS))
    assert len(first) == len(set(first)) == expected_calls(read) > 30
    connection.execute("UPDATE review SET body = replace(body, '›', ' today›') WHERE i = 4321")
    connection.execute(statement).fetchall()
    assert 2 <= service.count() - len(first) <= 6


def test_it_is_an_aggregate_a_window_and_a_function_of_lists(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "mixed"}])
    connection.execute("CREATE TABLE review AS SELECT i % 3 AS shop, 'dish ' || i AS body FROM range(30) t (i)")
    grouped = connection.execute("SELECT shop, ai_agg(body, 'In a word?') FROM review GROUP BY ALL ORDER BY ALL")
    assert grouped.fetchall() == [(shop, "mixed") for shop in range(3)]
    assert service.count() == 3
    window = connection.execute("SELECT ai_agg(body, 'In a word?') OVER (PARTITION BY shop) FROM review")
    assert window.fetchall() == [("mixed",)] * 30
    assert service.count() == 3
    connection.execute(
        "SELECT ai_agg_list(list(body ORDER BY body DESC) FILTER (shop = 1), 'In a word?') FROM review"
    ).fetchall()
    assert json.loads(service.prompts()[-1])[0] == "dish 7"
    connection.execute("SELECT ai_agg_list(list(DISTINCT shop::VARCHAR), 'In a word?') FROM review").fetchall()
    assert sorted(json.loads(service.prompts()[-1])) == ["0", "1", "2"]
    assert connection.execute("SELECT ai_summarize(body) FROM review WHERE shop > 7").fetchone() == (None,)
    assert connection.execute("SELECT typeof(ai_summarize(body)) FROM review").fetchone() == ("VARCHAR",)


@pytest.mark.filterwarnings("ignore:1 request got no complete answer")
def test_a_part_that_fails_makes_the_answer_null(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "bad_request", "marker": "poison"}, {"fault": "reply", "text": "fine"}])
    connection.execute("CREATE TABLE review AS SELECT 'dish ' || i AS body FROM range(30) t (i)")
    connection.execute("INSERT INTO review VALUES ('poison')")
    (detail,) = (
        connection.execute("SELECT ai_agg_detail(body, 'In a word?', part_tokens := 20) FROM review").fetchone() or ()
    )
    assert detail["value"] is None
    assert detail["error"]["message"].startswith("1 of ")


@pytest.mark.parametrize("limit", [1, 7, 40, 1000])
def test_nothing_is_lost_and_each_level_is_shorter(limit: int) -> None:
    texts = ["", "短文" * 30, "a", *(f"text {number}" * (number % 9) for number in range(200))]
    assert "".join(aggregation_tree.pieces(texts, limit)) == "".join(texts)
    assert [text for part in aggregation_tree.cut(texts, limit) for text in part] == texts
    parts = aggregation_tree.cut(texts, limit, least=2)
    assert [text for part in parts for text in part] == texts
    assert len(parts) <= len(texts) // 2 + 1


def test_a_part_is_not_longer_than_was_meant() -> None:
    parts = aggregation_tree.cut(
        aggregation_tree.pieces(["x" * 5000, *(f"text {number}" for number in range(999))], 400), 400
    )
    assert max(sum(map(aggregation_tree.size, part)) for part in parts) <= 404
