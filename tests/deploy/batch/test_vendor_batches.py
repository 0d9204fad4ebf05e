"""`quackllm run --batch` over each vendor's wire: nothing is paid twice, nothing is lost, whatever goes wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from quackllm.udf.calls import batch_client
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import KEY, StandIn

ROWS = 1000
SCRIPT = """
    CREATE OR REPLACE TABLE review AS SELECT i AS id, 'review ' || i || '.' AS body FROM range({rows}) t(i);
    CREATE OR REPLACE TABLE answer AS SELECT id, standin(body) AS response FROM review;
"""
VENDORS = {"openai": "/v1", "zhipu": "/api/paas/v4", "qianwen": "/api/v1"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_client, "FIRST_POLL_SECONDS", 0.01)


@pytest.fixture
def folder(tmp_path: Path, service: StandIn) -> Path:
    deploy(service, "openai")
    return tmp_path


def deploy(service: StandIn, vendor: str, **params: Any) -> None:
    address = {"saas.base_url": f"{service.url}{VENDORS[vendor]}", "saas.api_key": KEY, "saas.model": "m"}
    quackllm.deploy("standin", f"saas/{vendor}", infer_params={**address, **params})


def run(folder: Path, rows: int = 20, *arguments: str) -> Result:
    (folder / "nightly.sql").write_text(SCRIPT.format(rows=rows))
    command = ["run", str(folder / "nightly.sql"), "--database", str(folder / "shop.duckdb"), "--batch", *arguments]
    return CliRunner().invoke(app, command)


def answers(folder: Path) -> dict[int, str | None]:
    with duckdb.connect(folder / "shop.duckdb", read_only=True) as connection:
        return dict(connection.execute("SELECT id, response.output FROM answer ORDER BY id").fetchall())


def all_answered(rows: int) -> dict[int, str]:
    return {number: f"answer to: review {number}." for number in range(rows)}


def paid_once(service: StandIn, rows: int) -> bool:
    paid = service.batches()["paid"]
    return len(paid) == rows and set(paid.values()) == {1} and service.count() == 0


def test_a_thousand_rows_are_answered_for_half_the_price(service: StandIn, tmp_path: Path, home: Path) -> None:
    deploy(service, "qianwen")
    (home / "prices.yaml").write_text("standin: {input: 2, output: 10}")
    result = run(tmp_path, ROWS)
    assert result.exit_code == 0, result.output
    assert "standin: 1,000 requests, about" in result.stderr
    assert "at half price" in result.stderr
    assert answers(tmp_path) == all_answered(ROWS)
    assert paid_once(service, ROWS)
    assert not list((home / "batches").glob("*.json"))
    assert run(tmp_path, ROWS).exit_code == 0  # Everything is in the call store.
    assert paid_once(service, ROWS)
    assert service.batches()["batches"] == 1
    with quackllm.connect() as connection:
        ((tokens, written, money),) = connection.execute(
            "SELECT input_tokens, output_tokens, money FROM llm_usage() WHERE model = 'standin'"
        ).fetchall()
        assert money == pytest.approx((2 * tokens + 10 * written) / 1e6 / 2)
        assert "CREATE OR REPLACE TABLE answer" in str(
            connection.execute("SELECT any_value(statement) FROM llm_calls()").fetchone()
        )


def test_it_need_not_wait(folder: Path, service: StandIn) -> None:
    service.script_batches(polls=1000)
    for _ in range(2):
        result = run(folder, 20, "--no-wait")
        assert result.exit_code == 4, result.output
        assert "has not answered yet: type the command again later" in result.stderr
    service.hurry_batches()
    assert run(folder, 20, "--no-wait").exit_code == 0
    assert answers(folder) == all_answered(20)
    assert paid_once(service, 20)
    assert service.batches()["batches"] == 1


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def kill_after_a_batch_began(folder: Path, service: StandIn) -> None:
    """Run the job in a process, and kill it as soon as the service has its batch."""
    command = ["run", str(folder / "nightly.sql"), "--database", str(folder / "shop.duckdb"), "--batch"]
    script = [sys.executable, "-m", "quackllm", *command]
    with subprocess.Popen(script, env=environment(), stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not service.batches()["batches"] and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_thousand_rows_outlive_a_kill_failures_and_an_expiry(
    vendor: str, service: StandIn, tmp_path: Path, home: Path
) -> None:
    deploy(service, vendor)
    service.script_batches(polls=1000)
    (tmp_path / "nightly.sql").write_text(SCRIPT.format(rows=ROWS))
    kill_after_a_batch_began(tmp_path, service)
    (job,) = (home / "batches").glob("*.json")
    job.write_text(json.dumps({**json.loads(job.read_text()), "batch": None}))  # It had not heard the batch's name.

    service.hurry_batches()
    service.script_batches(polls=0, fail=["0."])  # Each tenth row.
    result = run(tmp_path, ROWS)
    assert result.exit_code == 3, result.output
    assert "100 × invalid_prompt" in result.stderr
    failed = dict.fromkeys(range(0, ROWS, 10))
    assert answers(tmp_path) == {**all_answered(ROWS), **failed}
    assert paid_once(service, 900)

    service.script_batches(polls=0, expire_after=40)
    result = run(tmp_path, ROWS)
    assert "60 × batch_expired" in result.stderr
    assert sum(answer is None for answer in answers(tmp_path).values()) == 60
    service.script_batches(polls=0)
    assert run(tmp_path, ROWS).exit_code == 0
    assert answers(tmp_path) == all_answered(ROWS)
    assert paid_once(service, ROWS)
    # The command that goes on fetches the first batch, and sends what failed in it once more.
    assert service.batches()["sent"] == [ROWS, 100, 100, 60]
    assert not list((home / "batches").glob("*.json"))


def test_a_lost_reply_begins_no_second_batch(folder: Path, service: StandIn) -> None:
    service.script_batches(lose_create=1)
    assert run(folder).exit_code == 0
    assert paid_once(service, 20)
    assert service.batches()["batches"] == 1


def test_a_key_that_the_service_repeats_is_hidden(folder: Path, service: StandIn) -> None:
    sql = f"SELECT llm_result(standin(body)) AS a FROM (VALUES ('{KEY}')) t(body)"
    for vendor in VENDORS:
        deploy(service, vendor)
        result = CliRunner().invoke(app, ["run", "--sql", sql, "--out", str(folder / "a.csv"), "--batch"])
        assert result.exit_code == 0, result.output
        assert (folder / "a.csv").read_text().splitlines() == ["a", "answer to: (hidden)"]


def test_a_refused_batch_says_why_and_leaves_nothing_behind(folder: Path, service: StandIn, home: Path) -> None:
    service.script_batches(refuse="the file is too exciting")
    result = run(folder)
    assert result.exit_code == 1
    assert "too exciting" in result.output
    assert not list((home / "batches").glob("*.json"))
    service.script_batches()
    assert run(folder).exit_code == 0
    assert paid_once(service, 20)


def test_a_second_turn_is_a_second_batch(folder: Path, service: StandIn) -> None:
    sql = "SELECT llm_result(standin(llm_stack(standin(i::VARCHAR), 'and now?'))) AS a FROM range(2) t(i)"
    result = CliRunner().invoke(app, ["run", "--sql", sql, "--out", str(folder / "a.csv"), "--batch"])
    assert result.exit_code == 0, result.output
    assert service.batches()["batches"] == 2
    assert paid_once(service, 4)
    assert len((folder / "a.csv").read_text().splitlines()) == 3


def test_the_budget_holds_before_anything_is_sent(folder: Path, service: StandIn, home: Path) -> None:
    (home / "settings.yaml").write_text("llm_max_calls: 19")
    result = run(folder)
    assert result.exit_code == 1
    assert "llm_max_calls" in result.output
    assert service.batches() == {"paid": {}, "sent": [], "batches": 0, "files": 0}


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT text2sql('how many?', schema := 'CREATE TABLE t (a INT)', model := 'standin')", "without --batch"),
        ("SELECT llm_result(other('x'))", "no batch API is known"),
    ],
)
def test_what_cannot_go_into_a_batch_is_refused(sql: str, words: str, folder: Path, service: StandIn) -> None:
    quackllm.deploy("other", "saas/deepseek", infer_params=service.openai_params())
    result = CliRunner().invoke(app, ["run", "--sql", sql, "--batch"])
    assert result.exit_code == 1
    assert words in " ".join(result.output.replace("│", " ").split())
    assert service.count() == 0


def test_models_of_this_machine_answer_as_ever(folder: Path, service: StandIn) -> None:
    quackllm.deploy("parrot", "echo")
    result = CliRunner().invoke(app, ["run", "--sql", "SELECT llm_result(parrot('x'))", "--batch"])
    assert result.exit_code == 0, result.output
    assert service.batches()["batches"] == 0
