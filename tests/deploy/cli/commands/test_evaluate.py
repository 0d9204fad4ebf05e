from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from quackllm.udf.text2sql.evaluation.datasets import load_questions
from quackllm.udf.text2sql.evaluation.suites import load_suite
from typer.testing import CliRunner, Result

import quackllm
from standin.fixtures import StandIn

COMMAND = """
import signal
from quackllm.deploy.cli.main import app
app()
"""


def run(line: str) -> Result:
    return CliRunner().invoke(app, line.split())


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


@pytest.fixture
def oracle(service: StandIn) -> str:
    """A deployed model on the stand-in service, which says what the test's script says."""
    quackllm.deploy("oracle", "openai", infer_params=service.openai_params())
    return "oracle"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A database of one table."""
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE item AS SELECT i AS id, 'item ' || i AS name FROM range(20) t(i)")
    return path


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows), "utf-8")
    return path


def test_the_built_in_model_is_asked_through_sql() -> None:
    result = run("evaluate spider --limit 6 --json")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    (model,) = report["models"]
    assert (report["suite"], model["model"], model["questions"]) == ("spider", "builtin_text2sql", 6)
    assert model["accuracy"] == model["parts"]["all"].get("right", 0) / 6
    assert model["bound_or_declined"] == 1.0


def test_a_deployed_model_is_asked_and_a_table_shown(oracle: str, service: StandIn) -> None:
    service.script([{"fault": "reply", "text": "SELECT 1 AS one"}])
    result = run(f"evaluate spider --limit 3 --model {oracle}")
    assert result.exit_code == 0
    assert "spider: execution accuracy" in result.stdout
    assert "wrong" in result.stdout
    assert service.count() == 3
    assert run(f"evaluate spider --limit 3 --model {oracle}").exit_code == 0
    assert service.count() == 3, "the call store answers"
    assert run(f"evaluate spider --limit 3 --model {oracle} --store refresh").exit_code == 0
    assert service.count() == 6


def test_all_questions_are_asked_at_once_across_databases(service: StandIn) -> None:
    quackllm.deploy("wide", "openai", worker_concurrency=64, infer_params=service.openai_params())
    service.script([{"fault": "slow", "seconds": 0.5}])
    assert run("evaluate spider --limit 40 --model wide").exit_code == 0
    assert service.most_at_once() > 20


def test_a_later_turn_is_told_what_the_model_itself_said(oracle: str, service: StandIn) -> None:
    first, second = next(one for one in load_suite("sparc").conversations if len(one) > 1)[:2]
    rows = [{"question": q.question, "sql": q.sql, "db": q.db, "dialogue": 1, "turn": q.turn} for q in (first, second)]
    path = write(Path(os.environ["QUACKLLM_HOME"]) / "own.jsonl", rows)
    reply = {"fault": "reply", "text": "SELECT 1 AS mine"}
    service.script([reply])
    assert run(f"evaluate {path} --model {oracle}").exit_code == 0
    conversations = [
        [message["content"] for message in request["body"]["messages"][1:]] for request in service.requests()
    ]
    assert conversations == [
        [first.question],
        [first.question, "```sql\nSELECT 1 AS mine\n```", second.question],
    ]
    service.reset()
    service.script([reply])
    assert run(f"evaluate {path} --model {oracle} --history gold --store off").exit_code == 0
    assert first.sql in service.requests()[1]["body"]["messages"][2]["content"]
    service.reset()
    service.script([reply])
    assert run(f"evaluate {path} --model {oracle} --turns first --store off").exit_code == 0
    assert service.count() == 1


def test_a_file_of_ones_own_with_errors_by_kind_and_bad_lines_named(
    oracle: str, service: StandIn, shop: Path, tmp_path: Path
) -> None:
    gold = "SELECT name FROM item WHERE id < 3"
    texts = {
        "right": gold,
        "wrong": "SELECT name FROM item WHERE id < 4",
        "empty": "SELECT name FROM item WHERE id < 0",
        "does not run": "SELECT name::INTEGER FROM item",
        "does not bind": "SELECT nme FROM item",
        "does not parse": "SELECT name FROM item WHERE WHERE",
        "guard": "DROP TABLE item",
        "declined": "CANNOT ANSWER: nothing is known of that",
        "no SQL": "hello",
    }
    faults = [{"fault": "reply", "text": text, "marker": f"<{kind}>"} for kind, text in texts.items()]
    service.script([*faults, {"fault": "bad_request", "marker": "<service error>"}])
    rows = [{"question": f"Which items? <{kind}>", "sql": gold} for kind in (*texts, "service error")]
    rows += [
        {"question": "bad gold", "sql": "SELECT nothing FROM item"},
        {"question": "no such database", "sql": gold, "db": "nowhere"},
        {"question": "no DDL", "sql": gold, "schema": "nonsense"},
        {"asked": "?"},
    ]
    path = write(tmp_path / "own.jsonl", rows)
    out = tmp_path / "out"
    result = run(f"evaluate {path} --database {shop} --model {oracle} --json --out {out}")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    counts = report["models"][0]["parts"]["all"]
    assert {kind: counts.get(kind) for kind in (*texts, "service error")} == dict.fromkeys((*texts, "service error"), 1)
    assert report["models"][0]["errors"]["invalid_value"] == 1
    assert [(one["line"], one["kind"]) for one in report["left_out"]] == [
        (11, "run"),
        (12, "schema"),
        (13, "schema"),
        (14, "fields"),
    ]
    lines = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    assert [line["outcome"] for line in lines] == [*texts, "service error"]
    rows = {"right": 3, "given": 4, "missing": [], "extra": ["('item 3',)"]}
    assert lines[1]["difference"] == {**rows, "only_columns": False}
    assert "Conversion Error" in lines[3]["message"]
    assert json.loads((out / "report.json").read_text("utf-8")) == report
    shown = run(f"evaluate {path} --database {shop} --model {oracle}").stdout
    assert "line 11 left out" in shown


def test_questions_without_rows_are_judged_by_their_sql(oracle: str, service: StandIn, tmp_path: Path) -> None:
    schema = 'CREATE TABLE "歌手" ("姓名" VARCHAR, "国家" VARCHAR)'
    service.script([{"fault": "reply", "text": "SELECT t.姓名 FROM 歌手 t WHERE '法国' = t.国家"}])
    gold = 'SELECT "姓名" FROM "歌手" WHERE "国家" = \'法国\''
    rows = [{"question": "法国歌手？", "sql": gold, "schema": schema}]
    rows += [{"question": "哪些歌手？", "sql": 'SELECT "姓名" FROM "歌手"', "schema": schema}]
    rows += [{"question": "谁?", "sql": "SELECT x FROM t", "columns": {"x": "VARCHAR"}}]
    path = write(tmp_path / "own.jsonl", rows)
    page = tmp_path / "report.html"
    report = json.loads(run(f"evaluate {path} --model {oracle} --json --html {page}").stdout)
    assert report["models"][0]["parts"]["all"]["right"] == 1
    assert report["models"][0]["parts"]["all"]["wrong"] == 1
    assert report["models"][0]["parts"]["all"]["does not bind"] == 1
    assert "法国歌手？" in page.read_text("utf-8")


def test_several_models_side_by_side(oracle: str, service: StandIn, tmp_path: Path, home: Path) -> None:
    (home / "prices.yaml").write_text("oracle: {input: 1000000, output: 0}", "utf-8")
    asked = [one for one in load_questions("spider") if one.db == "concert_singer"][:8]
    rows = [{"question": one.question, "sql": one.sql, "db": one.db} for one in asked]
    path = write(tmp_path / "own.jsonl", rows)
    service.script([{"fault": "reply", "text": "SELECT 17 AS wrong"}])
    line = f"evaluate {path} --model builtin_text2sql --model {oracle}"
    report = json.loads(run(f"{line} --json").stdout)
    first, second = report["models"]
    (comparison,) = report["comparisons"]
    assert (first["model"], second["model"], second["accuracy"]) == ("builtin_text2sql", oracle, 0)
    assert comparison["only_one"] == round(first["accuracy"] * 8) > 0
    assert (comparison["only_other"], comparison["both"]) == (0, 0)
    assert first["money"] is None
    assert second["money"] == second["input_tokens"] > 0
    assert "exact McNemar test" in run(line).stdout


def test_kill_9_at_half_and_run_again_asks_the_other_half(service: StandIn, shop: Path, tmp_path: Path) -> None:
    quackllm.deploy("slow", "openai", worker_concurrency=2, infer_params=service.openai_params())
    rows = [{"question": f"Which items have an id below {n}?", "sql": "SELECT name FROM item"} for n in range(30)]
    path = write(tmp_path / "own.jsonl", rows)
    service.script([{"fault": "slow", "seconds": 0.1}, {"fault": "reply", "text": "SELECT name FROM item"}])
    line = ["evaluate", str(path), "--database", str(shop), "--model", "slow", "--json"]
    command = [sys.executable, "-c", COMMAND, *line]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ.copy()) as child:
        while service.count() < 15:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
    before = service.count()
    assert before < 30
    report = json.loads(run(" ".join(line)).stdout)
    assert report["models"][0]["parts"]["all"]["right"] == 30
    in_flight = 2 * 2
    assert service.count() <= 30 + in_flight


def test_ctrl_c_counts_what_was_judged(service: StandIn, shop: Path, tmp_path: Path) -> None:
    quackllm.deploy("slow", "openai", worker_concurrency=8, infer_params=service.openai_params())
    rows = [{"question": f"Which items have an id below {n}?", "sql": "SELECT name FROM item"} for n in range(48)]
    path = write(tmp_path / "own.jsonl", [*rows, {"question": "never", "sql": "SELECT id FROM item"}])
    service.script([{"fault": "hang", "marker": "never"}, {"fault": "reply", "text": "SELECT name FROM item"}])
    line = ["evaluate", str(path), "--database", str(shop), "--model", "slow", "--json"]
    command = [sys.executable, "-c", COMMAND, *line]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ.copy()) as child:
        while service.count() < 49:
            time.sleep(0.02)
        time.sleep(0.5)
        child.send_signal(signal.SIGINT)
        assert child.stdout is not None
        report = json.loads(child.stdout.read())
    assert child.returncode == 130
    (model,) = report["models"]
    assert model["unasked"] >= 1
    assert model["questions"] == 49 - model["unasked"]


@pytest.mark.parametrize(
    ("line", "happened"),
    [
        ("evaluate nothing", "no questions 'nothing'"),
        ("evaluate spider --model nobody", "no model is called 'nobody'"),
        ("evaluate ./nothing.jsonl", "no data file"),
    ],
)
def test_errors(line: str, happened: str) -> None:
    result = run(line)
    assert result.exit_code == 1
    assert happened in result.stderr


def test_a_file_without_questions_is_refused(tmp_path: Path) -> None:
    result = run(f"evaluate {write(tmp_path / 'own.jsonl', [{'asked': '?'}])}")
    assert result.exit_code == 1
    assert "contains no question" in result.stderr
    assert "line 1" in result.stderr


def test_a_wrong_key_stops_at_once(service: StandIn) -> None:
    quackllm.deploy("keyless", "openai", infer_params=service.openai_params())
    service.script([{"fault": "wrong_key"}])
    result = run("evaluate spider --limit 50 --model keyless")
    assert result.exit_code == 1
    assert "API key" in result.stderr
