"""`POST /text2sql`: XiYan's body, schemas as text, configured databases, rows, and what is refused."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.databases.duckdb_file import DuckDBFile

from quackllm import deploy
from standin.fixtures import StandIn
from support.bombs import CONSTANTS
from support.duckdb_values import EXAMPLES, nested
from support.gateway_in_process import XIYAN_BODY, client, configure

MADE = """
    CREATE TABLE t AS SELECT 'infinity'::DATE AS inf, INTERVAL 1 MONTH AS iv, {'b': NULL, 'l': [1]} AS s,
    12345678901234567890.12::DECIMAL(38,2) AS m, TIMESTAMPTZ '2024-01-01' AS z
"""
NON_FINITE = re.compile("-?(NaN|Infinity)")
DDL = "CREATE TABLE singer (id INTEGER PRIMARY KEY, name VARCHAR, country VARCHAR, age INTEGER)"


@pytest.fixture
def gateway() -> TestClient:
    """One gateway for all examples of a property."""
    return client()


def asked(body: dict[str, Any], status: int = 200, **headers: str) -> Any:
    reply = client().post("/text2sql", json=body, headers=headers)
    assert reply.status_code == status, reply.text
    return reply.json()


def test_xiyan_s_sample_body_is_answered_to_the_letter_and_said_to_be_unbound(service: StandIn) -> None:
    assert asked(XIYAN_BODY)["bound"] is False
    deploy("xiyansql", "saas/openai", infer_params=service.openai_params())
    sql = "SELECT second_industry, first_industry FROM bi.bi_industry_statistics WHERE statistics_year = '2024'"
    service.script([{"fault": "reply", "text": f"{sql}\n```"}])
    reply = asked(XIYAN_BODY)
    assert (reply["sql"], reply["error"], reply["bound"]) == (sql, None, False)
    (prompt,) = service.prompts()
    assert "【用户问题】\n统计2024年1月份的第二产值、第一产值、第三产值" in prompt
    assert "(third_industry:DECIMAL, 第三产业产值(单位:元))" in prompt


def test_the_plain_reply_says_what_speaks_against_the_sql_and_declines_below_a_bound(service: StandIn) -> None:
    deploy("writer", "saas/openai", infer_params=service.openai_params())
    sql = "SELECT count(*) FROM singer"
    service.script([{"fault": "reply", "text": f"-- confidence: 0.4\n-- warning: is a band a singer?\n{sql}"}] * 2)
    question = {"question": "How many singers are there?", "db_schema": DDL}
    reply = asked(question)
    assert (reply["sql"], reply["warnings"]) == (sql, ["is a band a singer?"])
    assert 0 < reply["confidence"] < 0.4
    reply = asked({**question, "min_confidence": 0.5})
    assert (reply["sql"], reply["error"]["code"], reply["bound"]) == (None, "unsure", False)


def test_of_several_models_the_builtin_one_answers_and_the_reply_says_so(service: StandIn) -> None:
    for name in ("writer", "other"):
        deploy(name, "saas/openai", infer_params=service.openai_params())
    question = {"question": "How many singers are there?", "db_schema": DDL}
    (warning,) = asked(question)["warnings"]
    assert all(part in warning for part in ("(other, writer)", '"model": "other"'))
    assert asked({**question, "model": "builtin_text2sql"})["warnings"] == []


def test_sound_ddl_is_bound_and_answered_in_the_dialect_that_is_wanted() -> None:
    question = {"question": "How many singers are there?", "db_schema": DDL}
    reply = asked(question)
    assert (reply["sql"], reply["error"], reply["bound"]) == ("SELECT COUNT(*) FROM singer", None, True)
    assert asked({**question, "dialect": "MySQL"})["sql"] == "SELECT COUNT(*) FROM `singer`"


def test_what_of_the_ddl_was_left_out_stands_in_the_reply() -> None:
    reply = asked({"question": "How many singers are there?", "db_schema": f"{DDL};\nCREATE TABLE t LIKE other"})
    assert reply["left_out"][0] == "line 2: t has the columns of other, which the text does not create"
    assert reply["bound"] is False


@pytest.mark.parametrize("value", [value for value in EXAMPLES if "get_type" not in value])
def test_every_value_of_a_duckdb_file_is_written_as_its_to_json(home: Path, tmp_path: Path, value: str) -> None:
    select = ", ".join(f"{form} AS c{place}" for place, form in enumerate(nested(value)))
    with duckdb.connect(tmp_path / "d.duckdb") as connection:
        wanted = connection.execute(f"SELECT to_json(COLUMNS(*))::VARCHAR FROM (SELECT {select})").fetchall()[0]
    (row,) = DuckDBFile(tmp_path / "d.duckdb").run(f"SELECT {select}", 1).rows
    json.loads(row, parse_constant=pytest.fail)
    said = f"[{', '.join(cell or 'null' for cell in wanted)}]"
    assert row == (NON_FINITE.sub(r'"\g<0>"', said) if value.endswith(("::FLOAT", "::DOUBLE")) else said)


def test_rows_keep_what_python_has_no_value_for(home: Path, tmp_path: Path, service: StandIn) -> None:
    with duckdb.connect(tmp_path / "d.duckdb") as connection:
        connection.execute(MADE).complete()
    (home / "databases.yaml").write_text(f"d: duckdb:///{tmp_path}/d.duckdb\n")
    deploy("xiyansql", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "SELECT inf, iv, s, m, z FROM t"}])
    reply = client().post("/text2sql", json={"question": "q", "database": "d", "run": True})
    assert reply.headers["content-type"] == "application/json"
    assert '["infinity", "1 month", {"b":null,"l":[1]}, 12345678901234567890.12, "2024-01-01' in reply.text
    assert reply.json()["truncated"] is False


def test_sqlite_answers_with_its_own_dates_and_texts_of_any_encoding(
    home: Path, tmp_path: Path, service: StandIn
) -> None:
    with sqlite3.connect(tmp_path / "b.sqlite") as connection:
        connection.execute("CREATE TABLE t (a TEXT, d DATE)")
        connection.execute("INSERT INTO t VALUES (CAST(x'c4e3' AS TEXT), '2024-01-31'), ('ok', '2023-02-01')")
    (home / "databases.yaml").write_text(f"d: sqlite:///{tmp_path}/b.sqlite\n")
    deploy("xiyansql", "saas/openai", infer_params=service.openai_params())
    wanted = {
        "SELECT count(*) FROM t WHERE d > current_date - INTERVAL 30 DAY": [[0]],
        "SELECT year(d) AS y, count(*) FROM t GROUP BY ALL ORDER BY y": [[2023, 1], [2024, 1]],
        "SELECT date_trunc('month', d) FROM t ORDER BY 1": [["2023-02-01"], ["2024-01-01"]],
        "SELECT a FROM t ORDER BY d": [["ok"], ["\ufffd\ufffd"]],
    }
    for question, (sql, rows) in enumerate(wanted.items()):
        service.script([{"fault": "reply", "text": sql}])
        reply = asked({"question": f"question {question}", "database": "d", "run": True})
        assert (reply["error"], reply["rows"]) == (None, rows), sql
    assert service.count() == len(wanted)


def test_a_configured_database_is_asked_about_bound_by_its_own_explain_and_run(home: Path) -> None:
    configure(home, "concert_singer")
    reply = asked({"question": "How many singers are there?", "run": True})
    assert (reply["error"], reply["bound"]) == (None, True)
    assert reply["rows"] == [[6]]
    assert reply["truncated"] is False
    named = asked(
        {"question": "Show the names of all singers.", "database": "concert_singer", "run": True, "max_rows": 2}
    )
    assert len(named["rows"]) == 2
    assert named["truncated"] is True


def test_a_part_of_a_database_is_asked_about_by_its_tables_names(home: Path) -> None:
    configure(home, "concert_singer")
    assert asked({"question": "How many stadiums are there?", "db_schema": "stadium", "database": "concert_singer"})[
        "bound"
    ]
    reply = asked({"question": "How many?", "db_schema": "stadion", "database": "concert_singer"}, 400)
    assert "did you mean 'stadium'" in reply["error"]["message"]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"question": "How many?"}, "no schema"),
        ({"question": "How many?", "database": "shop"}, "no database is called 'shop'"),
        ({"question": "How many?", "db_schema": DDL, "dialect": "mysqk"}, "did you mean 'mysql'"),
        ({"question": "How many?", "db_schema": DDL, "run": True}, "`run` needs a database"),
        ({"question": "How many?", "db_schma": DDL}, "db_schema"),
        ({"question": "", "db_schema": DDL}, "question"),
        ({"question": "x" * 4001, "db_schema": DDL}, "4000"),
        ({}, "question"),
    ],
)
def test_a_body_that_asks_nothing_is_refused_in_the_service_s_own_form(body: dict[str, Any], words: str) -> None:
    reply = asked(body, 400)
    assert reply["sql"] is None
    assert reply["bound"] is False
    assert words in reply["error"]["message"]


def test_of_several_databases_one_must_be_named_and_its_dialect_be_its_own(home: Path) -> None:
    configure(home, "concert_singer", "pets_1")
    assert "several databases" in asked({"question": "How many?"}, 400)["error"]["message"]
    body = {"question": "How many pets?", "database": "pets_1", "dialect": "postgres"}
    assert "SQLite does not use the dialect postgres" in asked(body, 400)["error"]["message"]


def test_a_database_that_cannot_be_reached_is_a_bad_gateway(home: Path) -> None:
    (home / "databases.yaml").write_text("gone: sqlite:////nowhere/gone.sqlite\n")
    assert asked({"question": "How many?"}, 502)["error"]["code"] == "database"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("DELETE FROM singer", "guard"),
        ("DROP TABLE singer", "guard"),
        ("WITH gone AS (DELETE FROM singer RETURNING *) SELECT * FROM gone", "guard"),
        ("SELECT * FROM read_csv('/etc/passwd')", "guard"),
        ("ATTACH 'other.sqlite' AS other", "guard"),
        ("SELECT nothing FROM singer", "binder"),
        ("I would rather talk of something else.", "no_sql"),
    ],
)
def test_a_write_or_a_reach_beyond_the_database_is_refused_whatever_a_model_says(
    home: Path, service: StandIn, answer: str, code: str
) -> None:
    configure(home, "concert_singer")
    deploy("chatty", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": answer}])
    reply = asked({"question": "Remove all singers.", "run": True})
    assert reply["sql"] is None
    assert reply["error"]["code"] == code
    assert "rows" not in reply
    service.reset()
    assert asked({"question": "How many singers are there?", "model": "builtin_text2sql", "run": True})["rows"] == [[6]]


def test_the_database_s_own_words_go_back_to_the_model_which_may_correct_itself(home: Path, service: StandIn) -> None:
    configure(home, "concert_singer")
    deploy("chatty", "saas/openai", infer_params=service.openai_params())
    service.script(
        [
            {"fault": "reply", "text": "SELECT list_transform([1], lambda x: x + 1) FROM singer", "times": 1},
            {"fault": "reply", "text": "```sql\nSELECT count(*) FROM singer\n```", "times": 1},
        ]
    )
    reply = asked({"question": "How many singers?", "evidence": "singers are people"})
    assert reply["sql"] == 'SELECT COUNT(*) FROM "singer"'
    assert "SQLite rejects it" in service.prompts()[-1]
    (first, _) = service.requests()
    assert "singers are people" in first["body"]["messages"][0]["content"]


def test_a_service_that_refuses_is_told_with_its_own_status_and_code(service: StandIn) -> None:
    deploy("chatty", "saas/openai", infer_params=service.openai_params(limits__max_attempts=1))
    service.script([{"fault": "rate_limit", "times": 9}])
    reply = asked({"question": "How many?", "db_schema": DDL}, 429)
    assert reply["error"]["retryable"] is True


def test_a_key_may_ask_its_own_models_only(home: Path) -> None:
    key = add_key(home / "keys.yaml", "alice", models=["other"])
    question = {"question": "How many singers are there?", "db_schema": DDL}
    assert asked(question, 401)["error"]["code"] == "missing_api_key"
    assert asked(question, 401, Authorization="Bearer qk-wrong")["error"]["code"] == "invalid_api_key"
    assert asked(question, 403, Authorization=f"Bearer {key}")["error"]["code"] == "model_not_allowed"
    key = add_key(home / "keys.yaml", "bob")
    assert asked(question, 200, Authorization=f"Bearer {key}")["bound"] is True


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.sampled_from(
    [DDL, "CREATE TABLE", "CREATE TABLE t (", "# Table: t\n[\n(a:INT", "singer", "CREATE TABLE a (b" * 9]
)
BODIES = st.fixed_dictionaries(
    {"question": st.text(max_size=60) | VALUES},
    optional={
        "db_schema": SCHEMAS | st.text(max_size=80) | VALUES,
        "dialect": st.sampled_from(["mysql", "postgres", "duckdb", ""]) | VALUES,
        "database": st.text(max_size=5) | VALUES,
        "evidence": VALUES,
        "model": VALUES,
        "run": VALUES,
        "max_rows": VALUES,
    },
)


@given(BODIES | VALUES)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_of_a_question_is_the_server_s_fault(gateway: TestClient, body: Any) -> None:
    reply = gateway.post("/text2sql", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert reply.status_code < 500, reply.text
    assert set(reply.json()) >= {"sql", "error", "bound"}


@given(st.binary(max_size=60))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_bytes_that_are_no_json_are_refused(gateway: TestClient, body: bytes) -> None:
    for path in ("/text2sql", "/", "/model/predict"):
        reply = gateway.post(path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= reply.status_code < 500, (path, reply.text)


def test_a_query_that_takes_too_much_is_ended_and_the_next_question_is_answered(home: Path, service: StandIn) -> None:
    configure(home, "concert_singer")
    deploy("writer", "saas/openai", infer_params=service.openai_params())
    gateway = client(statement_seconds=1.0, statement_megabytes=256)
    body = {"question": "How many singers are there?", "model": "writer", "run": True}
    endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r"
    service.script([{"fault": "reply", "text": endless}])
    reply = gateway.post("/text2sql", json=body).json()
    assert "takes longer than 1 s" in reply["error"]["message"]
    service.script([{"fault": "reply", "text": CONSTANTS[0]}])
    reply = gateway.post("/text2sql", json=body | {"question": "How many?"}).json()
    assert (reply["sql"], reply["error"]["code"]) == (None, "memory")
    assert gateway.post("/text2sql", json=body | {"model": "builtin_text2sql"}).json()["rows"] == [[6]]


@pytest.mark.parametrize("text", ["CREATE TABLE t (a " + "x," * 90_000, "CREATE TABLE t (a INT" + "(" * 190_000])
def test_a_schema_that_takes_long_to_read_is_bounded(gateway: TestClient, text: str) -> None:
    reply = gateway.post("/text2sql", json={"question": "How many?", "db_schema": text})
    assert reply.status_code < 500
    assert gateway.post("/text2sql", json={"question": "How many singers?", "db_schema": DDL}).json()["bound"]
