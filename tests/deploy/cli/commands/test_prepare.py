from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from quackllm.workers.training.data.chat_examples import read_examples
from typer.testing import CliRunner, Result

DDL = "CREATE TABLE head (age INTEGER, name VARCHAR)"
ROWS = [
    {"question": f"Who is older than {age}?", "context": DDL, "answer": f"SELECT name FROM head WHERE age > {age}"}
    for age in range(12)
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(line: str) -> Result:
    return CliRunner().invoke(app, line.split())


def lines_of(path: Path) -> list[dict[str, list[dict[str, str]]]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_json_list_becomes_what_finetune_takes(folder: Path) -> None:
    (folder / "own.json").write_text(json.dumps(ROWS), "utf-8")
    result = run("prepare own.json --prompt-form sqlcoder")
    assert result.exit_code == 0, result.stderr
    assert "train.jsonl: 12 examples of 1 schema" in result.stdout
    assert len(lines_of(folder / "train.jsonl")) == 12
    assert len(read_examples(str(folder / "train.jsonl")).rows) == 12
    assert not list(folder.glob(".draft-*"))


def test_the_seed_says_the_order(folder: Path) -> None:
    (folder / "own.json").write_text(json.dumps(ROWS), "utf-8")
    made = []
    for seed in (1, 1, 2):
        assert run(f"prepare own.json --seed {seed} --limit 9").exit_code == 0
        made.append((folder / "train.jsonl").read_text("utf-8"))
    assert made[0] == made[1] != made[2]
    assert made[0].count("\n") == 9


def test_whole_databases_are_kept_for_watching(folder: Path) -> None:
    rows = [{**row, "context": f"{DDL}; CREATE TABLE t{n % 4} (a INT)"} for n, row in enumerate(ROWS)]
    (folder / "own.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    assert run("prepare own.jsonl --eval-share 0.25 --out data.jsonl").exit_code == 0
    assert (len(lines_of(folder / "data.jsonl")), len(lines_of(folder / "data.eval.jsonl"))) == (9, 3)


def test_what_was_left_out_is_counted_and_named(folder: Path) -> None:
    rows = [*map(json.dumps, ROWS), "{half", json.dumps({**ROWS[0], "question": "?", "answer": "SELECT nme FROM head"})]
    (folder / "own.jsonl").write_text("\n".join([*rows, rows[0]]), "utf-8")
    result = run("prepare own.jsonl --left-out missing.jsonl")
    assert result.exit_code == 0
    assert "own.jsonl, line 13" in result.stdout
    assert "own.jsonl, line 14" in result.stdout
    assert [(one["line"], one["kind"]) for one in lines_of(folder / "missing.jsonl")] == [
        (13, "json"),
        (14, "binder"),
        (15, "duplicate"),
    ]


def test_parquet_a_query_and_a_repeated_source(folder: Path) -> None:
    with duckdb.connect("rows.duckdb") as connection:
        connection.execute("CREATE TABLE head AS SELECT i AS age, 'n' || i AS name FROM range(9) t(i)")
        connection.execute("CREATE TABLE asked AS SELECT 'How many?' AS question, 'SELECT count(*) FROM head' AS sql")
        connection.execute("COPY asked TO 'asked.parquet'")
    result = CliRunner().invoke(
        app, ["prepare", "asked.parquet", "--database", "rows.duckdb", "--query", "SELECT * FROM asked"]
    )
    assert result.exit_code == 0, result.stderr
    (example,) = lines_of(folder / "train.jsonl")
    assert "【DB_ID】 rows" in example["messages"][0]["content"]
    assert "duplicate" in result.stdout


def test_a_suites_training_part(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "train").mkdir()
    row = {"question": "How many?", "sql": "SELECT count(*) FROM t", "table": "t", "columns": {"a": "VARCHAR"}}
    (folder / "train" / "wikisql.jsonl").write_text(json.dumps(row), "utf-8")
    monkeypatch.setenv("QUACKLLM_DATA", str(folder))
    assert run("prepare --suite wikisql --out made.jsonl").exit_code == 0
    assert len(lines_of(folder / "made.jsonl")) == 1


@pytest.mark.parametrize(
    ("line", "happened"),
    [
        ("prepare --suite spider --split dev", "dev is the test split"),
        ("prepare", "there is nothing to prepare"),
        ("prepare nothing.jsonl", "no data file nothing.jsonl"),
        ("prepare own.jsonl --prompt-form chatt", "did you mean 'chat'?"),
        ("prepare own.jsonl --language de", "no language is called 'de'"),
        ("prepare own.jsonl --out nowhere/train.jsonl", "cannot be written"),
        ("prepare bad.jsonl", "no line could be used as an example"),
    ],
)
def test_prepare_refuses(line: str, happened: str, folder: Path) -> None:
    (folder / "own.jsonl").write_text(json.dumps(ROWS[0]), "utf-8")
    (folder / "bad.jsonl").write_text(json.dumps({"question": "?"}), "utf-8")
    result = run(line)
    assert result.exit_code == 1
    assert happened in result.stderr
    assert not (folder / "train.jsonl").exists()


def test_the_databases_of_ones_own_tests_are_left_out(folder: Path) -> None:
    (folder / "own.jsonl").write_text(json.dumps(ROWS[0]) + "\n" + json.dumps(ROWS[1]), "utf-8")
    (folder / "test.jsonl").write_text(json.dumps(ROWS[0]), "utf-8")
    assert run("prepare own.jsonl --exclude-databases-of test.jsonl --left-out missing.jsonl").exit_code == 0
    assert [(one["line"], one["kind"]) for one in lines_of(folder / "missing.jsonl")] == [(1, "tested")]
