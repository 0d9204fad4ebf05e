"""Every way in sends the same prompt and gives the same answer: SQL, ask, the magics, the command line, the gateway."""

from __future__ import annotations

import json

import duckdb
import pytest
from quackllm.deploy.cli.main import app
from quackllm.udf.text2sql.examples import verified_examples
from typer.testing import CliRunner

import quackllm
from quackllm import deploy
from support.gateway_in_process import client

QUESTION = "How many large shops are there?"
SQL = "SELECT count(*) FROM shop WHERE area > 15"
NOTES = "large: an area over 15"
OPTIONS = "notes := 'large: an area over 15', examples := 1, votes := 3"


@pytest.fixture
def shop(home, tmp_path, service, monkeypatch):
    """A database with notes and an example beside it, and a model that answers every way in alike."""
    monkeypatch.setattr(verified_examples, "encode", lambda texts: [[1.0, float(len(text))] for text in texts])
    path = tmp_path / "shop.duckdb"
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE shop (id INTEGER, area INTEGER); INSERT INTO shop VALUES (1, 10), (2, 20)")
    (tmp_path / "shop.notes.md").write_text("# Shop\nareas are in square metres")
    (tmp_path / "shop.examples.jsonl").write_text(json.dumps({"question": "Which?", "sql": "SELECT id FROM shop"}))
    (home / "databases.yaml").write_text(f"shop: duckdb:///{path}")
    deploy("writer", "saas/openai", infer_params=service.openai_params())
    service.script([{"fault": "reply", "text": f"```sql\n{SQL}\n```"}] * 40)
    return path


def test_the_same_prompt_and_the_same_answer(shop, service) -> None:
    answers, prompts = [], []

    def sent() -> None:
        """Note what the last way in has sent, and have it sent again by the next one."""
        prompts.append([json.dumps(request["body"]["messages"]) for request in service.requests()][len(taken) :])
        taken.extend(prompts[-1])
        with quackllm.connect() as connection:
            connection.execute("SELECT llm_forget()")

    taken: list[str] = []
    with quackllm.connect(shop) as connection:
        detail = connection.sql(f"SELECT text2sql_detail('{QUESTION}', {OPTIONS})").fetchall()[0][0]
        answers.append((detail["sql"], detail["confidence"], detail["prompt"]))
        sent()
        assert connection.sql(f"FROM ask('{QUESTION}', {OPTIONS})").fetchall() == [(1,)]
        sent()
    words = ["text2sql", QUESTION, "-d", str(shop), "--notes", NOTES, "--examples", "1", "--votes", "3"]
    printed = json.loads(CliRunner().invoke(app, [*words, "--json", "--show-prompt"]).stdout)
    answers.append((printed["sql"], printed["confidence"], printed["prompt"]))
    sent()
    body = {"question": QUESTION, "database": "shop", "notes": NOTES, "examples": 1, "votes": 3, "detail": True}
    reply = client().post("/text2sql", json=body).json()
    answers.append((reply["sql"], reply["confidence"], reply["prompt"]))
    sent()
    assert answers == [answers[0]] * 3
    assert answers[0][0] == SQL
    assert prompts == [prompts[0]] * 4
    assert len(prompts[0]) == 2, "two equal answers of three decide"
    for told in ("square metres", "an area over 15", "SELECT id FROM shop"):
        assert told in prompts[0][0]


def test_prompt_is_shown_by_the_command(shop) -> None:
    shown = CliRunner().invoke(app, ["text2sql", QUESTION, "-d", str(shop), "--show-prompt"]).stdout
    assert shown.startswith("[system]\n")
    assert shown.endswith(f"{SQL}\n")


def test_a_stranger_names_no_file(shop) -> None:
    body = {"question": QUESTION, "database": "shop", "notes": str(shop.with_suffix(".notes.md")), "detail": True}
    assert str(shop.with_suffix(".notes.md")) in client().post("/text2sql", json=body).json()["prompt"]
