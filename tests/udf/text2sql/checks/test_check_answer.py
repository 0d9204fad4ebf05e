"""An answer's SQL is checked within real limits: bombs are ended, what is harmless passes, the process stays small."""

from __future__ import annotations

import psutil
import pytest
from quackllm.udf.text2sql.checks.check_answer import SANDBOX, check_answer
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
    assert failure.code in ("time", "memory")  # Whichever limit a machine reaches first.
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


def test_the_same_answer_for_the_same_tables_is_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checks: list[str] = []
    call = SANDBOX.call
    monkeypatch.setattr(
        SANDBOX, "call", lambda work, sql, *rest, **how: checks.append(sql) or call(work, sql, *rest, **how)
    )
    other = Schema("memory", (Table("t", (Column("n", "BIGINT"),)),))
    for _ in range(2):
        assert check_answer("SELECT name, 'checked once' FROM t", SCHEMA, True)[1] is None
        assert check_answer("SELECT name, 'checked once' FROM t", other, True)[1] is not None
    assert len(checks) == 2
