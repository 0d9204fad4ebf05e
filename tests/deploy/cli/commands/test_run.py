"""`quackllm run` in one process: what it writes, says and returns, and what it pays when it is typed again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import StandIn
from support.command_line import error_text

QUESTION = "SELECT i, llm_result(chat(s)) AS answer FROM input"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["run", *words])


@pytest.fixture
def rows(tmp_path: Path) -> str:
    """A Parquet file of 100 rows."""
    duckdb.execute(f"COPY (SELECT i, 'row ' || i AS s FROM range(100) t(i)) TO '{tmp_path}/rows.parquet'")
    return str(tmp_path / "rows.parquet")


@pytest.fixture
def chat() -> None:
    quackllm.deploy("chat", "echo")


def test_a_select_goes_from_a_file_to_a_file(chat: None, rows: str, tmp_path: Path) -> None:
    out = tmp_path / "new" / "answers.parquet"
    result = run("--in", rows, "--sql", QUESTION + "; -- a remark", "--out", str(out))
    assert (result.exit_code, f"{out}: 100 rows" in result.stdout) == (0, True), result.output
    expected = [(i, f"echo: row {i}") for i in range(100)]
    assert duckdb.execute(f"FROM '{out}'").fetchall() == expected
    assert [path.name for path in out.parent.iterdir()] == ["answers.parquet"]


@pytest.mark.parametrize("kept", [True, False])
def test_a_file_in_the_folder_of_a_ray_job_is_lost_with_it(
    kept: bool, chat: None, rows: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "runtime_resources" / "working_dir_files" / "_ray_pkg_1"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    result = run("--in", rows, "--sql", QUESTION, "--out", f"{tmp_path}/answers.csv" if kept else "answers.csv")
    assert result.exit_code == 0, result.output
    assert ("give --out an absolute path" in result.output) is not kept


def test_a_folder_of_files_is_one_input(chat: None, rows: str, tmp_path: Path) -> None:
    result = run(
        "--in", str(Path(rows).parent), "--sql", "SELECT count(*) AS n FROM input", "--out", f"{tmp_path}/n.csv"
    )
    assert result.exit_code == 0, result.output
    assert (tmp_path / "n.csv").read_text() == "n\n100\n"


def test_a_script_runs_to_its_end_and_says_how_far_it_is(chat: None, tmp_path: Path) -> None:
    script, database = tmp_path / "nightly.sql", tmp_path / "kept.duckdb"
    script.write_text("CREATE TABLE t AS SELECT llm_result(chat('x' || i)) AS a FROM range(30) r(i);\nFROM t;\n")
    result = run(str(script), "--database", str(database))
    assert result.exit_code == 0, result.output
    assert "statement 1 of 2, CREATE: 30 rows" in result.stderr
    assert "statement 2 of 2, SELECT: 30 rows" in result.stderr
    with duckdb.connect(str(database)) as plain:
        assert plain.execute("SELECT count(*) FROM t").fetchone() == (30,)


def test_rows_that_failed_are_told_by_the_exit_code(chat: None, tmp_path: Path) -> None:
    sql = "SELECT s, (chat(s)).error.code AS code FROM (VALUES ('a'), ('')) v(s)"
    result = run("--sql", sql, "--out", str(tmp_path / "out.csv"))
    assert result.exit_code == 3
    assert "1 request got no complete answer: 1 × empty_prompt" in result.stderr
    assert (tmp_path / "out.csv").read_text() == 's,code\na,\n"",empty_prompt\n'


def test_a_failed_run_leaves_the_earlier_file(chat: None, rows: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("of yesterday")
    result = run("--in", rows, "--sql", "SELECT error(llm_result(chat(s))) FROM input", "--out", str(out))
    assert result.exit_code == 1
    assert out.read_text() == "of yesterday"
    assert not [path for path in tmp_path.iterdir() if "draft" in path.name]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "say what to run"),
        (["nowhere.sql"], "there is no file nowhere.sql"),
        (["--sql", "SELECT 1 FROM"], "syntax error"),
        (["--sql", "-- nothing"], "there is no statement to run"),
        (["--sql", "SELECT nothing(1)"], "statement 1 of 1, SELECT"),
        (["--sql", "SELECT 1; SELECT chat('x'"], "syntax error"),
        (["--sql", "FROM input", "--in", "/nowhere/*.parquet"], "--in cannot be read"),
        (["--sql", "FROM input", "--blocks", "2"], "--blocks needs --in and --out"),
        (["--sql", "SELECT sum(i) FROM input", "--blocks", "2"], "cannot be split into blocks: sum(…) over many rows"),
    ],
)
def test_what_cannot_run_says_why(words: list[str], says: str) -> None:
    result = run(*words)
    assert result.exit_code == 1, result.output
    assert says in error_text(result)


def test_killed_and_typed_again_it_pays_only_the_rest(service: StandIn, tmp_path: Path, home: Path) -> None:
    params = service.openai_params()
    quackllm.deploy("chat", "openai", worker_concurrency=8, infer_params=params)
    service.script([{"fault": "slow", "seconds": 0.02}])
    sql, out = "SELECT i, llm_result(chat('row ' || i)) AS a FROM range(200) t(i)", tmp_path / "out.parquet"
    line = [str(Path(sys.executable).with_name("quackllm")), "run", "--sql", sql, "--out", str(out)]
    with subprocess.Popen(line, stderr=subprocess.DEVNULL, env={**os.environ, "QUACKLLM_HOME": str(home)}) as first:
        while service.count() < 100:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    assert not out.exists()
    result = run("--sql", sql, "--out", str(out))
    assert result.exit_code == 0, result.output
    assert duckdb.execute(f"SELECT count(a) FROM '{out}'").fetchall() == [(200,)]
    assert service.count() < 270, "what was in flight is asked again; without the store it would have been 300"
