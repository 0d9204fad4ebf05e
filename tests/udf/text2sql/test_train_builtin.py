from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path

import duckdb
import pytest
from quackllm.udf.text2sql import data, examples, trees
from quackllm.workers.builtin.grammar import KEYWORDS, is_legal, keyword
from quackllm.workers.builtin.network import load_network
from quackllm.workers.builtin.parser import parse
from quackllm.workers.mschema import write

SCHEMA = """\
CREATE TABLE "band" (
    "band_id" BIGINT,
    "name" VARCHAR,
    "members" BIGINT
);
-- primary key: band_id

CREATE TABLE "song" (
    "song_id" BIGINT,
    "band_id" BIGINT,
    "title" VARCHAR
);
-- primary key: song_id
-- foreign key: band_id -> band(band_id)
"""
ROWS = {"band": "(1, 'Can', 5), (2, 'Neu', 2)", "song": "(1, 1, 'Vitamin C'), (2, 2, 'Hallogallo')"}
ASKED = [
    ("How many bands are there?", "SELECT COUNT(*) FROM band"),
    ("List the titles of all songs.", "SELECT title FROM song"),
    ("Which bands have more than 3 members?", "SELECT name FROM band WHERE members > 3"),
    (
        "What are the titles of songs by Can?",
        "SELECT s.title FROM song s JOIN band b ON s.band_id = b.band_id WHERE b.name = 'Can'",
    ),
    ("Who is behind 'Autobahn'?", "SELECT name FROM band WHERE name = 'Kraftwerk'"),
    ("Pairs of bands?", "SELECT a.name FROM band a JOIN band b ON a.members < b.members"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one small database and a few training questions."""
    place = tmp_path / "databases" / "bands"
    place.mkdir(parents=True)
    (place / "schema.sql").write_text(SCHEMA, "utf-8")
    with duckdb.connect() as connection:
        for table, rows in ROWS.items():
            names = "(band_id, name, members)" if table == "band" else "(song_id, band_id, title)"
            connection.execute(f"COPY (SELECT * FROM (VALUES {rows}) t{names}) TO '{place / table}.parquet'")
    lines = [json.dumps({"db": "bands", "question": question, "sql": sql, "ordered": False}) for question, sql in ASKED]
    turns = [{**json.loads(lines[0]), "dialogue": 1, "turn": 1}, {**json.loads(lines[2]), "dialogue": 1, "turn": 2}]
    columns = {"a": "VARCHAR", "b": "VARCHAR"}
    table = {"question": "Who is from Köln?", "sql": "SELECT a FROM t WHERE b = 'Köln'", "columns": columns}
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "spider.jsonl").write_text("\n".join(lines), "utf-8")
    (tmp_path / "train" / "spider_synonyms.jsonl").write_text("", "utf-8")
    (tmp_path / "train" / "cosql.jsonl").write_text("\n".join(map(json.dumps, turns)), "utf-8")
    (tmp_path / "train" / "wikisql.jsonl").write_text(json.dumps(table), "utf-8")
    monkeypatch.setenv("QUACKLLM_DATA", os.fspath(tmp_path))
    data.schema_of.cache_clear()
    return tmp_path


def test_trees_are_kept_where_they_give_the_gold_result(folder: Path) -> None:
    readings, reasons = trees.read_questions(data.questions("spider", "train"))
    assert [one.tree is not None for one in readings] == [True, True, True, True, True, False]
    assert list(reasons) == ["not read: table band is unknown or read twice"]


def test_examples_have_legal_symbols_and_their_history(folder: Path) -> None:
    suites = {name: data.questions(name, "train") for name in ("spider", "cosql")}
    made = examples.spider_examples(suites)
    assert len(made.train) >= 6
    assert made.dropped == 1, "the question does not say 'Kraftwerk'"
    assert all(is_legal(example.symbols) for example in made.train)
    assert made.train[-1].linked.sizes[1] == 6, "the second turn brings the first one's words"


def test_declines_are_questions_of_another_database(folder: Path) -> None:
    made = examples.spider_examples({"spider": data.questions("spider", "train")})
    assert made.declined(10, random.Random(0)) == []
    made.asked.append(("another", "How many ships sank?"))
    declined = made.declined(40, random.Random(0))
    assert declined
    assert {example.symbols for example in declined} == {(keyword("DECLINE"),)}


def test_one_table_questions_know_the_cells_that_they_name(folder: Path) -> None:
    (example,) = examples.table_examples(data.questions("wikisql", "train"))
    assert [(one.value.text, one.cells) for one in example.linked.candidates] == [("Köln", {1: "Köln"})]


def test_a_tiny_training_run_answers_its_questions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from quackllm.udf.text2sql import train_builtin
    from quackllm.workers.builtin.torch_network import Shape

    out = folder / "weights.npz"
    monkeypatch.setattr(train_builtin, "WARM_UP", 5)
    small = Shape(width=32, heads=2, encoder_layers=1, decoder_layers=1, inner=32, features=16)
    monkeypatch.setattr(train_builtin, "Shape", lambda: small)
    arguments = [
        "--out",
        str(out),
        "--minutes",
        "0.12",
        "--rate",
        "0.01",
        "--drop",
        "0",
        "--batch",
        "8",
        "--tables",
        "1",
    ]
    monkeypatch.setattr(sys, "argv", ["train_builtin", *arguments])
    train_builtin.main()
    network, schema = load_network(out), write(data.schema_of("bands"))
    assert parse(network, schema, [], ASKED[0][0]).sql == ASKED[0][1]
    assert parse(network, schema, [], ASKED[1][0]).sql == ASKED[1][1]
    assert network.arrays["keyword_out.bias"].shape == (len(KEYWORDS),)
