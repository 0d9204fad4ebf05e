"""The statements of benchmarks/shapes.yaml and idioms.py make the calls that are said there, and give the same rows."""

from __future__ import annotations

import sys
from pathlib import Path

from support.sql_oracle import oracles

sys.path.append(str(Path(__file__).parents[3] / "benchmarks"))

import idioms
import shapes

DIFFERENT = ("random() in the list", "EXPLAIN ANALYZE")


def test_each_shape_makes_the_calls_that_are_said_and_gives_the_rows_of_the_plain_way() -> None:
    too_many, differ = {}, []
    with oracles() as asked, shapes.tables("on") as planned, shapes.tables("off") as plain:
        plain.execute("SET VARIABLE llm_store = 'on'")
        for shape in shapes.load():
            asked.clear()
            rows = planned.execute(shape.sql).fetchall()
            if len(asked) > shape.allowed:
                too_many[shape.name] = len(asked)
            if sorted(map(str, plain.execute(shape.sql).fetchall())) != sorted(map(str, rows)):
                differ.append(shape.name)
    assert not too_many
    assert not set(differ).difference(DIFFERENT)


def test_an_idiom_beside_a_model_keeps_the_guards() -> None:
    with oracles() as asked, shapes.tables("on") as connection:
        connection.execute("SET VARIABLE llm_store = 'refresh'")
        made = {}
        for shape in idioms.load():
            asked.clear()
            connection.execute(shape.sql).fetchall()
            made[shape.name] = len(asked)
    assert {name: count for name, count in made.items() if count > 7} == {}
