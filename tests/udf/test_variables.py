"""The `llm_*` variables: what they say holds, over `settings.yaml`, and a wrong value says what to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.udf.settings import StatementOptions
from quackllm.udf.variables import EXAMPLES, read_statement_options
from quackllm.workers.errors import RequestError, SetupError

import quackllm

VALUES = {
    "llm_store": st.sampled_from(["on", "off", "refresh"]),
    "llm_prefetch": st.sampled_from(["on", "off", True, False]),
    "llm_progress": st.sampled_from(["auto", "on", "off", True, False]),
    "llm_max_calls": st.integers(0, 2**62),
    "llm_max_tokens": st.integers(0, 2**62),
    "llm_max_money": st.floats(0, 1e6) | st.integers(0, 1000),
}


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.fixed_dictionaries({}, optional=VALUES))
def test_a_variable_holds_where_it_is_set_and_the_default_elsewhere(values: dict[str, Any]):
    with duckdb.connect() as connection:
        for name, value in values.items():
            connection.execute(f"SET VARIABLE {name} = $value", {"value": value})
        wishes = read_statement_options(connection)
    spelled = {name: {True: "on", False: "off"}.get(v, v) if isinstance(v, bool) else v for name, v in values.items()}
    assert wishes == StatementOptions(**spelled)


def test_settings_hold_for_every_connection_and_a_variable_for_its_own(home: Path):
    # YAML reads `off` as false.
    (home / "settings.yaml").write_text("llm_progress: off\nllm_max_calls: 5\nllm_max_money: 0.5")
    one, other = duckdb.connect(), duckdb.connect()
    one.execute("SET VARIABLE llm_max_calls = 7")
    assert read_statement_options(one) == StatementOptions(llm_progress="off", llm_max_calls=7, llm_max_money=0.5)
    assert read_statement_options(other) == StatementOptions(llm_progress="off", llm_max_calls=5, llm_max_money=0.5)
    one.execute("RESET VARIABLE llm_max_calls")
    assert read_statement_options(one) == read_statement_options(other)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("llm_store", "'of'"),
        ("llm_prefetch", "'auto'"),
        ("llm_progress", "1"),
        ("llm_max_calls", "-1"),
        ("llm_max_calls", "'many'"),
        ("llm_max_tokens", "0.5"),
        ("llm_max_money", "'free'"),
    ],
)
def test_a_wrong_value_says_what_to_type(name: str, value: str):
    connection = duckdb.connect()
    connection.execute(f"SET VARIABLE {name} = {value}")
    with pytest.raises(RequestError, match=name) as caught:
        read_statement_options(connection)
    assert f"SET VARIABLE {name} = {EXAMPLES[name]}" in caught.value.hint


def test_variables_of_the_users_own_are_left_alone():
    connection = duckdb.connect()
    connection.execute("SET VARIABLE llm_question = 'how many?'; SET VARIABLE lllm_max_calls = 3")
    assert read_statement_options(connection) == StatementOptions()


@pytest.mark.parametrize("name", ["llm_max_call", "llm_max_tokns", "llm_progres"])
def test_a_name_that_is_nearly_ours_is_an_error_that_can_be_undone(name: str):
    quackllm.deploy("chat", "echo")
    connection = quackllm.connect()
    connection.execute(f"SET VARIABLE {name} = 3")
    with pytest.raises(RequestError, match=name) as caught:
        connection.execute("SELECT chat('x')").fetchall()
    connection.execute(caught.value.hint.removeprefix("type: ").partition(";")[0])
    assert len(connection.execute("SELECT chat('x')").fetchall()) == 1


def test_variables_set_before_the_connection_was_ours_count():
    quackllm.deploy("chat", "echo")
    connection = duckdb.connect()
    connection.execute("SET VARIABLE llm_max_calls = 0")
    with pytest.raises(quackllm.QuackLLMError, match="llm_max_calls"):
        quackllm.register(connection).execute("SELECT chat('x')").fetchall()


def test_settings_that_cannot_be_read_stop_what_asks_and_nothing_else(home: Path):
    quackllm.deploy("chat", "echo")
    (home / "settings.yaml").write_text("llm_max_calls: many")
    connection = quackllm.connect()
    assert connection.execute("SELECT 42").fetchall() == [(42,)]
    with pytest.raises(SetupError, match="llm_max_calls"):
        connection.execute("SELECT chat('x')").fetchall()


def test_every_variable_has_an_example_that_can_be_typed():
    assert EXAMPLES.keys() == StatementOptions.model_fields.keys()
    connection = duckdb.connect()
    for name, example in EXAMPLES.items():
        connection.execute(f"SET VARIABLE {name} = {example.partition('   ')[0]}")
    read_statement_options(connection)
