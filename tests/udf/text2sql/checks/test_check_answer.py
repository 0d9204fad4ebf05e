"""An answer's SQL is checked within real limits: bombs are ended, what is harmless passes, the process stays small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psutil
import pytest
from quackllm.udf.text2sql.checks import check_answer as checks
from quackllm.udf.text2sql.checks.check_answer import check_answer
from quackllm.udf.text2sql.checks.own_process import bounded_ask_query
from quackllm.udf.text2sql.confidence.sql_facts import sql_facts
from quackllm.workers.database_schema import Column, Schema, Table
from quackllm.workers.sandbox import SandboxLimits

from support.bombs import CONSTANTS, OF_THE_PARSER, WITHOUT_ROWS

TYPES = {"n": "BIGINT", "big": "BIGINT", "name": "VARCHAR", "body": "VARCHAR", "l": "INTEGER[]", "d": "DATE"}
SCHEMA = Schema("memory", (Table("t", tuple(Column(*column) for column in TYPES.items())),))
LIMITS = SandboxLimits(megabytes=256, seconds=1.5)
MEMORY = [0, 4, 7, 13, 15, 20, 24, 55]
"""Constants that take more memory than time."""


@pytest.mark.parametrize("sql", [CONSTANTS[number] for number in MEMORY])
def test_constants_that_take_too_much_are_refused_and_this_process_stays_small(sql: str) -> None:
    before = psutil.Process().memory_info().rss
    _, failure = check_answer(f"```sql\n{sql}\n```", SCHEMA, True, LIMITS)
    assert failure is not None
    assert failure.code in ("memory", "time")
    assert psutil.Process().memory_info().rss - before < 300 << 20


@pytest.mark.parametrize("sql", [OF_THE_PARSER[0], CONSTANTS[29]], ids=["unions", "levenshtein"])
def test_what_no_interrupt_stops_is_ended_whoever_computes(sql: str) -> None:
    found, failure = check_answer(sql, SCHEMA, True, LIMITS)
    assert failure is not None
    # Whichever limit a machine reaches first; without memory DuckDB's parser says that it cannot parse the text.
    assert failure.code in ("time", "memory") or "it cannot be parsed" in failure.message
    assert found in (sql, "")  # The parser alone may have reached it.
    assert check_answer("SELECT name FROM t", SCHEMA, True) == ("SELECT name FROM t", None)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT formatReadableSize(big), pg_size_pretty(big), pg_typeof(n), name.lower() FROM t",
        "SELECT d, repeat('#', count(*) * 50 // max(n)) FROM t GROUP BY d",
        "SELECT name, range(2 * 12), repeat('-', 10 * 10), lpad(name, 20) FROM t".replace("lpad(name, 20)", "len(l)"),
        "SELECT unnest(generate_series(DATE '2000-01-01', DATE '2024-12-31', INTERVAL 1 DAY))",
        "PIVOT t ON name USING count(*)",
        "DESCRIBE t",
        "SUMMARIZE t",
        'WITH "rev/month" AS (SELECT n FROM t) SELECT * FROM "rev/month"',
        *WITHOUT_ROWS[:3],
    ],
)
def test_what_reads_and_writes_nothing_else_passes_unread(sql: str) -> None:
    assert check_answer(sql, SCHEMA, True) == (sql, None)


def test_sql_that_is_known_is_not_checked_again_and_a_changed_schema_is(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    call = checks.SANDBOX.call

    def counted(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        sent.append(function.__name__)
        return call(function, *arguments, **named)

    monkeypatch.setattr(checks.SANDBOX, "call", counted)
    sql = "SELECT name FROM t WHERE n = 4711"
    again = Schema("memory", (Table("t", (*SCHEMA.tables[0].columns,)),))
    for schema in (SCHEMA, again):
        assert check_answer(sql, schema, True) == (sql, None)
        assert sql_facts(sql, schema)["tables"] == ["t"]
        assert "4711" in bounded_ask_query(sql, schema, 10)
    assert sent == ["verify", "facts_in_child", "bounded_query", "run_empty"]
    _, failure = check_answer(sql, Schema("memory", (Table("t", (Column("n", "BIGINT"),)),)), True)
    assert failure is not None


def test_a_check_that_took_too_long_is_made_again() -> None:
    sql, limits = OF_THE_PARSER[0], SandboxLimits(megabytes=256, seconds=0.2)
    assert check_answer(sql, SCHEMA, True, limits)[1] is not None
    before = checks._checked.cache_info()
    assert check_answer(sql, SCHEMA, True, limits)[1] is not None
    after = checks._checked.cache_info()
    assert (after.hits, after.currsize) == (before.hits, before.currsize)
