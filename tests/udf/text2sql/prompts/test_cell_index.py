"""The index of all texts of a file: the same cells as a scan finds, and never those of an older file."""

from __future__ import annotations

import duckdb
import pytest
from quackllm.udf.text2sql.prompts import cell_index
from quackllm.udf.text2sql.prompts.cell_index import IndexedCells, find, index_file, write_index
from quackllm.udf.text2sql.prompts.find_cells import CellScan
from quackllm.udf.text2sql.prompts.value_matching import phrases_in
from quackllm.udf.text2sql.schema.catalog import read_catalog

CELLS = ("São Paulo", "Wolverhampton", "ＡＢＣ", "上海浦东", "Ph.D.")
QUESTIONS = {
    "Who lives in sao paulo?": "São Paulo",
    "Where is Wolverhamptn?": "Wolverhampton",
    "where is olverhampton": "Wolverhampton",
    "What is abc?": "ＡＢＣ",
    "上海浦东有多少人？": "上海浦东",
    "Who has a Ph.D.?": "Ph.D.",
}


@pytest.fixture(autouse=True)
def always(monkeypatch) -> None:
    """Let every search be slow enough for an index."""
    monkeypatch.setattr(cell_index, "SLOW_SECONDS", 0.0)


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "city.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE city AS SELECT 'filler ' || i AS name FROM range(8000) r(i)")
        connection.executemany("INSERT INTO city VALUES (?)", [[cell] for cell in CELLS])
    return path


def test_it_finds_what_a_scan_finds(database) -> None:
    with duckdb.connect(database) as connection:
        schema = read_catalog(connection)
        cells = IndexedCells(connection.cursor, database)
        first = cells("Where is Wolverhamptn?", schema)
        cells.build.join()
        assert index_file(database).is_file()
        assert first == cells("Where is Wolverhamptn?", schema) == [("city", "name", "Wolverhampton")]
        scan = CellScan(connection.cursor)
        for question, cell in QUESTIONS.items():
            assert scan(question, schema) == cells(question, schema) == [("city", "name", cell)]


def test_a_changed_file_is_read_anew(database) -> None:
    with duckdb.connect(database) as connection:
        cells = IndexedCells(connection.cursor, database)
        cells("?", read_catalog(connection))
        cells.build.join()
        old = index_file(database)
        connection.execute("INSERT INTO city VALUES ('Ouagadougou')")
        connection.execute("CHECKPOINT")
        schema = read_catalog(connection)
        assert cells("Where is Ouagadougou?", schema) == [("city", "name", "Ouagadougou")]
        cells.build.join()
        assert cells("Where is Ouagadougou?", schema) == [("city", "name", "Ouagadougou")]
        assert (old.exists(), index_file(database).exists()) == (False, True)


def test_a_damaged_index_is_no_answer(database) -> None:
    path = index_file(database)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no index" * 1000)
    with duckdb.connect(database) as connection:
        schema = read_catalog(connection)
        cells = IndexedCells(connection.cursor, database)
        assert cells("Who lives in sao paulo?", schema) == [("city", "name", "São Paulo")]
    cells.build.join()  # The user's connection closes while the index is built.
    assert find(index_file(database), ["sao paulo"], []) == [("city", "name", "São Paulo")]


def test_it_is_bounded(database, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(cell_index, "MAX_TEXTS", 1000)
    monkeypatch.setattr(cell_index, "CHUNK", 500)
    with duckdb.connect(database) as connection:
        schema = read_catalog(connection)
        table = schema.tables[0]
        assert write_index(tmp_path / "i.sqlite", connection.cursor(), [(table, table.columns[0])]) == 1000
        assert find(tmp_path / "i.sqlite", *phrases_in("What is filler 10?", schema)) == [("city", "name", "filler 10")]


def test_a_fast_search_builds_none(database, monkeypatch) -> None:
    monkeypatch.setattr(cell_index, "SLOW_SECONDS", 1e9)
    with duckdb.connect(database) as connection:
        cells = IndexedCells(connection.cursor, database)
        assert cells("Who lives in sao paulo?", read_catalog(connection)) == [("city", "name", "São Paulo")]
        assert cells.build is None
