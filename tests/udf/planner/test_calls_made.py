"""How many calls everyday SQL makes: those that it needs, whatever idioms stand beside the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyarrow.dataset import dataset

import quackllm
from standin.fixtures import StandIn

pytest_plugins = ["support.oracle_fixtures"]

TABLES = """
CREATE TABLE t AS SELECT i AS id, 'row ' || i AS body, DATE '2020-01-01' + i::INTEGER AS day, [i, i + 1] AS l,
    {'a': i::VARCHAR}::JSON AS j, TIMESTAMP '2020-01-01 10:00:00' AS ts FROM range(1000) t(i);
CREATE TABLE u AS SELECT i AS id, CASE WHEN i < 7 THEN 'Korean' ELSE 'other' END AS language FROM range(1000) t(i);
"""
NATIVE = "u.language = 'Korean'"


@pytest.fixture
def connection(asked: list[str]) -> Iterator[quackllm.Connection]:
    with quackllm.connect(model="orc") as connection:
        connection.execute(TABLES)
        yield connection


@pytest.mark.parametrize(
    ("sql", "values"),
    [
        ("SELECT id FROM t WHERE body IS NOT NULL AND {} LIMIT 3", ()),
        ("SELECT id::VARCHAR FROM t WHERE {} LIMIT 3", ()),
        ("SELECT id FROM t WHERE {} ORDER BY day DESC NULLS LAST LIMIT 3", ()),
        ("SELECT id FROM t WHERE {} LIMIT ?", (3,)),
        ("SELECT id FROM t WHERE id > ? AND {} LIMIT $2", (5, 3)),
        ("SELECT id FROM t WHERE {} LIMIT ? OFFSET ?", (2, 1)),
        ("WITH a AS (SELECT id, {} AS ok FROM t WHERE id > 3) SELECT id, ok FROM a WHERE ok LIMIT 3", ()),
        ("SELECT x.id FROM (SELECT id, {} AS ok FROM (SELECT id, body FROM t)) x WHERE x.ok AND x.id > 3 LIMIT 3", ()),
    ],
)
def test_a_limit_stops_early(connection, asked: list[str], sql: str, values: tuple[Any, ...]) -> None:
    if "$2" in sql:
        sql = sql.replace("?", "$1")
    rows = connection.execute(sql.format("llm_result(orc('yn: ' || body)) = 'yes'"), list(values)).fetchall()
    assert len(rows) in (2, 3)
    assert len(asked) == 8


@pytest.mark.parametrize("mark", ["?", "$1", "$language"])
def test_parameters_keep_the_guards(connection, asked: list[str], mark: str) -> None:
    values = {"language": "Korean"} if mark == "$language" else ["Korean"]
    sql = f"SELECT t.id FROM t JOIN u USING (id) WHERE language = {mark} AND llm_result(orc('yn: ' || body)) = 'yes'"
    connection.execute(sql, values).fetchall()
    assert len(asked) == 7


SHAPES = {
    "a fallback": ("SELECT coalesce(orc('say: ' || body).output, elf(body).output) FROM t WHERE id < 10", 10),
    "a default in a prompt": (
        "SELECT elf('say: ' || coalesce(llm_result(orc('say: ' || body)), 'none')) FROM t WHERE id < 3",
        6,
    ),
    "ELSE": (
        "SELECT CASE WHEN llm_result(orc('say: x')) LIKE 'x%' THEN 1 ELSE length(llm_result(elf(body))) END FROM t",
        1,
    ),
    "if": ("SELECT if(llm_result(orc('say: x')) LIKE 'x%', 1, length(llm_result(elf(body)))) FROM t", 1),
    "OR": (
        "SELECT id FROM t WHERE id < 9 AND (llm_result(orc('say: x')) LIKE 'x%' OR llm_result(elf(body)) = 'y')",
        1,
    ),
    "a list": ("SELECT elf('say: ' || list(llm_result(orc('say: ' || body)))::VARCHAR) FROM t WHERE id < 5", 6),
    "an aggregate": (
        "SELECT elf('say: ' || string_agg(llm_result(orc('say: ' || body)), ',' ORDER BY id)) FROM t WHERE id < 5",
        6,
    ),
    "a count in a prompt": (
        "SELECT elf('say: ' || count(*)) FROM t WHERE id < 5 AND llm_result(orc('say: ' || body)) IS NOT NULL",
        6,
    ),
    "concat": ("SELECT elf(concat('say: ', llm_result(orc('say: ' || body)))) FROM t WHERE id < 5", 10),
    "NOT EXISTS": (
        "SELECT elf('say: ' || id) FROM t WHERE id < 5 AND NOT EXISTS "
        "(SELECT 1 FROM u WHERE u.id = 1 AND llm_result(orc('say: ' || language)) IS NOT NULL)",
        1,
    ),
    "an anti join": (
        "WITH a AS (SELECT id FROM u WHERE id < 3 AND llm_result(orc('say: ' || id)) IS NOT NULL) "
        "SELECT elf('say: ' || t.id) FROM t ANTI JOIN a USING (id) WHERE t.id < 5",
        5,
    ),
    "IS DISTINCT FROM": (
        "WITH a AS (SELECT body, llm_result(orc('say: x')) AS r FROM t WHERE id < 5) "
        "SELECT elf(body) FROM a WHERE left(r, 1) IS DISTINCT FROM 'x'",
        1,
    ),
    "an alias": (
        "SELECT llm_result(orc('say: ' || body)) AS a, elf(concat('say: ', a)) FROM t WHERE id < 5",
        10,
    ),
    "an alias of an alias": (
        "SELECT llm_result(orc('say: ' || body)) AS a, llm_result(elf('say: ' || a)) AS b, elf(concat('say: ', b)) "
        "FROM t WHERE id < 5",
        15,
    ),
    "a lambda": (
        "SELECT list_transform([llm_result(orc('say: ' || body))], lambda x: elf(concat('say: ', x))) FROM t "
        "WHERE id < 5",
        10,
    ),
    "a recursive CTE": (
        "WITH RECURSIVE r AS (SELECT 1 AS n, llm_result(orc('say: begin')) AS s UNION ALL "
        "SELECT n + 1, llm_result(orc('say: ' || coalesce(s, 'nothing'))) FROM r WHERE n < 4) FROM r",
        4,
    ),
    "FILTER": (
        "SELECT count(*) FILTER (WHERE id < 5 AND llm_result(orc('yn: ' || body)) = 'yes') FROM t",
        5,
    ),
    "groups by an answer": (
        "SELECT llm_result(orc('cls: ' || body)) AS c, count(*) FROM t WHERE id < 9 "
        "GROUP BY llm_result(orc('cls: ' || t.body))",
        9,
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_sent_that_depends_on_a_missing_answer(connection, asked: list[str], shape: str) -> None:
    sql, needed = SHAPES[shape]
    rows = connection.execute(sql).fetchall()
    assert len(asked) == needed
    connection.execute("SET VARIABLE llm_prefetch = 'off'")
    assert sorted(map(str, connection.execute(sql).fetchall())) == sorted(map(str, rows))


NAMES = "SELECT 'P' || i AS name FROM range(10) t(i)", "VALUES " + ", ".join(f"('P{i}')" for i in range(10))


@pytest.mark.parametrize("names", NAMES, ids=["range", "values"])
@pytest.mark.parametrize("turns", [2, 3])
def test_each_turn_of_a_conversation_carries_those_before_it(service: StandIn, turns: int, names: str) -> None:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    turn = "chat('Who am I, ' || name || '?')"
    for number in range(2, turns + 1):
        turn = f"chat(llm_stack({turn}, 'turn {number} of ' || name))"
    with quackllm.connect() as connection:
        connection.execute(f"SELECT {turn} FROM ({names}) t(name)").fetchall()
    bodies = [request["body"] for request in service.requests()]
    assert len(bodies) == 10 * turns
    said = [[message["content"] for message in body["messages"]] for body in bodies]
    for number in range(2, turns + 1):
        later = [texts for texts in said if texts[-1].startswith(f"turn {number} of ")]
        assert len(later) == 10
        assert all(len(texts) == 2 * number - 1 and texts[0].startswith("Who am I") for texts in later)


@pytest.mark.parametrize("value", ["now()", "current_timestamp", "txid_current()", "transaction_timestamp()"])
def test_what_is_constant_within_a_query_is_so_for_its_dry_run(connection, asked: list[str], value: str) -> None:
    connection.execute(f"SELECT orc(body || {value}).output FROM t WHERE id < 10").fetchall()
    assert len(asked) == 10


def test_the_estimate_names_a_model_that_only_a_failure_would_call(connection, asked: list[str]) -> None:
    sql = "SELECT coalesce(orc('say: ' || body).output, elf(body).output) FROM t WHERE id < 10"
    found = {each.model: each for each in quackllm.estimate(connection, sql)}
    assert {name: (each.to_ask, each.at_most) for name, each in found.items()} == {"orc": (10, True), "elf": (10, True)}
    assert not asked


def test_a_model_in_having(connection, asked: list[str]) -> None:
    connection.execute(
        "SELECT body, count(*) FROM t WHERE id < 6 GROUP BY body HAVING llm_result(orc('yn: ' || body)) = 'yes'"
    ).fetchall()
    assert len(asked) == 6


def test_the_store_mode_holds_for_each_call_site(connection, asked: list[str]) -> None:
    connection.execute("SET VARIABLE llm_store = 'off'")
    sql = "SELECT orc('say: ' || body) FROM t WHERE llm_result(orc('yn: ' || body)) = 'yes' LIMIT 3"
    connection.execute(sql).fetchall()
    first = len(asked)
    connection.execute(sql).fetchall()
    assert first == 11
    assert len(asked) == 2 * first


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        ("UPDATE t SET body = llm_result(orc('say: ' || body)), id = id + 1 WHERE id % 100 = 3", 10),
        ("UPDATE t AS a SET body = llm_result(orc('say: ' || u.language)) FROM u WHERE a.id = u.id AND u.id < 20", 2),
        ("UPDATE t SET id = 0 WHERE id < 5 AND llm_result(orc('yn: ' || body)) = 'yes' RETURNING body", 5),
        ("DELETE FROM t WHERE llm_result(orc('yn: ' || body)) = 'yes' AND id BETWEEN 10 AND 15", 6),
        (f"DELETE FROM t USING u WHERE t.id = u.id AND {NATIVE} AND llm_result(orc('yn: ' || t.body)) = 'no'", 7),
        ("INSERT INTO k SELECT id, llm_result(orc('say: ' || body)) FROM t WHERE id < 4 ON CONFLICT DO NOTHING", 4),
        ("INSERT INTO k SELECT id, llm_result(orc('say: ' || body)) FROM t WHERE id < 4 RETURNING *", 4),
        ("EXPLAIN ANALYZE SELECT llm_result(orc('say: ' || body)) FROM t WHERE id < 4", 4),
    ],
)
def test_a_statement_that_changes_rows_is_planned_as_the_select_of_its_rows(
    connection, asked: list[str], sql: str, calls: int
) -> None:
    connection.execute("CREATE TABLE k (id INTEGER PRIMARY KEY, body VARCHAR)")
    other = connection.cursor()
    results = []
    for prefetch in ("off", "on"):
        connection.execute(f"SET VARIABLE llm_prefetch = '{prefetch}'")
        if prefetch == "off":
            connection.execute("BEGIN")
        rows = connection.execute(sql).fetchall()
        tables = [connection.execute(f"FROM {name} ORDER BY ALL").fetchall() for name in ("t", "k")]
        results.append(([] if sql.startswith("EXPLAIN") else sorted(map(str, rows)), tables))
        if prefetch == "off":
            connection.execute("ROLLBACK")
            asked.clear()
            connection.execute("SET VARIABLE llm_store = 'refresh'")
    assert results[0] == results[1]
    assert len(asked) == calls
    assert other.execute("SELECT count(*) FROM k").fetchone() == (len(results[1][1][1]),), "it is committed"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT orc(body || random()) FROM t WHERE id < 2", "random() gives another value each time"),
        ("SELECT orc(body) FROM t USING SAMPLE 2 ROWS", "a sample has other rows each time"),
        (
            "MERGE INTO t USING u ON t.id = u.id AND u.id > 3 WHEN NOT MATCHED BY SOURCE AND t.id < 3 "
            "THEN UPDATE SET body = orc(body).output",
            "MERGE statements of this form",
        ),
        ("SELECT orc(reader.body) FROM reader", "can be read once only"),
    ],
)
def test_a_statement_that_is_not_planned_says_why_once(connection, caplog, sql: str, reason: str) -> None:
    reader = pa.table({"body": ["a", "b"]}).to_reader()
    if "reader" in sql:
        connection.register("reader", reader)
    with caplog.at_level("INFO", "quackllm"):
        connection.execute(sql).fetchall()
    told = [record.getMessage() for record in caplog.records if "not planned" in record.getMessage()]
    assert len(told) == 1
    assert reason in told[0]


YES = "llm_result(orc('yn: ' || body)) = 'yes'"


@pytest.mark.parametrize(
    ("sql", "calls"),
    [
        (f"SELECT t.id FROM t JOIN u USING (id) WHERE {NATIVE} AND {YES}", 8),
        (f"SELECT id, id + 1 FROM t WHERE {YES} LIMIT 3", 8),
        (f"SELECT count(*), max(body) FROM t JOIN u USING (id) WHERE {NATIVE} AND {YES}", 8),
        (f"SELECT id FROM (SELECT id FROM t WHERE {YES}) x JOIN u USING (id) WHERE language = 'Korean'", 8),
        (f"UPDATE t SET body = llm_result(orc('say: ' || body)) FROM u WHERE t.id = u.id AND {NATIVE} AND {YES}", 12),
        (f"INSERT INTO u SELECT id, body FROM t JOIN u USING (id) WHERE {NATIVE} AND {YES} RETURNING *", 8),
        ("SELECT llm_result(orc(llm_stack(orc('say: ' || body), 'say: and ' || id))) FROM t WHERE id < 5", 12),
    ],
)
def test_a_statement_in_the_users_own_transaction_is_planned(
    connection, asked: list[str], sql: str, calls: int
) -> None:
    other, results, made = connection.cursor(), [], []
    for prefetch in ("off", "on"):
        connection.execute(f"SET VARIABLE llm_prefetch = '{prefetch}'; SET VARIABLE llm_store = 'refresh'")
        connection.execute("BEGIN; INSERT INTO t (id, body) VALUES (4, 'mine')")
        asked.clear()
        results.append(sorted(map(str, connection.execute(sql).fetchall())))
        made.append(len(asked))
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1001,), "the transaction is still open"
        assert other.execute("SELECT count(*) FROM t").fetchone() == (1000,)
        connection.execute("ROLLBACK")
    assert results[0] == results[1]
    assert made[1] == calls <= made[0]


def test_a_statement_that_a_missing_answer_could_break_says_why_it_is_not_planned(connection, caplog) -> None:
    connection.execute("BEGIN")
    with caplog.at_level("INFO", "quackllm"):
        connection.execute(f"SELECT coalesce({YES}, false) FROM t WHERE id < 3").fetchall()
    assert "an error of its dry run could end the transaction" in caplog.text
    connection.execute("COMMIT")


def test_a_statement_over_a_temporary_table_runs_unrewritten_in_the_users_own_transaction(
    connection, asked: list[str], caplog
) -> None:
    connection.execute("CREATE TEMP TABLE mine AS SELECT id, body FROM t WHERE id < 20")
    connection.execute("BEGIN; INSERT INTO mine VALUES (3, 'new')")
    with caplog.at_level("INFO", "quackllm"):
        rows = connection.execute(f"SELECT id FROM mine JOIN u USING (id) WHERE {NATIVE} AND {YES}").fetchall()
    assert rows
    assert "an error of its dry run could end the transaction" in caplog.text
    connection.execute("COMMIT")
    assert connection.execute("SELECT count(*) FROM mine").fetchone() == (21,)


def test_a_statement_with_an_error_fails_with_it_in_the_users_own_transaction(connection, asked: list[str]) -> None:
    connection.execute("BEGIN")
    with pytest.raises(duckdb.BinderException, match="nothing_like_it"):
        connection.execute(f"SELECT nothing_like_it FROM t WHERE {YES}").fetchall()
    assert not asked


@pytest.mark.parametrize("form", ["table", "batch", "dataset", "frame", "registered"])
def test_arrow_tables_and_frames_of_the_caller_keep_the_guards(connection, asked: list[str], form: str) -> None:
    table = pa.table({"number": range(250), "body": [f"row {i}" for i in range(250)]})
    sources = {"table": table, "batch": table.to_batches()[0], "dataset": dataset(table), "frame": table.to_pandas()}
    mine = sources.get(form)
    if mine is None:
        connection.register("mine", table)
    rows = connection.execute(f"SELECT number FROM mine JOIN u ON number = u.id WHERE {NATIVE} AND {YES}").fetchall()
    assert rows
    assert len(asked) == 7


def test_a_reader_beside_a_table_of_the_caller_is_read_once(connection, asked: list[str]) -> None:
    mine = pa.table({"number": range(9)})
    reader = pa.table({"body": ["a", "b", "c"]}).to_reader()
    sql = "SELECT count(*) FROM mine, reader WHERE llm_result(orc('say: ' || body)) IS NOT NULL"
    assert connection.execute(sql).fetchall() == [(27,)]
    assert mine.num_rows == 9
    assert reader is not None


def test_what_is_executed_is_what_was_prepared_last(connection, asked: list[str]) -> None:
    connection.execute(f"PREPARE mine AS SELECT id FROM t WHERE {YES} AND id < $1")
    connection.execute("DEALLOCATE mine")
    with pytest.raises(duckdb.Error):
        connection.execute("EXECUTE mine(5)")
    assert not asked
    connection.execute(f"PREPARE mine AS SELECT t.id FROM t JOIN u USING (id) WHERE {NATIVE} AND {YES} AND t.id < $1")
    with pytest.raises(duckdb.Error):
        connection.execute("EXECUTE mine(5, 6)")
    assert connection.execute("EXECUTE mine(5)").fetchall()
    assert len(asked) == 5


def test_what_is_read_in_a_row_of_its_own_is_no_value_of_the_result(connection, asked: list[str]) -> None:
    yes = "llm_result(orc('yn: ' || body)) = 'yes'"
    for sql in (
        f"SELECT random() AS r FROM t JOIN u USING (id) WHERE {NATIVE.replace('u.', '')} AND {yes} ORDER BY r",
        f"SELECT DISTINCT random() FROM t JOIN u USING (id) WHERE {NATIVE.replace('u.', '')} AND {yes}",
    ):
        assert all(value is not None for (value,) in connection.execute(sql).fetchall())


@pytest.mark.parametrize("sql", ["CREATE VIEW v AS SELECT orc(body) FROM t", "CREATE MACRO m(x) AS llm_result(orc(x))"])
def test_a_statement_that_only_defines_calls_nothing(connection, asked: list[str], caplog, sql: str) -> None:
    with caplog.at_level("INFO", "quackllm"):
        connection.execute(sql)
    assert not asked
    assert "not planned" not in caplog.text


def test_a_table_that_exists_already_is_not_filled(connection, asked: list[str]) -> None:
    connection.execute("CREATE TABLE IF NOT EXISTS k (id) AS SELECT 1 FROM t WHERE llm_result(orc(body)) = 'x'")
    first = len(asked)
    connection.execute("CREATE TABLE IF NOT EXISTS k (id) AS SELECT 1 FROM t WHERE llm_result(elf(body)) = 'x'")
    assert (first, len(asked)) == (1000, 1000)


def test_the_estimate_says_why_there_is_none(connection) -> None:
    with pytest.raises(quackllm.QuackLLMError, match="UPDATE statements of this form are not planned"):
        quackllm.estimate(connection, "UPDATE t SET (id, body) = (1, llm_result(orc(body)))")


def test_a_macro_with_the_name_of_a_builtin_function_is_seen(connection, asked: list[str]) -> None:
    connection.execute("CREATE TEMP MACRO lower(x) AS x || random()")
    sql = "SELECT llm_result(orc('say: ' || lower(body))) FROM t WHERE id < 10 AND llm_result(orc('yn: x')) IS NOT NULL"
    rows = connection.execute(sql).fetchall()
    assert len(rows) == 10
    assert all(row[0] for row in rows)


def test_calls_that_depend_on_nothing_are_found_by_one_run_ahead(connection) -> None:
    read: list[int] = []

    def noted(number: int) -> int:
        read.append(number)
        return number

    connection.create_function("noted", noted, ["BIGINT"], "BIGINT")
    rows = connection.execute("SELECT orc(body || ' once').output FROM t WHERE noted(id) < 10").fetchall()
    (in_all,) = connection.execute("SELECT count(*) FROM t").fetchone()
    assert (len(rows), len(read)) == (10, 2 * in_all), "one run ahead, and the statement itself"
