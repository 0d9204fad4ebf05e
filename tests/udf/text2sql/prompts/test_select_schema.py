"""Of a large schema the model sees the tables and columns that a question may need, within a limit."""

from __future__ import annotations

import pytest
from quackllm.udf.text2sql.prompts.select_schema import MAX_CHARACTERS, MAX_COLUMNS, select_schema
from quackllm.workers.database_schema import Column, ForeignKey, Schema, Table
from quackllm.workers.mschema import format_mschema

PARTS = ("order", "invoice", "payroll", "sensor", "ticket", "route", "recipe", "lease", "vote", "claim")


def table(name: str, *columns: str, comment: str = "") -> Table:
    return Table(name, tuple(Column(each, "VARCHAR") for each in columns), comment)


FILLER = tuple(
    table(f"{part}_{number}", "id", "created_at", f"{part}_status", "remark") for part in PARTS for number in range(90)
)
OWN = (
    table("singer", "singer_id", "name", "salary"),
    table("singer_in_concert", "singer_id", "concert_id"),
    table("concert", "concert_id", "venue"),
    table("t_emp", "c1", "c2", comment="员工工资表"),
)
KEYS = (
    ForeignKey("singer_in_concert", "singer_id", "singer", "singer_id"),
    ForeignKey("singer_in_concert", "concert_id", "concert", "concert_id"),
)
LARGE = Schema("shop", FILLER[:450] + OWN + FILLER[450:], KEYS)


def shown(question: str, values=()) -> set[str]:
    part = select_schema(LARGE, question, values)
    assert len(format_mschema(part)) <= 1.2 * MAX_CHARACTERS
    assert 3 < len(part.tables) < 600
    return {each.name for each in part.tables}


def test_a_small_schema_is_shown_whole() -> None:
    small = Schema("shop", OWN, KEYS)
    assert select_schema(small, "How many orders are there?") is small


def test_the_tables_that_are_named_and_the_one_between_them() -> None:
    assert {"singer", "singer_in_concert", "concert"} <= shown("Which singers sang in a concert?")


def test_related_words() -> None:
    assert "singer" in shown("What do the vocalists earn, what is their pay?")


def test_chinese_comments() -> None:
    assert "t_emp" in shown("员工的平均工资是多少？")


def test_a_table_whose_cell_is_mentioned() -> None:
    assert "concert" in shown("What happened in Wembley?", [("concert", "venue", "Wembley")])


@pytest.mark.parametrize("word", ["reimbursement", "altitude"])
def test_one_of_2000_columns(word: str) -> None:
    columns = [Column("id", "INTEGER", True), *(Column(f"field_{n}", "DOUBLE") for n in range(2_000)), Column(word)]
    wide = Schema("shop", (Table("wide", tuple(columns)),))
    part = select_schema(wide, f"What is the average {word}?")
    names = [column.name for column in part.tables[0].columns]
    assert len(names) == MAX_COLUMNS
    assert {"id", word} <= set(names)
