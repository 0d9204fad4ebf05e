"""`quackllm prompt`: what a statement would send, whole, and nothing is sent."""

from __future__ import annotations

import json

from quackllm.deploy.cli.main import app
from typer.testing import CliRunner

import quackllm
from standin.fixtures import StandIn
from support.command_line import error_text

STATEMENT = "SELECT ai_filter(name, '是男的'), llm_chat('hello ' || name) FROM range(3) t (i), (SELECT 'Joe' AS name)"


def test_the_requests_are_shown_whole_and_none_is_sent(service: StandIn) -> None:
    quackllm.deploy("judge", "openai", infer_params=service.openai_params())
    result = CliRunner().invoke(app, ["prompt", STATEMENT, "--model", "judge"])
    assert result.exit_code == 0, result.output
    assert "── ai_filter of judge" in result.stdout
    assert "判断这句话对它是否成立：是男的" in result.stdout
    assert "[user]\nhello Joe" in result.stdout
    service.script([{"fault": "reply", "text": "是"}])
    quackllm.connect().execute("SELECT ai_filter('Joe', '是男的')").fetchall()
    result = CliRunner().invoke(app, ["prompt", "-", "--json", "--model", "judge"], input=STATEMENT)
    first, second = json.loads(result.stdout)
    assert (first["function"], first["is_cached"], first["options"]["max_tokens"]) == ("ai_filter", True, 11)
    assert (second["function"], second["messages"]) == (None, [{"role": "user", "content": "hello Joe"}])
    assert service.count() == 1  # The filter's own statement.


def test_a_statement_that_calls_no_model_is_an_error() -> None:
    result = CliRunner().invoke(app, ["prompt", "SELECT 1"])
    assert result.exit_code == 1
    assert "it calls no model" in error_text(result)
