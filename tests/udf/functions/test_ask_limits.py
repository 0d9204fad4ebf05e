"""`ask` in the user's own process: the sandbox computes its constants, a watchdog interrupts the rest."""

from __future__ import annotations

import time
from typing import Any

import psutil
import pytest
from quackllm.workers.errors import GuardError, MemoryLimitError, Text2SQLError, TimeLimitError

import quackllm
from standin.fixtures import StandIn
from support.bombs import BY_COLUMN, TABLE, WITHOUT_ROWS

ENDLESS = "SELECT count(*) FROM t a, t b, t c, t d WHERE a.name || b.name || c.name <> d.name"


def ask(service: StandIn, sql: str, limits: str = "") -> Any:
    """Return the answer of a model that writes this SQL, in a process with the bombs' table."""
    quackllm.deploy("writer", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": f"```sql\n{sql}\n```"}])
    connection = quackllm.connect(model="writer")
    connection.execute(TABLE)
    return connection.execute(f"FROM ask('how many?'{limits})").fetchall()


def test_an_answer_is_given_as_before_with_its_columns_names(service: StandIn) -> None:
    assert ask(service, "SELECT count(*) FROM t") == [(2000,)]
    quackllm.deploy("writer", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": "SELECT n, repeat('#', n) AS bar FROM t ORDER BY n DESC LIMIT 2"}])
    connection = quackllm.connect(model="writer")
    connection.execute(TABLE)
    relation = connection.sql("FROM ask('the longest bars?')")
    assert relation.columns == ["n", "bar"]
    assert [(n, len(bar)) for n, bar in relation.fetchall()] == [(1999, 1999), (1998, 1998)]


def test_the_seconds_count_from_the_question_on_the_model_s_time_included(service: StandIn) -> None:
    quackllm.deploy("slow", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 30}])
    connection = quackllm.connect(model="slow")
    connection.execute("CREATE TABLE t (n INTEGER)")
    started = time.monotonic()
    with pytest.raises(TimeLimitError, match=r"longer than 0\.5 s"):
        connection.execute("FROM ask('how many?', seconds := 0.5)").fetchall()
    assert time.monotonic() - started < 10


def test_what_runs_for_ever_is_interrupted_and_the_connection_goes_on(service: StandIn) -> None:
    with pytest.raises(TimeLimitError):
        ask(service, ENDLESS, ", seconds := 4")
    assert quackllm.connect().execute("SELECT 1").fetchall() == [(1,)]


def test_what_collects_without_end_is_interrupted_at_its_memory(service: StandIn) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(MemoryLimitError, match="more than 200 MB"):
        ask(service, "SELECT list(a.body || b.n) FROM t a, t b, range(100)", ", max_memory_mb := 200")
    assert psutil.Process().memory_info().rss - before < 2000 << 20


def test_constants_that_take_too_much_never_reach_this_process(service: StandIn) -> None:
    before = psutil.Process().memory_info().rss
    with pytest.raises(Text2SQLError, match="takes more memory than 512 MB"):
        ask(service, "SELECT len(list_transform(range(1000000), lambda x: repeat('x', 1000000)))")
    assert psutil.Process().memory_info().rss - before < 300 << 20


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (BY_COLUMN[0], "ask stops: what repeat would make"),
        (BY_COLUMN[4], "ask stops: what range would make"),
        (BY_COLUMN[12], "ask stops: what levenshtein would make"),
        (WITHOUT_ROWS[18], "ask stops: what repeat would make"),
    ],
)
def test_a_size_that_a_row_says_is_bounded(service: StandIn, sql: str, words: str) -> None:
    with pytest.raises(Exception, match=words):
        ask(service, sql)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (BY_COLUMN[8], "no limit on the width"),
        (BY_COLUMN[15], "no limit on what list_reduce collects"),
        ("SELECT repeat('x', 1000000) FROM t", "repeats a constant of 1,000,000 bytes"),
        ("PIVOT t ON name USING count(*)", "names no values"),
    ],
)
def test_what_nothing_bounds_is_refused_in_plain_words(service: StandIn, sql: str, words: str) -> None:
    with pytest.raises(GuardError, match=words):
        ask(service, sql)


def test_guarded_query_runs_a_select_with_the_limits_of_ask() -> None:
    connection = quackllm.connect()
    connection.execute(TABLE)
    relation = connection.sql("FROM guarded_query('SELECT n AS number FROM t ORDER BY n', max_rows := 2)")
    assert (relation.columns, relation.fetchall()) == (["number"], [(0,), (1,)])
    with pytest.raises(TimeLimitError):
        connection.execute(f"FROM guarded_query('{ENDLESS}', seconds := 2)").fetchall()
    with pytest.raises(GuardError):
        connection.execute("FROM guarded_query('DROP TABLE t')")
    assert connection.execute("SELECT count(*) FROM t").fetchone() == (2000,)


def test_sql_that_does_not_bind_is_refused_in_duckdbs_words() -> None:
    connection = quackllm.connect()
    connection.execute("CREATE TABLE item AS SELECT 'a' AS name")
    for sql in ("SELECT range(name) FROM item", "SELECT repeat(absent, 2) FROM item"):
        with pytest.raises(Text2SQLError, match="does not fit the schema: Binder Error"):
            connection.execute("FROM guarded_query(?)", [sql]).fetchall()
