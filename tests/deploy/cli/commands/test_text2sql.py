"""`quackllm text2sql`: a question as SQL, and its rows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner, Result

import quackllm
from support.command_line import error_text

QUESTION = "How many singers are from France?"
SQL = "SELECT COUNT(*) FROM singer WHERE Country = 'France'"
DDL = "CREATE TABLE singer (name VARCHAR, age INTEGER)"


def text2sql(*words: str) -> Result:
    return CliRunner().invoke(app, ["text2sql", *words])


def test_the_sql_alone_goes_to_the_standard_output() -> None:
    result = text2sql(QUESTION, "--database", ":sample")
    assert (result.exit_code, result.stdout) == (0, f"{SQL}\n")
    assert re.fullmatch(r"confidence \d+%\n", result.stderr)


def test_the_built_in_model_says_that_it_reads_no_notes() -> None:
    result = text2sql(QUESTION, "--database", ":sample", "--notes", "France: a country")
    assert (result.exit_code, result.stdout) == (0, f"{SQL}\n")
    assert "the built-in model does not read the notes" in result.stderr


def test_run_shows_the_rows() -> None:
    result = text2sql(QUESTION, "-d", ":sample", "--run")
    assert result.stdout.startswith(SQL)
    assert "│            4 │" in result.stdout


def test_json() -> None:
    found = json.loads(text2sql(QUESTION, "-d", ":sample", "--run", "--json").stdout)
    assert (found["question"], found["sql"], found["error"], found["model"]) == (
        QUESTION,
        SQL,
        None,
        "builtin_text2sql",
    )
    assert found["rows"] == [{"count_star()": 4}]


def test_a_file_is_read_and_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as plain:
        plain.execute(f"{DDL}; INSERT INTO singer VALUES ('Ann', 31), ('Bo', 24)")
    before = path.read_bytes()
    found = json.loads(text2sql("Who is the oldest singer?", "-d", str(path), "--run", "--json").stdout)
    assert found["rows"] == [{"name": "Ann"}]
    assert path.read_bytes() == before


def test_the_schema_alone_is_enough(tmp_path: Path) -> None:
    (tmp_path / "schema.sql").write_text(DDL)
    typed, filed = (text2sql("Who is the oldest?", "--schema", text) for text in (DDL, str(tmp_path / "schema.sql")))
    assert typed.exit_code == 0
    assert "MAX(age)" in typed.stdout
    assert typed.stdout == filed.stdout


def test_names_of_tables_choose_among_them() -> None:
    result = text2sql("How many are there?", "-d", ":sample", "--schema", "stadium")
    assert "FROM stadium" in result.stdout


def test_no_sql_is_exit_code_1_with_the_models_reason() -> None:
    plain = text2sql("what is the weather", "-d", ":sample")
    assert (plain.exit_code, plain.stdout) == (1, "")
    assert "builtin_text2sql found no SQL (declined)" in plain.stderr
    as_json = text2sql("what is the weather", "-d", ":sample", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["error"]["code"]) == (1, "declined")


def test_below_a_bound_of_ones_own_there_is_no_sql() -> None:
    result = text2sql(QUESTION, "-d", ":sample", "--min-confidence", "1")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "builtin_text2sql found no SQL (unsure)" in result.stderr


def test_a_model_is_chosen_by_name() -> None:
    quackllm.deploy("parrot", "echo")
    found = json.loads(text2sql(QUESTION, "-d", ":sample", "--model", "parrot", "--json").stdout)
    assert (found["model"], found["sql"]) == ("parrot", None)


@pytest.mark.parametrize(
    ("words", "happened", "hint"),
    [
        ([QUESTION], "there is no database and no schema", "--database shop.duckdb, or :sample"),
        ([QUESTION, "--schema", DDL, "--run"], "--run needs rows", "--database"),
        ([QUESTION, "-d", "nothing.duckdb"], "there is no database nothing.duckdb", ":sample"),
        ([QUESTION, "-d", ":sample", "--schema", "singr"], "singr", "singer"),
    ],
)
def test_what_is_missing_is_said(words: list[str], happened: str, hint: str) -> None:
    result = text2sql(*words)
    text = error_text(result)
    assert result.exit_code == 1
    assert happened in text
    assert hint in text
