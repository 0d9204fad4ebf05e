"""A value of every type, as the command line prints it: JSON, CSV and a table."""

from __future__ import annotations

import csv
import io
import json

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from typer.testing import CliRunner

from support.duckdb_values import ALL, SELECT_ALL, SELECT_JSON, SELECT_TEXTS, ZONE


def printed(*flags: str) -> str:
    result = CliRunner().invoke(app, ["sql", "-c", f"{ZONE}; {SELECT_ALL}", *flags])
    assert (result.exit_code, result.stderr) == (0, ""), result.output
    return result.stdout


def in_duckdb(sql: str) -> tuple[str | None, ...]:
    with duckdb.connect() as connection:
        connection.execute(ZONE).complete()
        return connection.execute(sql).fetchall()[0]


def test_csv_has_every_value_as_its_cast_to_varchar() -> None:
    cells = list(csv.reader(io.StringIO(printed("--csv"))))[1]
    assert cells == ["" if text is None else text for text in in_duckdb(SELECT_TEXTS)]


def test_json_has_every_value_as_to_json() -> None:
    (row,) = json.loads(printed("--json"), parse_int=str, parse_float=str, parse_constant=pytest.fail)
    for value, cell, said in zip(ALL, row.values(), in_duckdb(SELECT_JSON), strict=True):
        if "nan'" not in value and "inf'" not in value:
            assert cell == json.loads(said or "null", parse_int=str, parse_float=str), value


def test_a_table_has_every_value_as_duckdb_draws_it() -> None:
    table = printed()
    for text in in_duckdb(SELECT_TEXTS):
        if text is not None and "\n" not in text:
            assert text in table


def test_text2sql_keeps_all_digits_of_its_rows(tmp_path) -> None:
    path = str(tmp_path / "a.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE singer AS SELECT 12345678901234567890.12::DECIMAL(38,2) AS pay").complete()
    words = ["text2sql", "List the pay of all singers.", "--database", path, "--run", "--json"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert '{"pay":12345678901234567890.12}' in result.stdout
    assert json.loads(result.stdout)["sql"]
