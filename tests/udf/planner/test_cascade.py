"""A stated accuracy in SQL: a helper or a proxy answers where it is sure, and nothing changes where none is stated."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from quackllm.workers.errors import BudgetError, QuackLLMError, RequestError, UnknownModelError

import quackllm
from standin.fixtures import StandIn

ROWS = 600
FILTER = "SELECT count(*) FROM review WHERE ai_filter(body, 'is praise')"
TRUTH = [{"fault": "reply", "text": "yes", "marker": "wonderful"}, {"fault": "reply", "text": "no"}]


@pytest.fixture
def connection(service: StandIn) -> Iterator[quackllm.Connection]:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    service.script(TRUTH)
    with quackllm.connect(model="judge") as connection:
        connection.execute(
            "CREATE TABLE review AS SELECT i, CASE WHEN i % 2 = 0 THEN 'What a wonderful evening, we loved meal ' "
            f"ELSE 'A terrible place, we hated meal ' END || i AS body FROM range({ROWS}) t (i)"
        )
        yield connection


def test_without_a_stated_accuracy_the_model_answers_every_row(
    connection: quackllm.Connection, service: StandIn
) -> None:
    connection.execute("SET VARIABLE llm_helper = 'judge'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert service.count() == ROWS


def test_a_proxy_answers_most_rows_and_the_next_run_asks_nothing(
    connection: quackllm.Connection, service: StandIn
) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    found = connection.execute(FILTER).fetchall()
    assert abs(found[0][0] - ROWS // 2) <= ROWS * 0.1
    asked = service.count()
    assert asked < ROWS / 3
    ((inputs, by_model, by_proxy, sampled, accuracy),) = connection.execute(
        "SELECT inputs, by_model, by_proxy, sampled, estimated_accuracy FROM ai_accuracy()"
    ).fetchall()
    assert (inputs, by_model + by_proxy, by_model) == (ROWS, ROWS, asked)
    assert 0 < sampled < asked
    assert accuracy >= 0.9
    assert connection.execute(FILTER).fetchall() == found
    assert service.count() == asked


def test_the_detail_says_who_answered(connection: quackllm.Connection) -> None:
    rows = connection.execute(
        "SELECT d.value, i % 2 = 0, d.by, d.probability FROM "
        "(SELECT i, ai_filter_detail(body, 'is praise', accuracy := 0.9) AS d FROM review)"
    ).fetchall()
    assert {by for _, _, by, _ in rows} >= {"proxy"}
    assert sum(value == truth for value, truth, _, _ in rows) >= 0.9 * ROWS
    assert all(value == truth for value, truth, by, _ in rows if by != "proxy")
    assert all(0.5 <= sure <= 1 for _, _, by, sure in rows if by == "proxy")


def test_a_helper_answers_where_it_agrees(connection: quackllm.Connection, service: StandIn) -> None:
    quackllm.deploy("small", "openai", infer_params=service.openai_params(saas__model="small"))
    rows = connection.execute(
        "SELECT i % 2 = 0, d.value, d.by FROM "
        "(SELECT i, ai_filter_detail(body, 'is praise', accuracy := 0.9, helper := 'small') AS d FROM review)"
    ).fetchall()
    assert sum(value == truth for truth, value, _ in rows) >= 0.9 * ROWS
    assert sum(by == "helper" for _, _, by in rows) > ROWS / 2
    models = [request["body"]["model"] for request in service.requests()]
    assert models.count("standin") < ROWS / 3


def test_a_useless_helper_costs_its_pilot(connection: quackllm.Connection, service: StandIn) -> None:
    quackllm.deploy("small", "echo")
    connection.execute("SET VARIABLE llm_accuracy = 0.95; SET VARIABLE llm_helper = 'small'")
    assert connection.execute(FILTER).fetchall() == [(ROWS // 2,)]
    assert service.count() == ROWS
    assert "agrees too seldom" in str(connection.execute("SELECT reason FROM ai_accuracy()").fetchone())
    ((calls,),) = connection.execute("SELECT calls FROM llm_usage() WHERE model = 'small'").fetchall()
    assert calls <= 120  # Three draws of 40 rows.


def test_recall_loses_few_and_passes_nothing_wrong(connection: quackllm.Connection, service: StandIn) -> None:
    rows = connection.execute(
        "SELECT i FROM review WHERE ai_filter(body, 'is praise', recall := 0.9, confidence := 0.9)"
    ).fetchall()
    assert all(i % 2 == 0 for (i,) in rows)
    assert len(rows) >= 0.9 * ROWS / 2
    assert service.count() < ROWS


def test_classes(connection: quackllm.Connection, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "good", "marker": "wonderful"}, {"fault": "reply", "text": "bad"}])
    rows = connection.execute(
        "SELECT i % 2 = 0, ai_classify(body, ['good', 'bad'], accuracy := 0.9) FROM review"
    ).fetchall()
    assert sum((value == "good") == truth for truth, value in rows) >= 0.9 * ROWS
    assert service.count() < ROWS / 3


def test_a_budget_stops_and_the_next_run_goes_on(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9; SET VARIABLE llm_max_calls = 30")
    with pytest.raises(BudgetError):
        connection.execute(FILTER).fetchall()
    assert service.count() == 30
    connection.execute("RESET VARIABLE llm_max_calls")
    connection.execute(FILTER).fetchall()
    once = service.count()
    assert once < ROWS / 3
    connection.execute(FILTER).fetchall()
    assert service.count() == once


def test_few_rows_are_all_the_models(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    connection.execute(f"{FILTER} AND i < 50").fetchall()
    assert service.count() == 50
    assert connection.execute("SELECT by_model, reason FROM ai_accuracy()").fetchall() == [
        (50, "there are fewer than 100 distinct inputs")
    ]


def test_two_conditions_are_two_promises(connection: quackllm.Connection, service: StandIn) -> None:
    connection.execute("SET VARIABLE llm_accuracy = 0.9")
    connection.execute(f"{FILTER} AND ai_filter(body, 'mentions a meal')").fetchall()
    reports = connection.execute("SELECT question, inputs FROM ai_accuracy()").fetchall()
    assert [question for question, _ in reports] == ['"is praise"', '"mentions a meal"']
    assert reports[0][1] == ROWS
    assert reports[1][1] < ROWS


@pytest.mark.parametrize(
    ("statement", "error", "says"),
    [
        ("SELECT ai_filter(body, 'x', accuracy := 0.9, recall := 0.9) FROM review", RequestError, "either an accuracy"),
        ("SELECT ai_filter(body, 'x', accuracy := 95) FROM review", RequestError, "accuracy is 95"),
        ("SELECT ai_filter(body, 'x', accuracy := 0.9, helper := 'smal') FROM review", UnknownModelError, "smal"),
        ("SET VARIABLE llm_recall = 2; SELECT ai_filter(body, 'x') FROM review", RequestError, "llm_recall"),
    ],
)
def test_what_is_wrong_is_said(
    connection: quackllm.Connection, statement: str, error: type[QuackLLMError], says: str
) -> None:
    with pytest.raises(error, match=says):
        connection.execute(statement).fetchall()
