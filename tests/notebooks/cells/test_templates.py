"""`{{…}}` in prompts: variables and queries, as text, once."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.notebooks.cells.templates import render_template

import quackllm
from quackllm import QuackLLMError


@pytest.fixture
def connection() -> Iterator[quackllm.Connection]:
    with quackllm.connect() as opened:
        opened.execute("CREATE TABLE t AS SELECT i, 'row, ' || i AS text FROM range(3) r(i); CREATE SEQUENCE s")
        yield opened


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{name}} and {{ number }}", "Ann and 3"),
        ("{{SELECT count(*) FROM t}}", "3"),
        ("{{FROM t LIMIT 2;}}", 'i,text\n0,"row, 0"\n1,"row, 1"'),
        ("{{select 1 -- one\n}}", "1"),
        ("{{SELECT NULL}}", ""),
        ("{{listed}} {{answer}}", '["a", "é"] Hi.'),
        ("{{frame}}", "a\n1\n2"),
        ("{{nested}}", "{{name}} {{SELECT 1}}"),
        (r"\{{name}} {{ a b }} {{}} {{user.name}} {name} }}", "{{name}} {{ a b }} {{}} {{user.name}} {name} }}"),
    ],
)
def test_what_is_filled_in(connection, text: str, filled: str) -> None:
    variables = {
        "name": "Ann",
        "number": 3,
        "listed": ["a", "é"],
        "answer": quackllm.Response("Hi."),
        "frame": pandas.DataFrame({"a": [1, 2]}),
        "nested": "{{name}} {{SELECT 1}}",
    }
    assert render_template(text, variables, connection) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{nmae}}", "did you mean 'name'?"),
        ("{{xyzzy}}", r"write \{{xyzzy}}"),
        ("{{SELECT 1; SELECT 2}}", "2 statements"),
        ("{{FROM range(1001)}}", "more than 1,000 rows"),
        ("{{SELECT repeat('x', 100001)}}", "100,001 characters"),
        ("{{big}}", "more than 1,000 rows"),
        ("{{WITH gone AS (DELETE FROM t RETURNING *) SELECT * FROM gone}}", "data-modifying"),
        ("{{SELECT 1) UNION ALL (DELETE FROM t}}", "syntax error"),
        ("{{FROM nowhere}}", "nowhere"),
    ],
)
def test_what_is_refused(connection, text: str, message: str) -> None:
    with pytest.raises((QuackLLMError, duckdb.Error)) as refused:
        render_template(text, {"name": "Ann", "big": pandas.DataFrame({"a": range(1001)})}, connection)
    assert message in str(refused.value)
    assert connection.execute("SELECT count(*) FROM t").fetchall() == [(3,)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=st.text())
def test_a_value_is_text_and_nothing_else(connection, value: str) -> None:
    assert render_template("<{{value}}>", {"value": value}, connection) == f"<{value}>"
