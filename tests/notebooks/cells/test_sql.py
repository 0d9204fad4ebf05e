"""`%sql` on the notebook's connection: results, DataFrames, and what is known to be more than a table."""

from __future__ import annotations

import re
from html import escape

import duckdb
import pandas
import pytest

import quackllm
from support.duckdb_values import SELECT_ALL, SELECT_TEXTS, ZONE

SEPARATOR = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
"""Between the thousands of an amount: all that a table adds to a value."""


def test_a_script_runs_and_its_last_result_is_shown(notebook) -> None:
    ran = notebook.run_ok("%%sql\nCREATE TABLE t AS SELECT i, '<b>' || i AS text FROM range(3) r(i);\nFROM t; -- done")
    assert "&lt;b&gt;2" in ran.html
    assert "3 rows" in ran.html
    assert "<b>2" in ran.text
    assert ran.value.arrow.num_rows == len(ran.value) == 3
    assert notebook.names["connection"].execute("SELECT sum(i) FROM t").fetchone() == (3,)
    assert notebook.run_ok("%sql CREATE TABLE nothing (i INTEGER)").value is None


def test_a_result_is_a_value_in_python_and_a_dataframe_where_one_is_wanted(notebook) -> None:
    notebook.run_ok("rows = %sql SELECT 1 AS a, NULL AS b")
    assert list(notebook.names["rows"].df().columns) == ["a", "b"]
    ran = notebook.run_ok("%%sql --output df\nSELECT * FROM range(5) t(n)")
    assert isinstance(notebook.names["df"], pandas.DataFrame)
    assert ran.printed == "df: 5 rows, 1 columns\n"
    assert notebook.run_ok("%sql SELECT sum(n) AS s FROM df").value.arrow.to_pydict() == {"s": [10]}
    assert notebook.run_ok("%sql SELECT sum(b) AS s FROM rows").success


def test_every_value_is_shown_as_duckdb_writes_it(notebook) -> None:
    notebook.run_ok(f"%sql {ZONE}")
    ran = notebook.run_ok(f"%%sql\n{SELECT_ALL}")
    with duckdb.connect() as connection:
        connection.execute(ZONE).complete()
        texts = connection.execute(SELECT_TEXTS).fetchall()[0]
    shown = SEPARATOR.sub("", ran.html)
    for text in texts:
        assert f">{escape(SEPARATOR.sub('', text))}</td>" in shown if text is not None else "NULL" in shown


def test_dates_that_python_has_not_are_shown_without_a_chart(notebook) -> None:
    ran = notebook.run_ok("%sql SELECT unnest([DATE 'infinity', DATE '0044-03-15 (BC)']) AS day, 1 AS n")
    assert "infinity" in ran.html
    assert "0044-03-15 (BC)" in ran.html
    filled = notebook.run_ok("%%chat --model echo\n{{SELECT [INTERVAL 1 MONTH, NULL]}} and {{SELECT TIME '24:00:00'}}")
    assert "[1 month, NULL] and 24:00:00" in filled.text


def test_many_rows_are_counted_and_some_shown(notebook) -> None:
    ran = notebook.run_ok("%sql SELECT i, repeat('x', 5000) AS long FROM range(1000) t(i)")
    assert "1,000 rows, the first 50 of them" in ran.html
    assert ran.html.count("<tr>") == 51
    assert len(ran.html) < 200_000


@pytest.mark.usefixtures("chat_model")
def test_failed_rows_are_told_with_the_result_and_responses_are_readable(notebook, service) -> None:
    service.script([{"fault": "bad_request", "marker": "poison"}])
    cell = "%sql SELECT llm_chat(food) AS response FROM (VALUES ('rice & beans'), ('poison')) t(food)"
    ran = notebook.run_ok(cell)
    assert "1 request got no complete answer: 1 × invalid_value" in ran.text
    assert "1 request got no complete answer" in ran.html
    assert "answer to: rice &amp; beans" in ran.html
    assert "The request cannot be read." in ran.html
    assert "finish_reason" not in ran.html.replace("FROM", "")


@pytest.mark.usefixtures("both_models")
def test_models_and_usage_look_like_what_they_are(notebook) -> None:
    notebook.run_ok("%sql SELECT llm_chat('kimi_chat', 'hello'), llm_chat('qianwen_chat', 'hello you')")
    assert "qianwen_chat" in notebook.run_ok("%sql FROM llm_models()").html
    usage = notebook.run_ok("%sql FROM llm_usage()")
    assert 'class="quackllm-chart"' in usage.html
    assert "<table" in usage.html
    assert "output tokens" in usage.html


@pytest.mark.usefixtures("chat_model")
def test_the_planner_shows_how_far_it_is(notebook, service) -> None:
    service.script([{"fault": "slow", "seconds": 0.8}])
    notebook.run_ok("%sql SET VARIABLE llm_progress = 'on'")
    ran = notebook.run_ok("%sql SELECT count(llm_chat('row ' || i)) AS n FROM range(20) t(i)")
    assert "made 20 calls" in ran.text
    assert ran.value.arrow.to_pydict() == {"n": [20]}


def test_the_notebooks_connection_is_its_variable(notebook, tmp_path) -> None:
    notebook.run_ok("%sql CREATE TABLE here AS SELECT 1")
    opened = notebook.names["connection"]
    assert opened.execute("FROM here").fetchall() == [(1,)]
    notebook.names["connection"] = quackllm.connect()
    notebook.run_ok("%sql CREATE TABLE there AS SELECT 2")
    assert notebook.names["connection"].execute("FROM there").fetchall() == [(2,)]
    opened.close()
    notebook.names["another"] = quackllm.connect()
    assert notebook.run_ok("%sql FROM there").success, "what was chosen stays"
    notebook.run_ok("%quackllm --connection another")
    assert "there" in notebook.panel("%sql FROM there")
    notebook.names.pop("another").close()
    notebook.run_ok("%sql FROM there")


def test_of_several_connections_one_must_be_chosen(notebook) -> None:
    notebook.names["one"], notebook.names["two"] = quackllm.connect(), quackllm.connect()
    panel = notebook.panel("%sql SELECT 1")
    assert "there are several connections: one, two" in panel
    assert "%quackllm --connection one" in panel


def test_a_name_that_is_taken_is_left_alone(notebook) -> None:
    notebook.names["connection"] = "mine"
    notebook.run_ok("%sql SELECT 1")
    assert notebook.names["connection"] == "mine"
    assert isinstance(notebook.names["quackllm_connection"], quackllm.Connection)


@pytest.mark.usefixtures("both_models")
def test_quackllm_says_what_there_is_and_changes_the_default_model(notebook, tmp_path) -> None:
    assert "in memory" in notebook.run_ok("%quackllm").text
    notebook.run_ok("%sql CREATE TABLE kept AS SELECT 1")
    ran = notebook.run_ok("%quackllm --model kimi_chat")
    assert "default model: kimi_chat" in ran.text
    assert "qianwen_chat" in ran.html
    notebook.run_ok("%sql SELECT llm_chat('hello') FROM kept")
    path = tmp_path / "shop.duckdb"
    assert str(path) in notebook.run_ok(f"%quackllm {path} --model qianwen_chat").text
    notebook.run_ok("%chat --output q1 hello")
    assert notebook.names["q1"].model == "qianwen_chat"
