"""A budget stops a statement cleanly: never a call too many, what was paid for is kept, and the rest is asked later."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.udf.calls.budget import StatementUsage
from quackllm.udf.calls.prices import Price
from quackllm.udf.settings import StatementOptions
from quackllm.workers.errors import BudgetError, RequestError, SetupError
from quackllm.workers.messages import Response, Usage

import quackllm
from standin.fixtures import StandIn

ROUNDS = count()


@pytest.fixture
def connection(service: StandIn) -> quackllm.Connection:
    quackllm.deploy("chat", "openai", worker_concurrency=8, infer_params=service.openai_params())
    return quackllm.connect()


def kept(connection: quackllm.Connection) -> int:
    """Return how many calls are in the call store."""
    ((calls,),) = connection.execute("SELECT coalesce(sum(calls), 0) FROM llm_usage()").fetchall()
    return int(calls)


@pytest.fixture
def rows(connection: quackllm.Connection) -> str:
    connection.execute("CREATE TABLE asked AS SELECT 'row ' || i AS p FROM range(100) t(i)")
    return "SELECT llm_result(chat(p)) FROM asked"


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.integers(1, 6000), distinct=st.integers(1, 40), budget=st.integers(0, 50), prefetch=st.booleans())
def test_no_call_too_many_and_the_second_run_asks_the_rest(
    connection, service: StandIn, rows: int, distinct: int, budget: int, prefetch: bool
):
    service.reset()
    name = next(ROUNDS)
    wanted = min(rows, distinct)
    statement = f"SELECT llm_result(chat('{name}: ' || (i % {distinct}))) FROM range({rows}) t(i)"
    connection.execute(f"SET VARIABLE llm_prefetch = '{'on' if prefetch else 'off'}'")
    connection.execute(f"SET VARIABLE llm_max_calls = {budget}")
    if budget < wanted:
        with pytest.raises(BudgetError) as caught:
            connection.execute(statement).fetchall()
        assert (caught.value.variable, caught.value.limit, caught.value.spent) == ("llm_max_calls", budget, budget)
    else:
        assert len(connection.execute(statement).fetchall()) == rows
    assert service.count() == min(budget, wanted)
    connection.execute(f"SET VARIABLE llm_max_calls = {max(1, wanted - budget)}")
    assert len(connection.execute(statement).fetchall()) == rows
    assert service.count() == len(set(service.prompts())) == wanted, "the second run asked the rest and nothing twice"


def test_the_error_says_what_to_type(connection, rows: str):
    connection.execute("SET VARIABLE llm_max_calls = 10")
    with pytest.raises(BudgetError, match="llm_max_calls = 10: it spent 10 calls") as caught:
        connection.execute(rows).fetchall()
    assert "SET VARIABLE llm_max_calls = 20" in caught.value.hint
    connection.execute("RESET VARIABLE llm_max_calls")
    assert len(connection.execute(rows).fetchall()) == 100


@pytest.mark.parametrize(
    "ask",
    [
        "connection.execute(rows).fetchall()",
        "connection.sql(rows).fetchall()",
        "connection.execute('CREATE TABLE answers AS ' + rows)",
        "connection.execute('CREATE VIEW unnamed AS ' + rows).execute('FROM unnamed').fetchall()",
        "connection.execute('SET VARIABLE llm_max_calls = 20;' + rows).fetchall()",
        "connection.execute('PREPARE named AS ' + rows).execute('EXECUTE named').fetchall()",
    ],
)
def test_it_holds_however_the_statement_is_run(connection, service: StandIn, rows: str, ask: str):
    connection.execute("SET VARIABLE llm_max_calls = 20")
    with pytest.raises(BudgetError):
        eval(ask)
    assert service.count() == kept(connection) == 20


def test_what_was_paid_for_is_kept_though_the_program_ends_with_the_error(connection, service: StandIn):
    service.script([{"fault": "slow", "seconds": 0.3}])
    program = """
import quackllm
connection = quackllm.connect()
connection.execute("SET VARIABLE llm_max_calls = 30")
connection.execute("SELECT llm_result(chat('row ' || i)) FROM range(5000) t(i)").fetchall()
"""
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=os.environ.copy())
    assert told.returncode == 1
    assert "BudgetError" in told.stderr
    assert service.count() == kept(connection) == 30


def test_tokens_overshoot_by_no_more_than_what_was_under_way(connection, service: StandIn, rows: str):
    service.script([{"fault": "slow", "seconds": 0.02}])
    connection.execute("SET VARIABLE llm_max_tokens = 100")
    with pytest.raises(BudgetError, match="tokens") as caught:
        connection.execute(rows).fetchall()
    ((tokens,),) = connection.execute("SELECT sum(input_tokens + output_tokens) FROM llm_usage()").fetchall()
    each = tokens / service.count()
    assert caught.value.spent == tokens
    under_way = 8 * 1.25 + 1  # And as many again that land meanwhile.
    assert 100 <= tokens <= 100 + 2 * under_way * each
    assert kept(connection) == service.count()


def test_money_is_counted_by_the_users_prices(connection, service: StandIn, rows: str, home: Path):
    connection.execute("SET VARIABLE llm_max_money = 0.5")
    with pytest.raises(SetupError, match="there is no price for chat") as caught:
        connection.execute(rows).fetchall()
    assert "prices.yaml" in caught.value.hint
    assert service.count() == 0
    (home / "prices.yaml").write_text("chat: {input: 1000, output: 2000}")
    with pytest.raises(BudgetError, match=r"llm_max_money = 0\.5"):
        connection.execute(rows).fetchall()
    ((money,),) = connection.execute("SELECT sum(money) FROM llm_usage()").fetchall()
    assert 0.5 <= money < 1.0
    assert kept(connection) == service.count() < 100


def test_the_built_in_model_costs_nothing(connection):
    connection.execute("SET VARIABLE llm_max_money = 0.5; CREATE TABLE singer (name VARCHAR)")
    quackllm.undeploy("chat")
    assert connection.execute("FROM ask('How many singers are there?')").fetchall() == [(0,)]


def test_what_another_statement_pays_for_costs_this_one_nothing(connection, service: StandIn, rows: str):
    service.script([{"fault": "slow", "seconds": 0.1}])
    other = connection.cursor()
    first = threading.Thread(target=lambda: connection.execute(rows).fetchall())
    first.start()
    while service.count() < 8:
        pass
    other.execute("SET VARIABLE llm_max_calls = 0")
    assert len(other.execute("SELECT llm_result(chat(p)) FROM asked LIMIT 5").fetchall()) == 5
    first.join()
    assert service.count() == 100


def test_a_statement_without_budget_gets_what_one_with_a_budget_leaves(connection, service: StandIn, rows: str):
    service.script([{"fault": "slow", "seconds": 0.1}])
    free, refused = connection.cursor(), []

    def ask_little() -> None:
        connection.execute("SET VARIABLE llm_max_calls = 24")
        try:
            connection.execute(rows).fetchall()
        except BudgetError as error:  # Not where the other pays for all the rest.
            refused.append(error.spent)

    first = threading.Thread(target=ask_little)
    first.start()
    while service.count() < 8:
        pass
    assert len(free.execute(rows).fetchall()) == 100
    first.join()
    assert refused in ([], [24])
    assert service.count() == 100


def test_text_to_sql_keeps_to_the_budget(connection, service: StandIn):
    connection.execute("SET VARIABLE llm_max_calls = 3; CREATE TABLE singer (name VARCHAR)")
    with pytest.raises(BudgetError):
        connection.execute("SELECT text2sql('question ' || i) FROM range(50) t(i)").fetchall()
    assert service.count() == kept(connection) == 3


def test_embeddings_are_calls_too(connection, service: StandIn):
    connection.execute("SET VARIABLE llm_max_calls = 10")
    with pytest.raises(BudgetError):
        connection.execute("SELECT llm_embed('chat', 'text ' || i) FROM range(50) t(i)").fetchall()
    assert kept(connection) == 10


def test_a_budget_for_all_connections_is_in_the_settings(service: StandIn, home: Path, connection, rows: str):
    (home / "settings.yaml").write_text("llm_max_calls: 5")
    with pytest.raises(BudgetError):
        connection.execute(rows).fetchall()
    assert service.count() == 5
    connection.execute("SET VARIABLE llm_max_calls = 7")
    with pytest.raises(BudgetError):
        connection.execute(rows).fetchall()
    assert service.count() == 12, "the variable goes before the settings"


def test_with_the_store_off_the_budget_holds_and_nothing_is_kept(connection, service: StandIn, rows: str):
    connection.execute("SET VARIABLE llm_store = 'off'; SET VARIABLE llm_max_calls = 5")
    with pytest.raises(BudgetError):
        connection.execute(rows).fetchall()
    assert (service.count(), kept(connection)) == (5, 0)


def test_a_mistyped_budget_is_no_budget_and_therefore_an_error(connection, service: StandIn, rows: str):
    connection.execute("SET VARIABLE llm_max_call = 5")
    with pytest.raises(RequestError, match="llm_max_call") as caught:
        connection.execute(rows).fetchall()
    assert "SET VARIABLE llm_max_calls" in caught.value.hint
    assert service.count() == 0


@given(
    answers=st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999), st.booleans())),
    price=st.none() | st.builds(Price, input=st.floats(0, 100), output=st.floats(0, 100)),
)
def test_nothing_that_came_back_goes_uncounted(answers: list[tuple[int, int, bool]], price: Price | None):
    spent = StatementUsage()
    for read, written, whole in answers:
        spent.add(Response(None, finish_reason="stop" if whole else "length", usage=Usage(read, written)), price)
    assert spent.answered + spent.failed == spent.done == len(answers)
    assert spent.input_tokens + spent.output_tokens == sum(read + written for read, written, _ in answers)
    assert (spent.money is None) == (price is None or not answers)
    assert spent.budget_error(StatementOptions()) is None
    assert spent.budget_error(StatementOptions(llm_max_tokens=spent.input_tokens + spent.output_tokens)) is not None
    assert spent.budget_error(StatementOptions(llm_max_tokens=spent.input_tokens + spent.output_tokens + 1)) is None
