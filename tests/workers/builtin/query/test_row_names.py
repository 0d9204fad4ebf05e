"""Answers that name rows: `row_names.py` and `whole_rows.py`."""

from __future__ import annotations

import pytest
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.implied_tables import drop_implied_tables
from quackllm.workers.builtin.query.row_names import with_row_names
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.query.whole_rows import with_whole_rows
from quackllm.workers.builtin.schema.schema_index import SchemaIndex
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table

DRIVER = Table("driver", (Column("driver_id", "INTEGER"), Column("driver_name", "VARCHAR"), Column("age", "INTEGER")))
PARCEL = Table(
    "parcel",
    (
        Column("parcel_id", "INTEGER"),
        Column("driver_id", "INTEGER"),
        Column("weight", "DOUBLE"),
        Column("to_city", "VARCHAR", comment="目的城市"),
        Column("no_show", "BOOLEAN"),
    ),
    comment="包裹",
)
KEY = ForeignKey("parcel", "driver_id", "driver", "driver_id")
NAMES = SchemaIndex(Schema("post", (DRIVER, PARCEL), (KEY,)))
NEVER = "SELECT driver_id FROM driver EXCEPT SELECT driver_id FROM parcel"
NAMED = "SELECT driver_name FROM driver WHERE driver_id NOT IN (SELECT driver_id FROM parcel)"


@pytest.mark.parametrize(
    ("question", "sql", "written"),
    [
        ("Which drivers have no parcels?", NEVER, NAMED),
        ("The ids of drivers without parcels", NEVER, NEVER),
        (
            "What is the heaviest parcel?",
            "SELECT MAX(weight) FROM parcel",
            "SELECT * FROM parcel ORDER BY weight DESC LIMIT 1",
        ),
        (
            "Who is the youngest of them? What is the youngest driver?",
            "SELECT MIN(age) FROM driver",
            "SELECT driver_name FROM driver ORDER BY age LIMIT 1",
        ),
        ("What is the highest weight?", "SELECT MAX(weight) FROM parcel", "SELECT MAX(weight) FROM parcel"),
    ],
)
def test_rows_are_told_by_their_names(question: str, sql: str, written: str) -> None:
    tree = drop_implied_tables(parse_sql(sql, NAMES), NAMES)
    assert format_sql(with_row_names(tree, NAMES, question), NAMES) == written


WHOLE = "SELECT * FROM parcel WHERE driver_id = 4"


@pytest.mark.parametrize(
    ("question", "selected", "written"),
    [
        ("Parcels of driver 4", "to_city", WHOLE),
        ("Show the parcels of driver 4", "no_show", WHOLE),
        ("list all parcels with driver 4", "COUNT(*)", WHOLE),
        ("司机4的包裹", "to_city", WHOLE),
        ("司机4的包裹有哪些？", "weight", WHOLE),
        ("Parcels of driver 4 and their city", "to_city", "SELECT to_city FROM parcel WHERE driver_id = 4"),
        ("Parcels of driver 4 last year", "COUNT(*)", "SELECT COUNT(*) FROM parcel WHERE driver_id = 4"),
        ("How many parcels of driver 4?", "COUNT(*)", "SELECT COUNT(*) FROM parcel WHERE driver_id = 4"),
        ("司机4的目的城市", "to_city", "SELECT to_city FROM parcel WHERE driver_id = 4"),
        ("Weights of driver 4", "weight", "SELECT weight FROM parcel WHERE driver_id = 4"),
    ],
)
def test_rows_that_are_asked_for_are_whole(question: str, selected: str, written: str) -> None:
    tree = parse_sql(f"SELECT {selected} FROM parcel WHERE driver_id = 4", NAMES)
    assert format_sql(with_whole_rows(tree, NAMES, question), NAMES) == written


def test_rows_with_a_name_are_told_by_it() -> None:
    tree = parse_sql("SELECT driver_name FROM driver", NAMES)
    assert with_whole_rows(tree, NAMES, "List all drivers") == tree
