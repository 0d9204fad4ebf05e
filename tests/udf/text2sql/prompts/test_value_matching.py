import pytest
from hypothesis import given
from hypothesis import strategies as st
from quackllm.udf.text2sql.prompts.value_matching import match_values
from quackllm.workers.database_schema import Column, Schema, Table

CITIES = ("New York", "York", "Paris", "北京", "上海市", "Rio de Janeiro", "A", "O'Fallon", "the")
SCHEMA = Schema(
    "x",
    (
        Table(
            "city", (Column("name", "VARCHAR", values=CITIES), Column("country", "VARCHAR", values=("France", "USA")))
        ),
        Table("team", (Column("home", "VARCHAR", values=("Paris", "city")),)),
    ),
)


def cells(question):
    return [cell for _, _, cell in match_values(question, SCHEMA)]


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("how many people live in new york?", ["New York"]),
        ("who was born in YORK", ["York"]),
        ("Is York older than New York?", ["New York", "York"]),
        ("from rio de janeiro to the usa", ["Rio de Janeiro", "USA"]),
        ("北京有多少人？", ["北京"]),
        ("what is in O'Fallon?", ["O'Fallon"]),
        ("how many are in class 'A'?", ["A"]),
        ("Which teams are at home in Pariss?", ["Paris", "Paris"]),
        ("which teams are from pariss?", []),
        ("Name the city with the most people", []),
        ("", []),
    ],
)
def test_cells_that_the_question_names(question, expected):
    assert cells(question) == expected


def test_every_column_that_holds_the_cell_is_named():
    assert match_values("teams from Paris", SCHEMA) == (("city", "name", "Paris"), ("team", "home", "Paris"))


def test_at_most_ten():
    schema = Schema("x", tuple(Table(f"t{i}", (Column("a", values=("Paris",)),)) for i in range(40)))
    assert len(match_values("Paris", schema)) == 10


@given(st.text(max_size=80))
def test_any_question_is_fine(question):
    assert set(cells(question)) <= {*CITIES, "France", "USA", "city"}
