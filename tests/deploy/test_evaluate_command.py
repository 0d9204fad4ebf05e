from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
import quackllm
from quackllm.deploy import evaluate as command
from quackllm.deploy.cli import app
from quackllm.udf.text2sql.data import open_database, questions
from standin.fixtures import StandIn
from typer.testing import CliRunner, Result


def run(line: str) -> Result:
    return CliRunner().invoke(app, line.split())


@pytest.fixture
def oracle(service: StandIn) -> str:
    """A deployed model on the stand-in service, which says what the test's script says."""
    quackllm.deploy("oracle", "openai", infer_params=service.openai_params())
    return "oracle"


def test_the_built_in_model_is_asked_through_sql() -> None:
    result = run("evaluate spider --limit 6 --json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    counts = report["all"]
    assert report["suite"] == "spider"
    assert sum(counts.get(outcome, 0) for outcome in ("right", "wrong", "does not bind", "declined")) == 6
    assert counts["accuracy"] == counts.get("right", 0) / 6


def test_a_deployed_model_is_asked(oracle: str, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "SELECT 1 AS one"}])
    report = json.loads(run(f"evaluate spider --limit 3 --model {oracle} --json").stdout)
    assert (report["model"], report["all"]["wrong"]) == (oracle, 3)
    assert service.count() == 3


def test_a_table_for_people(oracle: str, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "SELECT 1 AS one"}])
    shown = run(f"evaluate spider --limit 3 --model {oracle}").stdout
    assert "spider: execution accuracy" in shown
    assert "several tables" in shown
    assert "3 questions in" in shown


def test_the_turns_before_are_told(oracle: str, service: StandIn) -> None:
    first, second = [question for question in questions("sparc") if question.db == "pets_1"][:2]
    service.script([{"fault": "reply", "text": second.sql}])
    with closing(duckdb.connect()) as connection:
        open_database(connection, "pets_1")
        sql = command.ask(connection, second.question, ((first.question, first.sql), ("and?", None)), oracle, None)
    assert sql
    (sent,) = service.requests()
    told = "\n".join(message["content"] for message in sent["body"]["messages"])
    assert first.question in told
    assert "and?" not in told


@pytest.mark.parametrize(
    ("line", "happened"),
    [("evaluate nothing", "no questions 'nothing'"), ("evaluate spider --model nobody", "no model is called 'nobody'")],
)
def test_errors(line: str, happened: str, home: Path) -> None:
    result = run(line)
    assert result.exit_code == 1
    assert happened in result.stderr
