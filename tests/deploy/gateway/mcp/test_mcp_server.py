"""The MCP server under the official client: what it shows, what it refuses, and what it leaves to other processes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic

import anyio
import psutil
import pytest
from mcp import Client
from quackllm.deploy.gateway.databases.in_sandbox import SANDBOX

from support.bombs import BOMBS
from support.database_servers import database_on, running_mariadb, running_postgres
from support.hostile_sql import REFUSED, REFUSED_BY_SCHEMA
from support.mcp_clients import SINGERS, call, in_process, make_shop, over_stdio, refusal

MAX_DESCRIPTION = 3_000  # Characters of the tools and instructions; a token of English JSON is 3 to 4 of them.
ESCAPES = ["SET threads = 64", "SELECT 1; SET memory_limit = '64GB'", "RESET ALL", "PRAGMA disable_optimizer"]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return make_shop(tmp_path / "shop.duckdb")


def write_elsewhere(path: Path, sql: str) -> None:
    """Let another process write to a DuckDB file."""
    code = f"import duckdb; duckdb.connect({str(path)!r}).execute({sql!r})"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=60)


def test_a_client_starts_it_and_another_process_writes_between_two_calls(shop: Path) -> None:
    async def session(client: Client) -> None:
        tools = (await client.list_tools()).tools
        assert [tool.name for tool in tools] == ["search", "query"]
        assert all(tool.annotations and tool.annotations.read_only_hint for tool in tools)
        described = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
        assert len(described) + len(client.instructions or "") < MAX_DESCRIPTION

        assert "who is on stage" in await call(client, "search", words="stage")
        count = "SELECT count(*) FROM singer"
        assert json.loads(await call(client, "query", sql=count))["rows"] == [[3]]
        write_elsewhere(
            shop, "INSERT INTO singer VALUES (4, 'Di', 'Spain', 20); CREATE TABLE hall AS SELECT 7 AS seats"
        )
        assert json.loads(await call(client, "query", sql=count))["rows"] == [[4]]
        assert json.loads(await call(client, "query", sql="SELECT seats FROM hall"))["rows"] == [[7]]

    over_stdio(session, str(shop))


def test_a_question_is_answered_with_its_sql(shop: Path) -> None:
    seen: list[str | None] = []

    async def progress(_: float, __: float | None, message: str | None) -> None:
        seen.append(message)

    async def session(client: Client) -> None:
        asked = {"question": "How many singers are from France?"}
        result = await client.call_tool("query", asked, progress_callback=progress)
        answer = json.loads(result.content[0].text)  # type: ignore[union-attr]
        assert answer["rows"] == [[2]]
        assert answer["sql"] == "SELECT COUNT(*) FROM singer WHERE country = 'France'"
        assert answer["model"] == "builtin_text2sql"
        assert 0 < answer["confidence"] <= 1

    in_process(session, {"shop": f"duckdb:///{shop}"})
    assert seen == ["asking builtin_text2sql", "running the query"]


@pytest.mark.parametrize("kind", ["duckdb", "sqlite"])
def test_no_hostile_statement_gets_through(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"shop.{kind}"
    if kind == "duckdb":
        make_shop(path)
    else:
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(SINGERS.replace("COMMENT ON TABLE singer IS 'who is on stage';", ""))
    before = hashlib.sha256(path.read_bytes()).digest()

    async def session(client: Client) -> None:
        for sql in [*REFUSED, *REFUSED_BY_SCHEMA, *ESCAPES]:
            await refusal(client, "query", sql=sql)
        assert json.loads(await call(client, "query", sql="SELECT count(*) FROM singer"))["rows"] == [[3]]

    in_process(session, {"shop": f"{kind}:///{path}"})
    assert hashlib.sha256(path.read_bytes()).digest() == before
    assert {each.name for each in tmp_path.iterdir()} <= {path.name, "home"}


def test_a_query_that_takes_too_much_is_ended_and_says_so(shop: Path) -> None:
    async def session(client: Client) -> None:
        endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"
        assert "takes longer than 0.5 s" in await refusal(client, "query", sql=endless)
        large = "SELECT max(list_aggregate(range(100000000 + id), 'sum')) FROM singer"
        assert "memory" in await refusal(client, "query", sql=large)

    in_process(session, {"shop": f"duckdb:///{shop}"}, statement_seconds=0.5, statement_megabytes=64)


@pytest.mark.load
def test_no_query_takes_more_than_it_may(shop: Path) -> None:
    async def session(client: Client) -> None:
        for sql in BOMBS:
            started = monotonic()
            result = await client.call_tool("query", {"sql": sql})
            assert monotonic() - started < 30, sql
            assert len(result.content[0].text) < 100_000  # type: ignore[union-attr]

    in_process(session, {"shop": f"duckdb:///{shop}"}, statement_seconds=2, statement_megabytes=256)


def test_a_cancelled_query_ends_at_once(shop: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"

    async def session(client: Client) -> None:
        with anyio.move_on_after(1.5) as scope:
            await client.call_tool("query", {"sql": endless})
        assert scope.cancelled_caught
        await call(client, "query", sql="SELECT 1")
        with anyio.fail_after(10):  # Half a minute is what the query might have taken.
            while SANDBOX.busy:
                await anyio.sleep(0.05)

    in_process(session, {"shop": f"duckdb:///{shop}"})


def test_a_query_that_is_cancelled_over_stdio_ends_in_the_server(shop: Path) -> None:
    endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range = 7"

    def seconds_used() -> float:
        """Return the processor time of the server and its sandbox."""
        times = [process.cpu_times() for process in psutil.Process().children(recursive=True)]
        return sum(each.user for each in times)

    async def session(client: Client) -> None:
        await call(client, "query", sql="SELECT 1")
        before = seconds_used()
        with anyio.move_on_after(30) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(partial(call, client, "query", sql=endless))
                while seconds_used() < before + 0.3:  # It runs.
                    await anyio.sleep(0.05)
                group.cancel_scope.cancel()
        assert not scope.cancelled_caught
        with anyio.fail_after(20):  # The query itself might take 30 s.
            used = None
            while used is None or seconds_used() > used + 0.05:
                used = seconds_used()
                await anyio.sleep(0.5)
        await call(client, "query", sql="SELECT 1")

    over_stdio(session, str(shop))


def test_several_databases_are_told_apart(shop: Path, tmp_path: Path) -> None:
    old = tmp_path / "old.sqlite"
    with closing(sqlite3.connect(old)) as connection:
        connection.executescript("CREATE TABLE hall (name TEXT, seats INTEGER); INSERT INTO hall VALUES ('Olympia', 9)")

    async def session(client: Client) -> None:
        assert "shop (DuckDB)\nold (SQLite)" in await call(client, "search")
        assert "several databases: shop, old" in await refusal(client, "query", sql="SELECT 1")
        assert json.loads(await call(client, "query", sql='SELECT "seats" FROM hall', database="old"))["rows"] == [[9]]
        assert "shop" in await refusal(client, "query", sql="SELECT 1", database="shpo")
        listed = (await client.list_resources()).resources
        assert [str(resource.uri) for resource in listed] == ["schema://shop", "schema://old"]
        text = (await client.read_resource("schema://old")).contents[0].text  # type: ignore[union-attr]
        assert "(seats:INTEGER" in text
        prompts = (await client.list_prompts()).prompts
        assert [prompt.name for prompt in prompts] == ["ask", "describe"]

    in_process(session, {"shop": f"duckdb:///{shop}", "old": f"sqlite:///{old}"})


def test_notes_beside_the_database_are_found(shop: Path) -> None:
    shop.with_suffix(".notes.md").write_text("# Conventions\nA veteran is a singer over 40.\n")

    async def session(client: Client) -> None:
        assert "A veteran is a singer over 40." in await call(client, "search", words="veteran")

    in_process(session, {"shop": f"duckdb:///{shop}"})


def test_a_value_beyond_the_samples_is_found_in_the_table(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    make_shop(path)
    write_elsewhere(
        path,
        "CREATE TABLE town AS SELECT 'town ' || i AS name FROM range(6000) t(i); INSERT INTO town VALUES ('Reykjavík')",
    )

    async def session(client: Client) -> None:
        assert "town.name: 'Reykjavík'" in await call(client, "search", words="Reykjavík")

    in_process(session, {"shop": f"duckdb:///{path}"})


def test_the_wrong_arguments_are_answered_with_the_right_ones(shop: Path) -> None:
    async def session(client: Client) -> None:
        assert "either sql or question" in await refusal(client, "query")
        assert "either sql or question" in await refusal(client, "query", sql="SELECT 1", question="how many?")
        assert "max_rows" in await refusal(client, "query", sql="SELECT 1", max_rows=0)
        assert 'Candidate bindings: "name"' in await refusal(client, "query", sql="SELECT nam FROM singer")

    in_process(session, {"shop": f"duckdb:///{shop}"})


@pytest.mark.databases
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_servers_answer_and_refuse_as_files_do(kind: str) -> None:
    from sqlalchemy import create_engine

    async def session(client: Client) -> None:
        found = "SELECT name FROM singer WHERE age > 30 ORDER BY name"
        assert json.loads(await call(client, "query", sql=found))["rows"] == [["Ann"], ["Cy"]]
        assert json.loads(await call(client, "query", question="How many singers are there?"))["rows"] == [[3]]
        assert "singer.country: 'France'" in await call(client, "search", words="france")
        for sql in [*REFUSED, *REFUSED_BY_SCHEMA, *ESCAPES, "SELECT user, 1 AS user FROM singer"]:
            await refusal(client, "query", sql=sql)

    running = running_postgres if kind == "postgresql" else running_mariadb
    with running() as server, database_on(server, "shop") as url:
        engine = create_engine(url)
        with engine.begin() as connection:
            for statement in SINGERS.split(";"):
                if statement.strip() and "COMMENT" not in statement:
                    connection.exec_driver_sql(statement.replace("VARCHAR", "VARCHAR(99)"))
        engine.dispose()
        in_process(session, {"shop": url})
