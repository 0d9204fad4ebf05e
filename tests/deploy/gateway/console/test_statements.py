"""Statements of the console: rows with all digits, models with their budget and progress, and what may not run."""

from __future__ import annotations

import asyncio
import gc
import json
from pathlib import Path
from typing import Any

import duckdb
import pytest
from fastapi.testclient import TestClient
from quackllm.deploy.gateway.admission import RequestContext
from quackllm.deploy.gateway.auth.api_keys import add_key
from quackllm.deploy.gateway.auth.usage_ledger import NOTHING
from quackllm.deploy.gateway.console.cells import json_cells
from quackllm.deploy.gateway.console.in_sandbox import StatementModels, guarded, ready, run, warm_up
from quackllm.deploy.gateway.console.sql_functions import calls_models
from quackllm.deploy.gateway.console.statements import ConsoleStatement, StatementBody, _lines
from quackllm.deploy.gateway.databases.database import Rows
from quackllm.deploy.gateway.databases.duckdb_file import DuckDBFile
from quackllm.deploy.gateway.settings import GatewaySettings
from quackllm.deploy.gateway.state import Gateway
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.errors import DatabaseError, GuardError
from quackllm.workers.home import home_folder
from quackllm.workers.sandbox import Cancellation, Sandbox, SandboxLimits

import quackllm
from standin.fixtures import StandIn
from support.console_shop import TOO_LARGE_FOR_JAVASCRIPT, make_shop
from support.gateway_in_process import client

SCHEMA = Schema("x", (Table("t", (Column("a", "INTEGER"), Column("d", "DATE"))),))
REFUSED = [
    ("duckdb", "DELETE FROM t"),
    ("duckdb", "SELECT 1; SELECT 2"),
    ("duckdb", "SELECT * FROM read_csv('/etc/passwd')"),
    ("duckdb", "FROM '/etc/passwd'"),
    ("duckdb", "SELECT * FROM duckdb_secrets()"),
    ("duckdb", "SELECT getenv('HOME')"),
    ("duckdb", "ATTACH '/tmp/x.duckdb'"),
    ("duckdb", "SELECT * FROM query('SELECT 1')"),
    ("duckdb", "SELECT llm_forget()"),
    ("duckdb", "FROM llm_calls()"),
    ("duckdb", "SELECT text2sql('how many?')"),
    ("sqlite", "SELECT * FROM sqlite_master"),
    ("sqlite", "SELECT load_extension('x')"),
    ("sqlite", "SELECT readfile('/etc/passwd')"),
    ("sqlite", "ATTACH DATABASE '/tmp/x' AS y"),
    ("sqlite", "PRAGMA query_only = OFF"),
    ("sqlite", "UPDATE t SET a = 1"),
    ("mysql", "SELECT load_file('/etc/passwd')"),
    ("mysql", "SELECT a FROM t INTO OUTFILE '/tmp/x'"),
    ("mysql", "SELECT a INTO DUMPFILE '/tmp/x' FROM t"),
    ("mysql", "SELECT sleep(100)"),
    ("mysql", "SELECT * FROM mysql.user"),
    ("mysql", "SELECT benchmark(1000000000, md5('a'))"),
    ("postgres", "SELECT pg_read_file('/etc/passwd')"),
    ("postgres", "SELECT pg_sleep(100)"),
    ("postgres", "SELECT * FROM pg_catalog.pg_shadow"),
    ("postgres", "SELECT lo_import('/etc/passwd')"),
    ("postgres", "SELECT dblink('x', 'SELECT 1')"),
    ("postgres", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x"),
    ("postgres", "SELECT * INTO new FROM t"),
    ("postgres", "COPY t TO '/tmp/x'"),
    ("postgres", "SELECT set_config('transaction_read_only', 'off', false)"),
    ("postgres", "SELECT a FROM t; DROP TABLE t"),
    ("postgres", "SELECT a FROM other"),
]
ALLOWED = [
    ("duckdb", "SELECT ai_sentiment(a) FROM t -- ;", "SELECT ai_sentiment(a) FROM t"),
    ("sqlite", "SELECT date(d, '-30 days'), time(d) FROM t", "SELECT DATE(d, '-30 days'), TIME(d) FROM t"),
    ("sqlite", "SELECT strftime('%Y', d) AS y FROM t", "SELECT STRFTIME('%Y', d) AS y FROM t"),
    ("mysql", "SELECT `a` /*! , load_file('x') */ FROM t", "SELECT `a` FROM t"),
    ("mysql", "SELECT date_format(d, '%Y') FROM t LIMIT 3", "SELECT DATE_FORMAT(d, '%Y') FROM t LIMIT 3"),
    ("postgres", "SELECT date_trunc('month', d) FROM t", "SELECT DATE_TRUNC('MONTH', d) FROM t"),
]


def lines(gateway: TestClient, sql: str, key: str | None = None, **more: Any) -> list[dict[str, Any]]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    reply = gateway.post("/console/sql", json={"sql": sql, **more}, headers=headers)
    assert reply.status_code == 200, reply.text
    return [json.loads(line) for line in reply.text.splitlines()]


def outcome(gateway: TestClient, sql: str, key: str | None = None, **more: Any) -> dict[str, Any]:
    return lines(gateway, sql, key, **more)[-1]


@pytest.mark.parametrize(("dialect", "sql"), REFUSED)
def test_what_is_no_harmless_select_is_refused_in_every_dialect(dialect: str, sql: str) -> None:
    with pytest.raises(GuardError):
        guarded(sql, SCHEMA, dialect)


@pytest.mark.parametrize("dialect", ["duckdb", "sqlite", "mysql", "postgres"])
def test_what_is_no_select_is_named(dialect: str) -> None:
    with pytest.raises(GuardError, match="it is not a SELECT: DELETE"):
        guarded("DELETE FROM t", SCHEMA, dialect)


@pytest.mark.parametrize(("dialect", "sql", "runs"), ALLOWED)
def test_what_runs_is_written_anew_without_its_comments(dialect: str, sql: str, runs: str) -> None:
    assert guarded(sql, SCHEMA, dialect) == runs


def test_rows_keep_all_their_digits_and_are_text() -> None:
    found = Rows(
        ("n", "m", "x", "v", "d"),
        ('[9007199254740993, 1.50, null, "<b>", "2025-06-01"]', '[2, 3, [1, {"a": 1.0}], true, "2025-06-01 10:00:00"]'),
        False,
    )
    columns, rows = json_cells(found)
    assert [column["type"] for column in columns] == ["number", "number", "text", "text", "time"]
    assert [row[:4] for row in rows] == [
        ["9007199254740993", "1.50", None, "<b>"],
        ["2", "3", '[1, {"a": 1.0}]', "true"],
    ]


def test_duckdb_s_own_words_say_what_is_wrong() -> None:
    schema = Schema("x", (Table("t", (Column("a", "INTEGER"),)),))
    with pytest.raises(DatabaseError, match="Table with name t does not exist"):
        run(None, "SELECT * FROM t", schema, StatementModels(), 10)


@pytest.mark.parametrize(
    ("sql", "quoted"),
    [
        ("SELECT nope FROM t", "LINE 1: SELECT nope FROM t\n               ^^^^"),
        ("SELECT a, -- the name\n  nope\nFROM t", "LINE 2:   nope\n          ^^^^"),
        ("SELECT llm_chat(s), nope FROM t", "LINE 1: SELECT llm_chat(s), nope FROM t"),
        ("SELECT s::INTEGER FROM t", "LINE 1: SELECT s::INTEGER FROM t"),
    ],
)
def test_an_error_quotes_the_statement_as_it_was_written(tmp_path: Path, sql: str, quoted: str) -> None:
    path = str(tmp_path / "t.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a, 'x' AS s")
    schema = Schema("x", (Table("t", (Column("a", "INTEGER"), Column("s", "VARCHAR"))),))
    with pytest.raises(DatabaseError) as caught:
        run(path, sql, schema, StatementModels(), 10)
    assert quoted in caught.value.message
    with pytest.raises(DatabaseError) as caught:
        DuckDBFile(Path(path)).run("SELECT a,\nnope FROM t", 10)
    assert "LINE 2: nope FROM t" in caught.value.message


def test_a_row_that_would_only_show_that_there_are_more_is_not_paid_for() -> None:
    asked = run(None, "SELECT i FROM range(5) t(i)", Schema(), StatementModels(called=True), 3)
    plain = run(None, "SELECT i FROM range(3) t(i)", Schema(), StatementModels(), 3)
    assert ([row[0] for row in asked[1]], asked[2], plain[2]) == (["0", "1", "2"], True, False)


def test_what_calls_models_is_found_by_name() -> None:
    assert calls_models("SELECT AI_Sentiment (body) FROM t", ["chat"])
    assert calls_models('SELECT "chat"(body) FROM t', ["chat"])
    assert not calls_models("SELECT chat, llm_param({'instruction': 'x'}) FROM t", ["chat"])


@pytest.fixture
def gateway(service: StandIn) -> TestClient:
    """A gateway with the shop, and the model `chat`."""
    make_shop(home_folder())
    quackllm.deploy("chat", "saas/openai", infer_params=service.openai_params(limits__max_attempts=1))
    return client()


def test_a_statement_on_each_kind_of_database(gateway: TestClient) -> None:
    shop = outcome(
        gateway, "SELECT city, count(*) AS n FROM customers GROUP BY ALL ORDER BY 1 LIMIT 1", database="shop"
    )
    assert (shop["columns"], shop["rows"]) == (
        [{"name": "city", "type": "text"}, {"name": "n", "type": "number"}],
        [["Lima", "30"]],
    )
    singers = outcome(gateway, "SELECT id, name FROM singer ORDER BY id DESC", database="singers", max_rows=1)
    assert (singers["rows"], singers["truncated"]) == ([[str(TOO_LARGE_FOR_JAVASCRIPT), "Ann"]], True)
    nothing = outcome(gateway, "SELECT 1 AS one")
    assert (nothing["rows"], nothing["truncated"]) == ([["1"]], False)
    refused = outcome(gateway, "DROP TABLE customers", database="shop")
    assert refused["error"] == {"code": "guard", "message": "this cannot run here: it is not a SELECT: DROP"}
    with duckdb.connect(str(home_folder() / "shop.duckdb")) as shop_file:  # Nothing holds the file between statements.
        shop_file.execute("CREATE TABLE new AS SELECT 1")


def test_models_answer_for_each_row_once_within_the_budget(gateway: TestClient, service: StandIn) -> None:
    sql = "SELECT id, llm_result(chat('about ' || body)) AS answer FROM reviews ORDER BY id"
    stopped = outcome(gateway, sql, database="shop", max_calls=10)
    assert stopped["error"]["code"] == "budget"
    assert service.count() == 10
    whole = outcome(gateway, sql, database="shop", max_calls=60)
    assert whole["progress"]["calls"] == 50  # The first ten are in the call store.
    assert whole["rows"][2] == ["3", "answer to: about Review number 3: the cup is lovely"]
    again = outcome(gateway, sql, database="shop", max_calls=0)
    assert (again["progress"]["calls"], len(again["rows"])) == (0, 60)


def test_the_chosen_model_is_the_default_and_failed_rows_are_counted(gateway: TestClient, service: StandIn) -> None:
    quackllm.deploy("other", "echo")
    service.script([{"fault": "refused_content", "marker": "poison"}])
    sql = "SELECT llm_chat('a ' || w) AS a FROM (VALUES ('good'), ('poison')) t(w)"
    found = outcome(gateway, sql, model="chat")
    assert found["rows"][0] == ["answer to: a good"]
    assert found["rows"][1][0].startswith("[content_filter: ")
    assert "1 × content_filter" in found["warnings"][0]
    assert "other" in outcome(gateway, sql)["error"]["message"]  # Two models, and none chosen.


def test_a_key_s_models_and_budget_hold_in_statements(gateway: TestClient, service: StandIn) -> None:
    alice = add_key(home_folder() / "keys.yaml", "alice", models=["chat"], max_calls=3)
    other = outcome(gateway, "SELECT llm_chat('echo', 'x')", alice)
    assert other["error"]["message"].startswith("the model echo is not deployed, or this key may not ask it")
    found = outcome(gateway, "SELECT chat(i::VARCHAR) FROM range(9) t(i)", alice)
    assert (found["error"]["code"], service.count()) == ("budget", 3)
    spent = gateway.get("/console/session", headers={"Authorization": f"Bearer {alice}"}).json()["key"]["spent"]
    assert spent["calls"] == 3


def test_progress_counts_what_is_to_come(gateway: TestClient, service: StandIn) -> None:
    service.script([{"fault": "slow", "seconds": 0.6, "marker": "3"}])
    seen = lines(gateway, "SELECT chat(i::VARCHAR) FROM range(8) t(i)")
    assert any((line["progress"]["expected"], line["progress"]["done"]) == (8, 7) for line in seen[:-1])
    assert seen[-1]["progress"]["done"] == 8


def test_a_stopped_statement_leaves_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    gateway = Gateway(GatewaySettings())

    async def stop_at_the_first_line() -> None:
        context = RequestContext(gateway, None)
        statement = ConsoleStatement(context, await context.reserve(NOTHING), {}, None, Schema(), None)
        lines = _lines(statement, StatementBody(sql="SELECT count(*) FROM range(10000000000)"))
        await anext(lines)
        await lines.aclose()

    asyncio.run(stop_at_the_first_line())
    gateway.close()
    gc.collect()  # asyncio reports an error that nobody has read when the future is collected.
    assert not caplog.records


def test_a_call_in_a_sandbox_can_be_ended_from_outside() -> None:
    from threading import Timer

    from quackllm.workers.errors import SandboxLimitError

    sandbox = Sandbox(warm_up, processes=1)
    sandbox.call(ready)

    cancellation = Cancellation()
    Timer(0.3, cancellation.cancel).start()
    with pytest.raises(SandboxLimitError):
        sandbox.call(run, None, "SELECT count(*) FROM range(10000000000)", Schema(), StatementModels(), 1,
                     limits=SandboxLimits(512, 30), cancellation=cancellation)  # fmt: skip
    sandbox.close()
