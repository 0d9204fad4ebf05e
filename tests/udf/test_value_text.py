"""Every value leaves as DuckDB itself writes it, and goes to a model as such."""

from __future__ import annotations

import json
import re

import duckdb
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from quackllm.udf.value_text import json_objects, json_rows, plain_arrow, run_query, text_rows, written

import quackllm
from support.duckdb_values import ALL, EXAMPLES, SELECT_ALL, SELECT_JSON, SELECT_TEXTS, VALUES, ZONE, nested


@pytest.fixture
def connection() -> quackllm.Connection:
    connection = quackllm.connect()
    connection.execute(ZONE)
    return connection


def row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[str, ...]:
    return connection.execute(sql).fetchall()[0]


def test_the_table_has_a_value_of_every_type_that_duckdb_has() -> None:
    types = duckdb.connect().execute("SELECT DISTINCT logical_type FROM duckdb_types()").fetchall()
    assert {name for (name,) in types} == set(VALUES)


def test_texts_are_the_casts_to_varchar(connection: quackllm.Connection) -> None:
    table = run_query(connection, SELECT_ALL)
    wanted = row(connection, SELECT_TEXTS)
    assert dict(zip(ALL, text_rows(table)[0], strict=True)) == dict(zip(ALL, wanted, strict=True))


def test_json_is_to_json_with_quotes_around_what_json_has_no_number_for(connection: quackllm.Connection) -> None:
    table = run_query(connection, SELECT_ALL)
    wanted = row(connection, SELECT_JSON)
    for value, cell, said in zip(ALL, json_rows(table)[0], wanted, strict=True):
        json.loads(cell, parse_constant=pytest.fail)
        if "nan'" not in value and "inf'" not in value:
            assert cell == (said or "null"), value


def test_numbers_keep_all_their_digits_and_words_their_quotes(connection: quackllm.Connection) -> None:
    sql = """SELECT 12345678901234567890.12::DECIMAL(38,2) AS a, ['nan', '-inf']::DOUBLE[] AS b,
        'NaN, "Infinity\\' AS a, MAP {'nan'::DOUBLE: 1} AS "s d""x" FROM range(1)"""
    (text,) = json_objects(run_query(connection, sql))
    assert '"a":12345678901234567890.12' in text
    assert list(json.loads(text).values())[1:] == [["NaN", "-Infinity"], 'NaN, "Infinity\\', {"nan": 1}]
    assert list(json.loads(text)) == ["a", "b", "a_1", 's d"x']


@pytest.mark.filterwarnings("ignore::quackllm.udf.session.statement.FailedRowsWarning")
@pytest.mark.parametrize("value", EXAMPLES)
def test_every_value_is_a_prompt(connection: quackllm.Connection, value: str) -> None:
    forms = nested(value)
    texts = ", ".join(f"'echo: ' || ({form})::VARCHAR" for form in forms)
    calls = ", ".join(f"llm_chat('echo', {form}).output" for form in forms)
    wanted, given_back = row(connection, f"SELECT {texts}"), row(connection, f"SELECT {calls}")
    assert tuple(text if text != "echo: " else None for text in wanted) == given_back


def test_prompts_out_of_a_column_are_texts_and_null_is_no_call(connection: quackllm.Connection) -> None:
    connection.execute("CREATE TABLE t AS SELECT i, i::BIT AS b, (i % 2)::BOOLEAN AS o FROM range(3000) r(i)")
    connection.execute("INSERT INTO t VALUES (NULL, NULL, NULL)")
    same = "count(*) FILTER (llm_chat('echo', b).output = 'echo: ' || b::VARCHAR), count(llm_chat('echo', i).output)"
    assert row(connection, f"SELECT {same}, count(DISTINCT llm_chat('echo', o).output) FROM t") == (3000, 3000, 2)


@pytest.mark.parametrize(
    ("given", "prompt"),
    [
        ("llm_param({'instruction': 'a'::ENUM('a')})", "a"),
        ("llm_param({'instruction': '0101'::BIT, 'system': DATE 'infinity'})", "0101"),
        ("{'query': [1, NULL], 'max_tokens': 100::HUGEINT}", "[1, NULL]"),
        ("llm_param(MAP {'instruction': 5})", "5"),
        ("MAP {'prompt': 'x'}", "x"),
        ("MAP {'prompted': 'x'}", "{prompted=x}"),
        ("{'temperature': 1}", "{'temperature': 1}"),
        ("llm_stack(llm_chat('echo', 'before'), 'now'::ENUM('now'))", "now"),
    ],
)
def test_what_llm_param_takes_is_read_and_any_other_struct_is_a_text(
    connection: quackllm.Connection, given: str, prompt: str
) -> None:
    assert row(connection, f"SELECT llm_chat('echo', {given}).output") == (f"echo: {prompt}",)


def test_a_generated_column_may_ask(connection: quackllm.Connection) -> None:
    connection.execute("CREATE TABLE g (a BIT, b VARCHAR GENERATED ALWAYS AS ((llm_chat('echo', a)).output))")
    connection.execute("INSERT INTO g VALUES ('011'::BIT)")
    assert row(connection, "SELECT b FROM g") == ("echo: 011",)


def test_nested_calls_stay_cheap_to_bind(connection: quackllm.Connection) -> None:
    depth = 12
    sql = "llm_result(llm_chat('echo', " * depth + "'x'" + "))" * depth
    plan = connection.execute(f"EXPLAIN SELECT {sql}").fetchall()
    assert row(connection, f"SELECT {sql}") == ("echo: " * depth + "x",)
    assert len(str(plan)) < 20_000


def test_the_users_own_arrow_has_the_types_that_it_had(connection: quackllm.Connection) -> None:
    sql = "SELECT true AS b, 1::HUGEINT AS h, '1'::BIT AS t"
    run_query(connection, sql)
    (setting,) = row(connection, "SELECT current_setting('arrow_lossless_conversion')")
    assert setting is False
    types = [pa.bool_(), pa.decimal128(38, 0), pa.binary()]
    assert connection.sql(sql).to_arrow_table().schema.types == types
    assert plain_arrow(run_query(connection, sql)).schema.types == types


def test_a_locked_configuration_is_left_alone(connection: quackllm.Connection) -> None:
    connection.execute("SET lock_configuration = true")
    assert text_rows(run_query(connection, "SELECT true, DATE 'infinity', 1::HUGEINT")) == [("true", "infinity", "1")]


def test_a_failed_statement_leaves_the_setting_as_it_was(connection: quackllm.Connection) -> None:
    with pytest.raises(duckdb.Error):
        run_query(connection, "SELECT error('no')")
    assert row(connection, "SELECT current_setting('arrow_lossless_conversion')") == (False,)


def test_columns_of_one_name_are_drawn_and_a_struct_that_only_looks_like_a_tuple_is_a_struct(
    connection: quackllm.Connection,
) -> None:
    table = run_query(connection, "SELECT 1 AS a, 2 AS a, {'element1': 1, 'b': 2} AS s")
    with written(table) as relation:
        assert str(relation).split("\n")[1].split() == ["│", "a", "│", "a", "│", "s", "│"]
        assert "{'element1': 1, 'b': 2}" in str(relation)


plain_values = st.sampled_from([value for value in EXAMPLES if "get_type" not in value])


def _deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        inner.map(lambda value: f"[{value}, NULL, {value}]"),
        inner.map(lambda value: f"array_value({value}, {value})"),
        st.tuples(inner, inner).map(lambda pair: f"{{'a': {pair[0]}, 'b \"': {pair[1]}}}"),
        st.tuples(inner, inner).map(lambda pair: f"row({pair[0]}, {pair[1]})"),
        inner.map(lambda value: f"MAP {{'k': {value}}}"),
        inner.map(lambda value: f"union_value(u := [{value}])"),
    )


nested_values = st.recursive(plain_values, _deeper, max_leaves=6)


@pytest.mark.filterwarnings("ignore::quackllm.udf.session.statement.FailedRowsWarning")
@settings(max_examples=60)
@given(st.lists(nested_values, min_size=1, max_size=4))
@example(["[NULL::UNION(a INTEGER, b VARCHAR[])]"])
@example(["[union_value(l := ['y'::ENUM('x', 'y')]), NULL]", "[[union_value(a := MAP {'x'::ENUM('x', 'y'): 1})]]"])
@example(["array_value([union_value(u := ['b'::ENUM('b', 'c')]), NULL], [union_value(u := ['c'::ENUM('b', 'c')])])"])
@example(["""['{"a": 1}'::JSON, NULL]"""])
@example(["['POINT(1 2)'::GEOMETRY('OGC:CRS84'), NULL]"])
def test_nested_values_are_written_whole(values: list[str]) -> None:
    with quackllm.connect() as connection:
        connection.execute(ZONE)
        select = "SELECT " + ", ".join(f"{value} AS c{place}" for place, value in enumerate(values))
        table = run_query(connection, select)
        assert text_rows(table) == [row(connection, f"SELECT COLUMNS(*)::VARCHAR FROM ({select})")]
        said = row(connection, f"SELECT to_json(COLUMNS(*))::VARCHAR FROM ({select})")
        for cell, wanted_json in zip(json_rows(table)[0], said, strict=True):
            json.loads(cell, parse_constant=pytest.fail)
            if not re.search("nan|inf", wanted_json or "null", re.IGNORECASE):
                assert cell == (wanted_json or "null")
        prompts = ", ".join(f"llm_chat('echo', c{place}).output" for place in range(len(values)))
        texts = ", ".join(f"'echo: ' || c{place}::VARCHAR" for place in range(len(values)))
        wanted = [text if text != "echo: " else None for text in row(connection, f"SELECT {texts} FROM ({select})")]
        assert list(row(connection, f"SELECT {prompts} FROM ({select})")) == wanted
