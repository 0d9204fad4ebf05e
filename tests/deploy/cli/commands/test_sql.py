"""`quackllm sql`: statements, scripts and the prompt."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import StandIn
from support.command_line import error_text
from support.locked_database import opened_elsewhere
from support.terminal import CTRL_C, CTRL_D, ENTER, TAB, UP, Terminal

PROMPT = "quackllm>"
BUILT_IN = "builtin_text2sql"


def sql(*words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["sql", *words], input=typed)


@pytest.fixture(autouse=True)
def parrot() -> None:
    quackllm.deploy("parrot", "echo")


def test_a_statement_shows_its_rows_as_duckdb_draws_them() -> None:
    result = sql("-c", "SELECT llm_result(parrot('hello')) AS answer")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "│ echo: hello │" in result.stdout


def test_a_script_runs_statement_by_statement(tmp_path: Path) -> None:
    script = tmp_path / "nightly.sql"
    script.write_text(
        "CREATE TABLE t AS SELECT 'x' || i AS name FROM range(3) r(i);\n"
        "CREATE TABLE a AS SELECT name, llm_result(parrot(name)) AS answer FROM t;\n-- the end\nFROM a;"
    )
    database = tmp_path / "made.duckdb"
    result = sql(str(script), "--database", str(database))
    assert result.exit_code == 0, result.output
    assert result.stdout.count("echo: x") == 3
    assert "Count" not in result.stdout
    with duckdb.connect(str(database)) as plain:
        assert plain.execute("SELECT count(*) FROM a").fetchone() == (3,)


@pytest.mark.parametrize("words", [[], ["-"]])
def test_statements_are_read_from_the_standard_input(words: list[str]) -> None:
    assert json.loads(sql(*words, "--json", typed="SELECT 42 AS x").stdout) == [{"x": 42}]


VALUES = "SELECT 1 AS n, 'a,\"b' AS t, [1, 2] AS l, {'x': 1.5} AS s, NULL AS z, DATE '2026-11-21' AS d, sum(7) AS h"


def test_json_holds_duckdbs_values() -> None:
    (row,) = json.loads(sql("-c", VALUES, "--json").stdout)
    assert row == {"n": 1, "t": 'a,"b', "l": [1, 2], "s": {"x": 1.5}, "z": None, "d": "2026-11-21", "h": 7}


def test_csv_holds_duckdbs_values() -> None:
    header, row = csv.reader(io.StringIO(sql("-c", VALUES, "--csv").stdout))
    assert (header, row) == (list("ntlszdh"), ["1", 'a,"b', "[1, 2]", "{'x': 1.5}", "", "2026-11-21", "7"])


def test_a_file_gets_all_rows_and_all_columns() -> None:
    result = sql("-c", "SELECT i, repeat('x', 300) AS wide FROM range(200) t(i)")
    assert "…" not in result.stdout
    assert result.stdout.count("x" * 300) == 200


def test_no_rows_are_an_empty_list_and_a_header() -> None:
    assert json.loads(sql("-c", "SELECT 1 AS x WHERE false", "--json").stdout) == []
    assert sql("-c", "SELECT 1 AS x WHERE false", "--csv").stdout == "x\n"


def test_a_script_stops_at_its_first_error_and_says_where() -> None:
    result = sql("-c", "SELECT 1 AS before;\n\nSELECT x FROM nothing;\nSELECT 2 AS behind")
    words = " ".join(result.stderr.split())
    assert result.exit_code == 1
    assert "statement 2, line 3" in words
    assert "nothing" in words
    assert "before" in result.stdout
    assert "behind" not in result.stdout
    assert "Traceback" not in result.output


def test_rows_that_fail_are_warned_of_on_the_standard_error_in_one_line(service: StandIn) -> None:
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    sql("-c", "SELECT chat('first')")
    service.script([{"fault": "refused_content", "times": 1}])
    result = sql("-c", "SELECT llm_result(chat('x')) AS r", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (0, [{"r": None}])
    assert result.stderr.startswith("warning: 1 request got no complete answer")
    assert ".py" not in result.stderr


def test_the_sample_can_be_asked() -> None:
    result = sql("-d", ":sample", "-c", "FROM ask('How many singers are from France?')", "--csv", "--model", BUILT_IN)
    assert result.stdout.splitlines()[1] == "4"


@pytest.mark.parametrize(
    ("words", "happened", "hint"),
    [
        (["-c", "SELECT 1", "x.sql"], "statements in --command and in a script", "leave one out"),
        (["shop.duckdb"], "shop.duckdb is a database", "quackllm sql --database shop.duckdb"),
        (["nothing.sql"], "nothing.sql cannot be read", "after -c"),
        (["-c", "SELECT 1", "-d", ":sampel"], "no database 'sampel'", "concert_singer"),
        (["-c", "SELECT 1", "-d", "/nowhere/x.duckdb"], "cannot be opened", "may you read it"),
        (["-c", "SELECT 1", "-d", "nothing.duckdb", "--read-only"], "there is no database nothing.duckdb", ":sample"),
        (["-c", "SELECT 1", "--model", "parro"], "no model is called 'parro'", "'parrot'"),
        (["-c", "SELEC 1"], "syntax error", ""),
        (["-c", "SELECT qianwen_chat('x')"], "does not exist", "if qianwen_chat is a model: quackllm list"),
    ],
)
def test_what_cannot_be_run_says_what_to_type(words: list[str], happened: str, hint: str) -> None:
    result = sql(*words)
    text = error_text(result)
    assert result.exit_code == 1
    assert happened in text
    assert hint in text


def test_what_is_read_only_is_not_changed(tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    duckdb.connect(str(path)).close()
    result = sql("-d", str(path), "--read-only", "-c", "CREATE TABLE t (i INTEGER)")
    assert result.exit_code == 1
    assert "read-only" in result.stderr


def test_the_prompt(home: Path) -> None:
    terminal = Terminal("sql", "-d", ":sample", prompt=PROMPT)
    terminal.type("SELECT 6 *" + ENTER)
    terminal.wait_for("...>")
    assert "42" in terminal.enter("  7 AS answer;")
    assert "nothing does not exist" in terminal.enter("SELECT x FROM nothing;")
    terminal.type("SELECT 'half; a statement" + ENTER)
    terminal.type(CTRL_C)
    terminal.wait_for_prompt()
    assert "singer_in_concert" in terminal.enter(".tables")
    assert "Ctrl-C" in terminal.enter(".help")
    terminal.type(CTRL_D)
    assert terminal.wait_for_end() == 0
    typed = [line[1:] for line in (home / "sql_history").read_text().splitlines() if line.startswith("+")]
    assert typed == ["SELECT 6 *", "  7 AS answer;", "SELECT x FROM nothing;", ".tables", ".help"]
    assert (home / "sql_history").stat().st_mode & 0o077 == 0


def test_the_prompt_completes_words_and_recalls_statements_whole() -> None:
    terminal = Terminal("sql", "-d", ":sample", prompt=PROMPT)
    terminal.type("SELECT count(*) AS singers" + ENTER + "FROM singer_in_c" + TAB)
    terminal.wait_for("FROM singer_in_concert")
    assert "10" in terminal.enter(";")
    terminal.type(UP)
    shown = terminal.enter("")
    assert shown.count("SELECT count(*) AS singers") == shown.count("FROM singer_in_concert;") == 2
    terminal.type(CTRL_D)
    assert terminal.wait_for_end() == 0


def test_ctrl_c_stops_a_statement_and_not_the_prompt() -> None:
    quackllm.deploy("slow", "echo", infer_params={"delay_seconds": 60})
    terminal = Terminal("sql", prompt=PROMPT)
    terminal.type("SELECT slow('hello');" + ENTER)
    terminal.wait_for("calling models")
    terminal.type(CTRL_C)
    terminal.wait_for("interrupted")
    assert "42" in terminal.enter("SELECT 42 AS answer;")
    terminal.type(".quit" + ENTER)
    assert terminal.wait_for_end() == 0


@pytest.mark.parametrize(
    "words",
    [["sql", "-c", "FROM item", "-d"], ["run", "--sql", "FROM item", "--database"], ["text2sql", "how many?", "-d"]],
)
def test_a_database_that_another_process_has_open(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with opened_elsewhere(path) as pid:
        result = CliRunner().invoke(app, [*words, str(path)])
    text = error_text(result)
    assert result.exit_code == 1, result.output
    assert f"is open in the process {pid}" in text
    assert "for reading only: --read-only" in text
    assert "Could not set lock" not in text


@pytest.mark.parametrize("words", [["sql", "-c", "FROM item", "-d"], ["run", "--sql", "FROM item", "--database"]])
def test_several_processes_read_one_database(words: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shop.duckdb"
    with opened_elsewhere(path, "reading"):
        assert CliRunner().invoke(app, [*words, str(path)]).exit_code == 1
        assert CliRunner().invoke(app, [*words, str(path), "--read-only"]).exit_code == 0
