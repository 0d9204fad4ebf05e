"""A cell is found in any row, case, width and accent, and with a typing error."""

from __future__ import annotations

import duckdb
import pytest
from quackllm.udf.text2sql.pipeline import Effort, prepare
from quackllm.udf.text2sql.prompts.find_cells import CellScan
from quackllm.udf.text2sql.prompts.value_matching import damerau_levenshtein, fold
from quackllm.udf.text2sql.schema.catalog import read_catalog
from quackllm.udf.text2sql.schema.resolve import ResolvedSchema
from quackllm.workers.messages import Request

CELLS = (
    "São Paulo",
    "Wolverhampton",
    "ＡＢＣ",
    "上海浦东",
    "O'Brien",
    "Ph.D.",
    "Comp. Sci.",
    "M",
    "needle in the haystack",
)


@pytest.fixture(scope="module")
def haystack():
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE city AS SELECT 'filler ' || i AS name, i AS number FROM range(30_000) r(i)")
        connection.executemany("INSERT INTO city VALUES (?, 0)", [[cell] for cell in CELLS])
        connection.execute("CREATE TABLE dept AS SELECT * FROM city WHERE number = 0 AND name LIKE '%.%' OR name = 'M'")
        yield connection


@pytest.mark.parametrize(
    ("question", "cell"),
    [
        ("How many people live in São Paulo?", "São Paulo"),
        ("How many people live in sao paulo?", "São Paulo"),
        ("Where is WOLVERHAMPTON?", "Wolverhampton"),
        ("Where is Wolverhamptn?", "Wolverhampton"),
        ("where is wolverhampotn", "Wolverhampton"),
        ("What is abc?", "ＡＢＣ"),
        ("上海浦东有多少人？", "上海浦东"),
        ("Who is O'Brien?", "O'Brien"),
        ("How many professors have a Ph.D. degree?", "Ph.D."),
        ("Who teaches in the computer science department?", "Comp. Sci."),
        ("How many have the code M?", "M"),
        ("Find the needle in the haystack", "needle in the haystack"),
    ],
)
def test_it_is_found_behind_all_samples(haystack, question: str, cell: str) -> None:
    schema = ResolvedSchema(read_catalog(haystack), from_catalog=True)
    prepared = prepare(Request.of(question), schema, Effort(find_cells=CellScan(haystack.cursor)))
    assert cell in [found for _, _, found in (*prepared.values, *prepared.near)]


def test_nothing_is_made_up(haystack) -> None:
    schema = ResolvedSchema(read_catalog(haystack), from_catalog=True)
    prepared = prepare(Request.of("How many cities are there?"), schema, Effort(find_cells=CellScan(haystack.cursor)))
    assert (prepared.values, prepared.near) == ((), ())


def test_a_column_whose_values_are_all_known_is_not_searched() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE city (name VARCHAR); INSERT INTO city VALUES ('York'), ('Hull')")
        schema = read_catalog(connection)
    assert schema.tables[0].columns[0].complete
    assert CellScan(lambda: pytest.fail("no need to open it"))("Where is York?", schema) == []


def test_a_table_that_was_dropped_since(haystack) -> None:
    schema = read_catalog(haystack)
    with duckdb.connect() as other:
        assert CellScan(other.cursor)("Where is Wolverhampton?", schema) == []


@pytest.mark.parametrize(
    ("one", "other", "edits"), [("hull", "hlul", 1), ("york", "yrk", 1), ("a", "", 1), ("x", "x", 0)]
)
def test_edits(one: str, other: str, edits: int) -> None:
    assert damerau_levenshtein(one, other) == edits


def test_fold() -> None:
    assert fold("Ｓão  ß") == "sao  ss"
