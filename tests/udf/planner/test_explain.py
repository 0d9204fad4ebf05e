"""`ai_explain`: each call of a statement, in which order, how many, at what cost; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from quackllm.udf.connection import planned_requests

import quackllm
from standin.fixtures import StandIn

STATEMENT = (
    "SELECT i, ai_score(body, 'joy') AS joy FROM review "
    "WHERE ai_filter(body, 'is praise') AND i < 10 AND ai_filter(body, 'is about soup') ORDER BY joy"
)


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    with quackllm.connect() as connection:
        connection.execute("CREATE TABLE review AS SELECT i, 'soup ' || i AS body FROM range(40) t (i)")
        yield connection


def test_the_steps_are_those_in_which_the_calls_are_sent(connection: quackllm.Connection, service: StandIn) -> None:
    explained = f"SELECT step, function, call, model, calls, to_ask, selectivity FROM ai_explain($${STATEMENT}$$)"
    assert connection.execute(explained).fetchall() == [
        (1, "ai_filter", "ai_filter(body, 'is praise')", "judge", 10, 10, None),
        (2, "ai_filter", "ai_filter(body, 'is about soup')", "judge", 10, 10, None),
        (3, "ai_score", "ai_score(body, 'joy')", "judge", 10, 10, None),
    ]
    assert service.count() == 0
    service.script([{"fault": "reply", "text": "yes", "marker": "soup 1"}, {"fault": "reply", "text": "no"}])
    connection.execute("SELECT count(*) FROM review WHERE i < 4 AND ai_filter(body, 'is praise')").fetchall()
    sent = service.count()
    (first, *_) = connection.execute(explained.replace("$$", "$x$")).fetchall()
    assert first == (1, "ai_filter", "ai_filter(body, 'is praise')", "judge", 10, 6, 0.25)
    assert service.count() == sent == 4


def test_calls_of_the_same_step_do_not_wait_for_each_other(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("CREATE VIEW praised AS SELECT *, ai_filter(body, 'is praise') AS praise FROM review")
    rows = connection.execute(
        "SELECT step, function, calls FROM ai_explain('SELECT ai_value(body, ''DATE''), ai_embed(body) FROM review')"
    ).fetchall()
    assert rows == [(1, "ai_value", 40), (1, "ai_embed", 40)]
    rows = connection.execute(
        "SELECT step, function, calls FROM ai_explain('SELECT praise, ai_score(body, ''x'') FROM praised')"
    )
    assert {row[1:] for row in rows.fetchall()} >= {("ai_score", 40)}
    assert service.count() == 0


def test_a_stated_accuracy_is_shown_and_may_save_calls(connection: quackllm.Connection, service: StandIn) -> None:
    stated = "SELECT accuracy, recall, confidence, to_ask, at_most FROM ai_explain($$SELECT {} FROM review$$)"
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    calls = "ai_classify(body, ['a', 'b']), ai_filter(body, 'is praise', recall := 0.8, confidence := 0.99), "
    assert connection.execute(stated.format(calls + "ai_score(body, 'joy')")).fetchall() == [
        (0.9, None, 0.95, 40, True),
        (None, 0.8, 0.99, 40, True),
        (None, None, None, 40, False),
    ]
    assert service.count() == 0


def test_the_prompts_are_shown_whole(connection: quackllm.Connection, service: StandIn) -> None:
    planned = planned_requests(connection, STATEMENT, most=2)
    assert service.count() == 0
    assert [(one.request.function, one.is_cached) for one in planned] == [
        ("ai_filter", False),
        ("ai_filter", False),
        ("ai_filter", False),
        ("ai_filter", False),
        ("ai_score", False),
        ("ai_score", False),
    ]
    service.script([{"fault": "reply", "text": "yes"}])
    connection.execute("SELECT ai_filter(body, 'is praise') FROM review WHERE i = 0").fetchall()
    (request,) = service.requests()
    sent = [(message["role"], message["content"]) for message in request["body"]["messages"]]
    assert sent == [(message.role, message.content) for message in planned[0].request.messages]
    (function, prompt, messages) = (
        connection.execute("SELECT function, prompt, messages FROM llm_calls()").fetchone() or ()
    )
    assert (function, prompt) == ("ai_filter", "soup 0")
    assert [(message["role"], message["content"]) for message in messages] == sent


def test_the_calls_of_every_function_say_whose_they_are(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": '{"ranking": [2, 1]}'}])
    calls = {
        "ai_agg": "ai_summarize(body)",
        "ai_top": "ai_best(list(body), 'joy')",
        "ai_embed": "list(ai_similarity(body, 'x'))",
    }
    for function, call in calls.items():
        sql = f"SELECT {call} FROM review WHERE i < 2"
        assert {one.request.function for one in planned_requests(connection, sql, most=9)} == {function}
        connection.execute(sql).fetchall()
        assert connection.execute("SELECT function FROM llm_calls(max_calls := 1)").fetchone() == (function,)


def test_a_long_prompt_is_recorded_whole(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SELECT ai_complete(repeat('long ', 1000))").fetchall()
    assert connection.execute("SELECT length(prompt), function FROM llm_calls()").fetchone() == (5000, "ai_complete")


@pytest.mark.parametrize(
    ("rows", "is_hinted"),
    [
        ("SELECT i, ai_score(body, 'joy') AS joy FROM review ORDER BY joy DESC LIMIT 3", True),
        ("SELECT i, ai_score(body, 'joy') FROM review ORDER BY 2 DESC LIMIT 3", True),
        ("SELECT i FROM review WHERE i < 9 ORDER BY ai_score(body, 'joy') DESC LIMIT 3", True),
        ("SELECT i FROM review QUALIFY rank() OVER (ORDER BY ai_score(body, 'joy') DESC) <= 3", True),
        ("SELECT i FROM review ORDER BY ai_score(body, 'joy')", False),
        ("SELECT i, ai_score(body, 'joy') FROM review ORDER BY i LIMIT 3", False),
        ("SELECT i FROM review WHERE ai_score(body, 'joy') > 0.5 ORDER BY i LIMIT 3", False),
    ],
)
def test_a_ranking_by_scores_is_told_what_needs_fewer_calls(
    rows: str, is_hinted: bool, connection: quackllm.Connection
) -> None:
    ((hint,),) = connection.execute(f"SELECT hint FROM ai_explain($${rows}$$)").fetchall()
    assert (hint is not None and "ai_top(list(input), k, criteria)" in hint) is is_hinted


def test_what_cannot_be_explained_is_an_error(connection: quackllm.Connection) -> None:
    with pytest.raises(duckdb.ParserException, match="nonsense"):
        connection.execute("FROM ai_explain('nonsense')")
    with pytest.raises(quackllm.QuackLLMError, match="it calls no model"):
        connection.execute("FROM ai_explain('SELECT 1')")
    with pytest.raises(quackllm.QuackLLMError, match="ai_explain takes one constant text"):
        connection.execute("SELECT * FROM ai_explain((SELECT 'SELECT 1'))")


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("'The soup was cold.'", 5), ("'汤是凉的，服务员态度很差。'", 10), ("NULL", None), ("''", 0), ("1234", 1)],
)
def test_tokens_are_counted_about(text: str, tokens: int | None, connection: quackllm.Connection) -> None:
    row = connection.execute(f"SELECT ai_count_tokens({text}), typeof(ai_count_tokens({text}))").fetchone()
    assert row == (tokens, "BIGINT")
