from __future__ import annotations

import pytest
from quackllm.udf.text2sql.checks.string_literals import normalize_string_literals
from quackllm.workers.database_schema import Column, Schema, Table

SCHEMA = Schema(tables=(Table("head", (Column("age", "INTEGER"), Column("born state", "VARCHAR"))),))


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            'SELECT age FROM head WHERE "born state" = "NY"',
            "SELECT age FROM head WHERE \"born state\" = 'NY'",
        ),
        ('SELECT age FROM head WHERE name <> "O\'Neill"', "SELECT age FROM head WHERE name <> 'O''Neill'"),
        (
            'SELECT "age" AS "Y" FROM "head" ORDER BY "Y"',
            'SELECT "age" AS "Y" FROM "head" ORDER BY "Y"',
        ),
        ("SELECT age FROM head WHERE name = 'Ann'", "SELECT age FROM head WHERE name = 'Ann'"),
        ('SELECT "unfinished', 'SELECT "unfinished'),
    ],
)
def test_text_in_double_quotes_is_told_from_names(sql: str, told: str) -> None:
    assert normalize_string_literals(sql, SCHEMA) == told
