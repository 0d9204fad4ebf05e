"""Views and macros of the user's own that call models are planned as what they stand for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import quackllm

pytest_plugins = ["support.oracle_fixtures"]

YES = "llm_result(orc('yn: ' || body)) = 'yes'"


@pytest.fixture
def connection(asked: list[str]) -> Iterator[quackllm.Connection]:
    with quackllm.connect(model="orc") as connection:
        connection.execute("CREATE TABLE t AS SELECT i AS id, 'row ' || i AS body FROM range(300) r(i)")
        connection.execute(f"CREATE VIEW judged AS SELECT id, {YES} AS ok FROM t")
        yield connection


def test_a_view_that_another_cursor_makes_again_is_read_again(connection, asked: list[str]) -> None:
    sql = "SELECT id FROM judged WHERE ok LIMIT 3"
    connection.execute(sql).fetchall()
    first = len(asked)
    connection.cursor().execute(f"CREATE OR REPLACE VIEW judged AS SELECT id, {YES} AS ok FROM t WHERE id > 200")
    rows = connection.execute(sql).fetchall()
    assert (first, len(asked)) == (8, 16)
    assert min(rows)[0] > 200


def test_a_view_reads_the_table_that_duckdb_finds(connection, asked: list[str]) -> None:
    connection.execute(
        "CREATE SCHEMA far; CREATE TABLE far.t AS SELECT 900 + i AS id, 'far ' || i AS body FROM range(5) r(i)"
    )
    connection.execute(f"CREATE VIEW far.judged_far AS SELECT id, body, {YES} AS ok FROM t")
    connection.execute("CREATE TEMP TABLE u AS SELECT 1 AS id")
    for sql in ("FROM far.judged_far", "SELECT id FROM far.judged_far WHERE ok AND id > 0", "FROM judged WHERE id < 9"):
        planned = connection.execute(sql).fetchall()
        connection.execute("SET VARIABLE llm_prefetch = 'off'")
        assert sorted(connection.execute(sql).fetchall()) == sorted(planned), sql
        connection.execute("SET VARIABLE llm_prefetch = 'on'")


def test_a_cte_hides_a_view(connection, asked: list[str]) -> None:
    assert (
        connection.execute("WITH judged AS (SELECT 7 AS x) SELECT x FROM judged, t WHERE t.id < 2").fetchall()
        == [(7,)] * 2
    )
    assert not asked


def test_a_macro_that_cannot_be_put_in_says_so(connection, asked: list[str], caplog) -> None:
    connection.execute("CREATE MACRO likes(x, what := 'yn: ') AS llm_result(orc(what || x)) = 'yes'")
    with caplog.at_level("INFO", "quackllm"):
        rows = connection.execute("SELECT id FROM t WHERE id < 5 AND likes(body)").fetchall()
    assert [
        record.getMessage() for record in caplog.records if "likes cannot be written into it" in record.getMessage()
    ]
    assert sorted(rows) == sorted(connection.execute(f"SELECT id FROM t WHERE id < 5 AND {YES}").fetchall())


def test_a_macro_that_was_dropped_is_no_macro_any_more(connection, asked: list[str]) -> None:
    connection.execute("CREATE MACRO likes(x) AS llm_result(orc('yn: ' || x)) = 'yes'")
    connection.execute("SELECT count(*) FROM t WHERE id < 5 AND likes(body)").fetchall()
    connection.execute("DROP MACRO likes; CREATE MACRO likes(x) AS x = 'row 3'")
    assert connection.execute("SELECT id FROM t WHERE id < 5 AND likes(body)").fetchall() == [(3,)]
    assert len(asked) == 5


def test_an_estimate_sees_the_calls_of_a_view(connection, asked: list[str]) -> None:
    (found,) = quackllm.estimate(connection, "SELECT id FROM judged WHERE ok AND id < 5")
    assert (found.model, found.calls, found.at_most) == ("orc", 5, True)
    assert not asked


def test_a_view_over_nested_answers_sends_each_turn_once(connection, asked: list[str]) -> None:
    connection.execute(
        "CREATE VIEW talks AS SELECT id, "
        "llm_result(orc(llm_stack(orc('say: ' || body), 'say: and ' || id))) AS second FROM t"
    )
    connection.execute("SELECT second FROM talks WHERE id < 4").fetchall()
    assert len(asked) == 8
