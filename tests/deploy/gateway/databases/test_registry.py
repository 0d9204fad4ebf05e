"""Databases of other systems: SQLite and DuckDB here; `test_sqlalchemy_server.py` has the servers."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pydantic import SecretStr
from quackllm.deploy.gateway.databases.database import Database
from quackllm.deploy.gateway.databases.in_sandbox import SandboxedDatabase
from quackllm.deploy.gateway.databases.registry import Databases, open_database
from quackllm.deploy.gateway.databases.urls import open_url
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.udf.text2sql.evaluation.datasets import open_database as fill
from quackllm.udf.text2sql.evaluation.scoring import fetch_rows, same_rows
from quackllm.workers.database_schema import Schema
from quackllm.workers.errors import DatabaseError, RequestError, SetupError
from quackllm.workers.mschema import format_mschema
from quackllm.workers.sandbox import SandboxLimits
from sqlalchemy import create_engine

from support.spider_on_servers import copy_database

NAME = "concert_singer"


def sqlite_file(folder: Path) -> Path:
    path = folder / f"{NAME}.sqlite"
    engine = create_engine(f"sqlite:///{path}")
    copy_database(NAME, engine)
    engine.dispose()
    return path


def duckdb_file(folder: Path) -> Path:
    path = folder / f"{NAME}.duckdb"
    with duckdb.connect(path) as connection:
        fill(connection, NAME)
    return path


@pytest.fixture(params=["sqlite", "duckdb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    path = sqlite_file(tmp_path) if request.param == "sqlite" else duckdb_file(tmp_path)
    opened = open_database(SecretStr(f"{request.param}:///{path}"), NAME)
    yield opened
    opened.close()


def test_a_database_shows_its_tables_keys_and_sample_values_as_m_schema(database: Database) -> None:
    text = format_mschema(database.read_schema())
    assert "【DB_ID】 concert_singer" in text
    assert "(Name:VARCHAR, Examples: [Joe Sharp, Timbaland, Justin Brown])" in text
    assert "(Singer_ID:BIGINT, Primary Key, Examples: [1, 2, 3])" in text
    assert "singer_in_concert.concert_ID=concert.concert_ID" in text


def test_the_right_queries_are_taken_by_its_own_explain_and_give_the_right_rows(database: Database) -> None:
    schema = database.read_schema()
    with duckdb.connect() as connection:
        fill(connection, NAME)
        for question in [question for question in load_questions("spider") if question.db == NAME][::3]:
            sql, refused = database.fit(question.sql, schema)
            assert refused is None, (question.sql, refused)
            rows = database.run(sql, 10_000)
            assert not rows.truncated
            found = [tuple(json.loads(row)) for row in rows.rows]
            assert same_rows(fetch_rows(connection, question.sql), found, question.ordered), sql


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM singer",
        "DROP TABLE singer",
        "INSERT INTO singer VALUES (99, 'x', 'y', 'z', '2000', 1, 'T')",
        "UPDATE singer SET Age = 0",
        "CREATE TABLE other (a INTEGER)",
        "ATTACH '{file}' AS other",
        "PRAGMA user_version = 7",
        "SELECT 1; DROP TABLE singer",
    ],
)
def test_what_is_no_query_is_refused_whatever_the_guard_said_before(
    database: Database, statement: str, tmp_path: Path
) -> None:
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).close()
    before = format_mschema(database.read_schema())
    with pytest.raises(DatabaseError):
        database.run(statement.format(file=other), 10)
    assert format_mschema(database.read_schema()) == before


def test_the_connection_itself_cannot_write_to_sqlite(tmp_path: Path) -> None:
    from quackllm.deploy.gateway.databases.sqlalchemy_server import SqlAlchemyDatabase

    server = open_url(SecretStr(f"sqlite:///{sqlite_file(tmp_path)}"), NAME)
    assert isinstance(server, SqlAlchemyDatabase)
    assert "readonly" in (server.explain("SELECT 1; ") or "readonly")
    with server._connected() as connection, pytest.raises(Exception, match="readonly"):
        connection.exec_driver_sql("DELETE FROM singer")


def test_a_query_gives_no_more_rows_than_wanted_and_says_that_there_are_more(database: Database) -> None:
    rows = database.run("SELECT Name FROM singer ORDER BY Singer_ID", 2)
    assert rows.columns == ("Name",)
    assert rows.rows == ('["Joe Sharp"]', '["Timbaland"]')
    assert rows.truncated
    assert not database.run("SELECT Name FROM singer ORDER BY Singer_ID LIMIT 2", 2).truncated


def test_a_query_that_runs_for_ever_is_ended_and_the_next_one_is_answered(database: Any) -> None:
    hurried = SandboxedDatabase(database, database.url, SandboxLimits(seconds=0.5))
    endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with pytest.raises(DatabaseError, match=r"takes longer than 0\.5 s"):
        hurried.run(endless, 1)
    assert database.run("SELECT 1 AS one", 1).columns == ("one",)


def test_a_query_that_takes_too_much_memory_is_ended_and_the_next_one_is_answered(database: Any) -> None:
    narrow = SandboxedDatabase(database, database.url, SandboxLimits(megabytes=128))
    sql = {
        "SQLite": "SELECT length(replace(hex(zeroblob(200000000)), '0', 'xx')) AS n",
        "DuckDB": "SELECT len(list_transform(range(1000000), lambda x: repeat('x', 1000000))) AS n",
    }
    with pytest.raises(DatabaseError, match=r"(?i)memory|too big"):
        narrow.run(sql[database.product], 1)
    assert database.run("SELECT 1 AS one", 1).columns == ("one",)


def test_rows_that_are_too_large_are_not_sent(database: Database) -> None:
    text = {"SQLite": "hex(zeroblob(3000000))", "DuckDB": "repeat('x', 6000000)"}[database.product]
    with pytest.raises(DatabaseError, match="too large"):
        database.run(f"SELECT {text} AS t FROM singer", 2)
    assert database.run("SELECT 1 AS one", 1).columns == ("one",)


def test_its_own_words_say_what_is_wrong_with_a_query(database: Database) -> None:
    sql, refused = database.fit("SELECT shoe_size FROM singer", Schema())
    assert refused is not None
    assert refused.code == "database"
    assert "shoe_size" in refused.message
    assert sql == "SELECT shoe_size FROM singer"


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("x'00ff27'", r'"\\x00\\xFF\\x27"'),
        ("9e999", '"Infinity"'),
        ("-9e999", '"-Infinity"'),
        ("NULL", "null"),
        ("9223372036854775807", "9223372036854775807"),
        ("0.1", "0.1"),
        ("CAST(x'c4e3' AS TEXT)", '"\ufffd\ufffd"'),
    ],
)
def test_every_cell_is_written_as_json(tmp_path: Path, cell: str, written: str) -> None:
    path = sqlite_file(tmp_path)
    rows = open_database(SecretStr(f"sqlite:///{path}"), NAME).run(f"SELECT {cell} AS cell", 1)
    assert rows.rows == (f"[{written}]",)
    json.loads(rows.rows[0], parse_constant=pytest.fail)


def configured(folder: Path, text: str) -> Databases:
    path = folder / "databases.yaml"
    path.write_text(text)
    return Databases(path)


def test_databases_are_named_in_a_file_that_is_read_again_when_it_changes(tmp_path: Path) -> None:
    databases = configured(tmp_path, f"a: sqlite:///{sqlite_file(tmp_path)}\n")
    assert databases.names() == ["a"]
    assert databases.open("a") is databases.open("a")
    assert len(asyncio.run(databases.open("a").schema()).tables) == 4
    (tmp_path / "databases.yaml").write_text(f"a: duckdb:///{duckdb_file(tmp_path)}\nother: env:OTHER\n")
    assert databases.names() == ["a", "other"]
    assert databases.open("a").database.product == "DuckDB"
    databases.close()


def test_an_unknown_database_is_an_error_that_names_the_near_ones(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="did you mean 'shop'"):
        configured(tmp_path, "shop: sqlite:///shop.sqlite\n").open("shopp")


def test_urls_and_passwords_are_references_and_a_missing_one_says_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    databases = configured(
        tmp_path, "whole: env:SHOP_URL\nsecret: postgresql://reader:env:SHOP_PASSWORD@127.0.0.1/shop\n"
    )
    for name in ("whole", "secret"):
        with pytest.raises(SetupError, match="export SHOP_"):
            databases.open(name)
    monkeypatch.setenv("SHOP_URL", f"sqlite:///{sqlite_file(tmp_path)}")
    assert databases.open("whole").database.product == "SQLite"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("oracle://scott@127.0.0.1/orcl", "URL scheme oracle"),
        ("nonsense", "cannot be read"),
        ("sqlite://", "names no SQLite file"),
    ],
)
def test_a_url_that_names_nothing_readable_is_an_error_without_its_password(url: str, words: str) -> None:
    with pytest.raises(SetupError, match=words):
        open_database(SecretStr(url), "shop")


@pytest.mark.parametrize("url", ["sqlite:////nowhere/shop.sqlite", "duckdb:////nowhere/shop.duckdb"])
def test_a_database_that_cannot_be_reached_says_so_in_its_own_words(url: str) -> None:
    with pytest.raises(DatabaseError, match=r"unable to open|Cannot open"):
        open_database(SecretStr(url), "shop").read_schema()


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    database = open_database(SecretStr(f"postgresql://reader:hush-hush@/shop?host={tmp_path}"), "shop")
    with pytest.raises(DatabaseError) as raised:
        database.read_schema()
    assert "hush-hush" not in str(raised.value)
