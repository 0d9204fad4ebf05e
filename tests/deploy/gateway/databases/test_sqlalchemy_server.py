"""Real PostgreSQL and MariaDB servers, and SQLite beside them: Spider's databases, asked about through the gateway.

Prints how many of fifty questions bind and how many are right on each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr
from quackllm.deploy.gateway.databases.registry import open_database
from quackllm.deploy.gateway.databases.urls import open_url, resolve_url
from quackllm.udf.text2sql.checks.transpile import transpile
from quackllm.udf.text2sql.evaluation.datasets import open_database as fill
from quackllm.udf.text2sql.evaluation.scoring import fetch_rows, same_rows
from quackllm.udf.text2sql.evaluation.suites import load_suite
from quackllm.workers.errors import DatabaseError
from quackllm.workers.mschema import format_mschema
from quackllm.workers.sandbox import SandboxLimits
from sqlalchemy import create_engine, text

from quackllm import deploy
from standin.fixtures import StandIn
from support.database_servers import database_on, running_mariadb, running_postgres
from support.date_queries import FILL, NAMES, QUERIES, SCHEMA, from_json, in_duckdb
from support.gateway_in_process import client
from support.spider_on_servers import copy_database

pytestmark = [
    pytest.mark.databases,
    # While a server starts it refuses connections, and pymysql leaves their sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]
QUESTIONS = 50
KINDS = ("postgresql", "mariadb", "sqlite")
IN_SCALE = (*KINDS, "duckdb")
"""DuckDB beside them: how many are right there is what the model can, and not the translation."""
Make = Callable[[str], str]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Make]]:
    """For each kind, what makes an empty database of a name and returns its URL."""
    folder = tmp_path_factory.mktemp("sqlite")
    with running_postgres() as postgres, running_mariadb() as mariadb, ExitStack() as made:
        yield {
            "postgresql": lambda name: made.enter_context(database_on(postgres, name)),
            "mariadb": lambda name: made.enter_context(database_on(mariadb, name)),
            "sqlite": lambda name: f"sqlite:///{folder / name}.sqlite",
            "duckdb": lambda name: f"duckdb:///{folder / name}.duckdb",
        }


def copied(make: Make, name: str) -> str:
    url = make(name)
    if url.startswith("duckdb"):
        with duckdb.connect(url.removeprefix("duckdb:///")) as connection:
            fill(connection, name)
        return url
    engine = create_engine(url)
    copy_database(name, engine)
    engine.dispose()
    return url


@pytest.fixture(scope="module")
def spider(servers: dict[str, Make]) -> dict[str, dict[str, str]]:
    """For each kind, the URLs of the databases of the questions."""
    names = {question.db for question in load_suite("spider", limit=QUESTIONS).questions}
    return {kind: {name: copied(servers[kind], name) for name in sorted(names)} for kind in IN_SCALE}


def configure_urls(home: Path, urls: dict[str, str]) -> None:
    (home / "databases.yaml").write_text("".join(f"{name}: {url}\n" for name, url in urls.items()))


@pytest.mark.parametrize("kind", IN_SCALE)
def test_fifty_questions_are_bound_by_the_server_s_own_explain(
    kind: str, spider: dict[str, dict[str, str]], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_urls(home, spider[kind])
    gateway, count = client(), Counter[str]()
    for question in load_suite("spider", limit=QUESTIONS).questions:
        body = {"question": question.question, "database": question.db, "run": True, "max_rows": 10_000}
        reply = gateway.post("/text2sql", json=body).json()
        count["bound"] += reply["bound"]
        with duckdb.connect() as connection:
            fill(connection, question.db)
            given = [tuple(row) for row in reply.get("rows", ())]
            right = reply["bound"] and same_rows(fetch_rows(connection, question.sql), given, question.ordered)
        count["right"] += right
        count[reply["error"]["code"] if reply["error"] else "no error"] += 1
    with capsys.disabled():
        print(f"\n{kind}: of {QUESTIONS} questions {count['bound']} bind, {count['right']} are right; {dict(count)}")
    assert count["bound"] >= 45
    assert count["right"] >= 20


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_s_catalog_is_m_schema_with_comments_keys_and_values(kind: str, servers: dict[str, Make]) -> None:
    engine = create_engine(url := servers[kind]("catalog_test"))
    quote = engine.dialect.identifier_preparer.quote_identifier
    comment = " COMMENT 'who sings'" if kind == "mariadb" else ""
    with engine.begin() as connection:
        connection.execute(
            text(f"CREATE TABLE {quote('Singer')} (id INTEGER PRIMARY KEY, {quote('姓名')} VARCHAR(40){comment})")
        )
        connection.execute(
            text("CREATE TABLE concert (id INTEGER PRIMARY KEY, singer INTEGER, day DATE, price NUMERIC(8, 2), "
                 f"FOREIGN KEY (singer) REFERENCES {quote('Singer')} (id))")
        )  # fmt: skip
        connection.execute(text(f"INSERT INTO {quote('Singer')} VALUES (1, '王菲'), (2, 'Ann')"))
        connection.execute(text("INSERT INTO concert VALUES (7, 1, '2024-05-06', 12.50)"))
        connection.execute(text("CREATE VIEW dear AS SELECT * FROM concert WHERE price > 10"))
        if kind == "postgresql":
            connection.execute(text(f"COMMENT ON COLUMN {quote('Singer')}.{quote('姓名')} IS 'who sings'"))
            connection.execute(text("CREATE SCHEMA sales"))
            connection.execute(text("CREATE TABLE sales.orders (id BIGINT PRIMARY KEY, tags TEXT[], made TIMESTAMPTZ)"))
    engine.dispose()
    database = open_database(SecretStr(url), "shop")
    schema = database.read_schema()
    shown = format_mschema(schema)
    said = ", who sings" if kind != "sqlite" else ""
    assert f"(姓名:VARCHAR{said}, Examples: [王菲, Ann])" in shown
    assert "(day:DATE, Examples: [2024-05-06])" in shown
    assert "(price:DECIMAL(8,2), Examples: [12.5" in shown
    assert "concert.singer=Singer.id" in shown
    assert "# Table: dear" in shown
    assert ("# Table: sales.orders" in shown) == (kind == "postgresql")
    database.close()


WRITES = (
    "DELETE FROM singer",
    "UPDATE singer SET age = 0",
    "DROP TABLE singer",
    "CREATE TABLE other AS SELECT 1 AS a",
    "WITH gone AS (DELETE FROM singer RETURNING *) SELECT * FROM gone",
    "SELECT * INTO other FROM singer",
)


@pytest.mark.parametrize("kind", KINDS)
def test_a_write_is_refused_by_the_guard_and_by_the_connection_itself(
    kind: str, servers: dict[str, Make], home: Path, service: StandIn
) -> None:
    engine = create_engine(url := servers[kind]("writes_test"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE singer (id INTEGER, age INTEGER)"))
        connection.execute(text("INSERT INTO singer VALUES (1, 30)"))
    database = open_database(SecretStr(url), "shop")
    itself: Any = open_url(resolve_url(SecretStr(url), "shop"), "shop")
    configure_urls(home, {"shop": url})
    deploy("chatty", "saas/openai", infer_params=service.openai_params())
    gateway = client()
    for statement in WRITES:
        with pytest.raises(DatabaseError):
            database.run(statement, 10)
        with (
            itself._connected() as raw,
            pytest.raises(Exception, match=r"(?i)read.?only|syntax|unsupported|undeclared"),
        ):
            raw.exec_driver_sql(statement)
        service.script([{"fault": "reply", "text": statement}])
        reply = gateway.post("/text2sql", json={"question": f"Do this: {statement}", "run": True}).json()
        assert (reply["sql"], reply["error"]["code"]) in {(None, "guard"), (None, "parser"), (None, "binder")}, reply
    with engine.connect() as connection:
        assert connection.execute(text("SELECT id, age FROM singer")).fetchall() == [(1, 30)]
    engine.dispose()
    itself.close()
    database.close()


SLOW = "SELECT count(*) FROM n a CROSS JOIN n b CROSS JOIN n c CROSS JOIN n d"


@pytest.mark.parametrize("kind", KINDS)
def test_a_statement_that_takes_too_long_is_stopped_by_the_server(
    kind: str, servers: dict[str, Make], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("quackllm.deploy.gateway.databases.sqlalchemy_server.STATEMENT_SECONDS", 0.5)
    engine = create_engine(url := servers[kind]("slow_test"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE n (i INTEGER)"))
        connection.execute(text("INSERT INTO n VALUES " + ", ".join(f"({i})" for i in range(1000))))
    engine.dispose()
    itself = open_url(resolve_url(SecretStr(url), "shop"), "shop")
    with pytest.raises(DatabaseError, match=r"(?i)timeout|interrupt|max_statement_time"):
        itself.run(SLOW, 1)
    itself.close()
    database = open_database(SecretStr(url), "shop", SandboxLimits(seconds=1.0))
    with pytest.raises(DatabaseError, match="takes longer than 1 s"):
        database.run(SLOW, 1)
    assert database.run("SELECT 1 AS one", 1).rows == ("[1]",)
    database.close()


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_dates_are_moved_cut_and_counted_as_in_duckdb(kind: str, servers: dict[str, Make]) -> None:
    engine = create_engine(url := servers[kind]("dates"))
    columns = ", ".join(map(" ".join, NAMES)).replace("VARCHAR", "VARCHAR(9)")
    if kind == "mariadb":
        columns = columns.replace("TIMESTAMP", "DATETIME")
    with engine.begin() as connection:
        for statement in (f"CREATE TABLE t ({columns})", FILL):
            connection.execute(text(statement))
    engine.dispose()
    database = open_database(SecretStr(url), "dates")
    for query in QUERIES:
        said = transpile(query, SCHEMA, database.dialect)
        assert database.explain(said) is None, said
        assert from_json(database.run(said, 100).rows) == in_duckdb(query), said
    database.close()


@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("postgresql", "DATE 'infinity'", '"infinity"'),
        ("postgresql", "TIMESTAMP '0044-03-15 01:02:03 BC'", '"0044-03-15 01:02:03 BC"'),
        ("postgresql", "TIME '24:00:00'", '"24:00:00"'),
        ("postgresql", "INTERVAL '1 month'", '"1 mon"'),
        ("postgresql", "ARRAY[DATE '-infinity', NULL]", '["-infinity", null]'),
        ("postgresql", "12345678901234567890.12", "12345678901234567890.12"),
        ("postgresql", "'NaN'::FLOAT8", '"NaN"'),
        ("mariadb", "CAST('0000-00-00' AS DATE)", '"0000-00-00"'),
        ("mariadb", "CAST('838:59:59' AS TIME)", '"838:59:59"'),
        ("mariadb", "18446744073709551615", "18446744073709551615"),
    ],
)
def test_values_that_python_has_not_are_told_as_the_server_writes_them(
    kind: str, value: str, written: str, servers: dict[str, Make]
) -> None:
    database = open_database(SecretStr(servers[kind](f"value_{abs(hash(value))}")), "value")
    assert database.run(f"SELECT {value} AS x", 1).rows == (f"[{written}]",)
    database.close()
