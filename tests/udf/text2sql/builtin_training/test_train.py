from __future__ import annotations

import gzip
import json
import os
import random
import sys
from pathlib import Path

import duckdb
import pytest
from quackllm.udf.text2sql.builtin_training import augment, query_trees, training_examples
from quackllm.udf.text2sql.evaluation import datasets
from quackllm.workers.builtin.network.numpy_network import load_network
from quackllm.workers.builtin.query.from_sql import parse_sql
from quackllm.workers.builtin.query.grammar import KEYWORDS, WORD, is_valid, keyword
from quackllm.workers.builtin.query.to_sql import format_sql
from quackllm.workers.builtin.semantic_parser import parse
from quackllm.workers.mschema import format_mschema

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


CHINESE_DDL = """CREATE TABLE "图书" ("图书id" VARCHAR, "书名" VARCHAR, "售价" DOUBLE);
CREATE TABLE "作者" ("作者id" VARCHAR, "所写图书id" VARCHAR, "姓名" VARCHAR);"""
CHINESE = [
    {"dialogue": number, "turn": turn, "db": database, "question": question, "sql": sql}
    for number, (turn, database, question, sql) in enumerate(
        [
            (0, "书店", "有多少图书？", 'SELECT COUNT(*) FROM "图书"'),
            (0, "图书馆", "列出所有图书的书名。", 'SELECT "书名" FROM "图书"'),
            (0, "图书馆", "售价是多少？", 'SELECT "售价" FROM "图书"'),
            (
                0,
                "图书馆",
                "谁写了活着？",
                """SELECT "T1"."姓名" FROM "作者" AS "T1" JOIN "图书" AS "T2"
              ON "T1"."所写图书id" = "T2"."图书id" WHERE "T2"."书名" = '活着'""",
            ),
            (
                0,
                "图书馆",
                "谁？",
                'SELECT "T1"."姓名" FROM "作者" AS "T1" JOIN "图书" AS "T2" ON "T1"."姓名" = "T2"."书名"',
            ),
        ]
    )
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
    (tmp_path / "train" / "chase_zh.jsonl").write_text("\n".join(map(json.dumps, CHINESE)), "utf-8")
    schemas = "\n".join(json.dumps({"db": name, "ddl": CHINESE_DDL}) for name in ("书店", "图书馆"))
    (tmp_path / "chase_zh_schemas.jsonl.gz").write_bytes(gzip.compress(schemas.encode()))
    monkeypatch.setenv("QUACKLLM_DATA", os.fspath(tmp_path))
    datasets.load_schema.cache_clear()
    return tmp_path


def test_trees_are_kept_where_they_give_the_gold_result(folder: Path) -> None:
    readings, reasons = query_trees.read_questions(datasets.load_questions("spider", "train"))
    assert [one.tree is not None for one in readings] == [True, True, True, True, True, False]
    assert list(reasons) == ["not read: table band is unknown or read twice"]


def test_examples_have_legal_symbols_and_their_history(folder: Path) -> None:
    suites = {name: datasets.load_questions(name, "train") for name in ("spider", "cosql")}
    made = training_examples.spider_examples(suites)
    assert len(made.train) >= 6
    assert made.dropped == 1, "the question does not say 'Kraftwerk'"
    assert all(is_valid(example.symbols) for example in made.train)
    assert made.train[-1].linked.sizes[1] == 6, "the second turn brings the first one's words"


def test_declines_are_questions_of_another_database(folder: Path) -> None:
    made = training_examples.spider_examples({"spider": datasets.load_questions("spider", "train")})
    assert made.english.declined(10, random.Random(0)) == []
    made.english.questions.append(("another", "How many ships sank?"))
    declined = made.english.declined(40, random.Random(0))
    assert declined
    assert {example.symbols for example in declined} == {(keyword("DECLINE"),)}


@pytest.mark.parametrize("known", [True, False])
def test_one_table_questions_know_cells_or_find_their_constant(
    folder: Path, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_examples, "CELLS_VISIBLE", 1.0 if known else 0.0)
    (example,) = training_examples.table_examples(datasets.load_questions("wikisql", "train"), random.Random(0))
    cells = {1: "Köln"} if known else {}
    assert [(one.value.text, one.cells) for one in example.linked.candidates] == [("Köln", cells)]


def test_chinese_questions_are_taken_where_their_joins_follow_from_the_names(folder: Path) -> None:
    made = training_examples.ExampleSets()
    training_examples.chinese_examples(made, datasets.load_questions("chase_zh", "train"))
    assert len(made.chinese_held_out) == 1, "the first of each ten databases is held out"
    assert len(made.wide) == 3, "姓名 = 书名 is no key"
    assert any(kind == WORD for example in made.wide for kind, _ in example.symbols), "活着 is no cell that is known"
    assert set(made.chinese.links) == {"图书馆"}


def test_a_template_asks_the_same_of_other_tables(folder: Path) -> None:
    made = training_examples.ExampleSets()
    training_examples.chinese_examples(made, datasets.load_questions("chase_zh", "train"))
    links = made.chinese.links["图书馆"]
    template = augment.make_template("列出所有图书的书名。", parse_sql('SELECT "书名" FROM "图书"', links.names), links)
    assert template is not None
    asked = {
        (question, format_sql(tree, schema.names).replace('"', ""))
        for schema, question, tree in augment.augment([template], [links], 40, random.Random(0))
    }
    assert asked == {
        ("列出所有图书的书名。", "SELECT 书名 FROM 图书"),
        ("列出所有作者的姓名。", "SELECT 姓名 FROM 作者"),
        ("列出所有作者的作者id。", "SELECT 作者id FROM 作者"),
    }


def test_a_question_that_names_less_than_its_query_is_no_template(folder: Path) -> None:
    links = training_examples.SchemaLinks(training_examples.SchemaIndex(datasets.load_schema("bands")))
    tree = parse_sql("SELECT title FROM song", links.names)
    assert augment.make_template("List the titles of all songs.", tree, links) is not None
    assert augment.make_template("List all songs.", tree, links) is None
    assert augment.make_template("List the titles of the title songs.", tree, links) is None


def test_a_tiny_training_run_answers_its_questions(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from quackllm.udf.text2sql.builtin_training import train
    from quackllm.workers.builtin.network.torch_network import NetworkConfig, TorchNetwork
    from quackllm.workers.builtin.network.weights_file import save_weights

    out = folder / "weights.npz"
    monkeypatch.setattr(train, "WARM_UP", 5)
    small = NetworkConfig(width=32, heads=2, encoder_layers=1, decoder_layers=1, inner=32, features=16)
    monkeypatch.setattr(train, "NetworkConfig", lambda: small)
    arguments = ["--out", str(out), "--steps", "250", "--rate", "0.01", "--drop", "0", "--batch", "8", "--tables", "1"]
    monkeypatch.setattr(sys, "argv", ["train_builtin", *arguments])
    train.main()
    network, schema = load_network(out), format_mschema(datasets.load_schema("bands"))
    assert parse(network, schema, [], ASKED[0][0]).sql == ASKED[0][1]
    assert parse(network, schema, [], ASKED[1][0]).sql == ASKED[1][1]
    assert network.arrays["keyword_out.bias"].shape == (len(KEYWORDS),)
    untrained, chosen = folder / "untrained.npz", folder / "chosen.npz"
    save_weights(untrained, TorchNetwork(small).state_dict(), small)
    train.choose_weights(chosen, [untrained, out], datasets.load_questions("spider", "train")[:2])
    assert chosen.read_bytes() == out.read_bytes()


def test_a_run_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    from quackllm.udf.text2sql.builtin_training import train
    from quackllm.workers.builtin.network.torch_network import NetworkConfig
    from quackllm.workers.errors import SetupError

    small = NetworkConfig(width=16, heads=2, encoder_layers=1, decoder_layers=1, inner=16, features=8)
    prepared = train.prepare(None, 1)
    course = train.TrainingConfig(1, 40, 0.01, 0.0, 0.0, 0, False)
    first = train.Trainer(prepared, small, course)
    for batch in train.batches(prepared.train * 3, 8, random.Random(0)):
        first.step(batch)
    first.save_checkpoint(folder / "run.checkpoint")
    second = train.Trainer(prepared, small, course)
    second.load_checkpoint(folder / "run.checkpoint")
    assert second.steps == first.steps > 0
    one, two = first.network.state_dict(), second.network.state_dict()
    assert all((one[name] == two[name]).all() for name in one)
    other = train.Trainer(prepared, small, train.TrainingConfig(1, 41, 0.01, 0.0, 0.0, 0, False))
    with pytest.raises(SetupError, match="other settings"):
        other.load_checkpoint(folder / "run.checkpoint")
