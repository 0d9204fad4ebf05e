"""settings.yaml and prices.yaml: read when they change, and never in silence."""

from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.udf.settings import load_settings
from quackllm.workers.errors import SetupError

import quackllm
from standin.fixtures import StandIn


def test_the_store_can_be_off_for_good(home: Path, service: StandIn):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    (home / "settings.yaml").write_text("llm_store: 'off'")
    connection = quackllm.connect()
    for _ in range(2):
        connection.execute("SELECT chat('x')").fetchall()
    assert service.count() == 2
    connection.execute("SET VARIABLE llm_store = 'on'")
    for _ in range(2):
        connection.execute("SELECT chat('x')").fetchall()
    assert service.count() == 3


@pytest.mark.parametrize(
    ("text", "says"), [("llm_stoer: 'on'", "llm_stoer"), ("store_max_bytes: much", "much"), ("- a", "a")]
)
def test_a_file_that_cannot_be_read_is_said(home: Path, text: str, says: str):
    (home / "settings.yaml").write_text(text)
    with pytest.raises(SetupError, match=says):
        load_settings()


def test_money_comes_from_the_users_prices(home: Path, service: StandIn):
    quackllm.deploy("chat", "openai", infer_params=service.openai_params())
    connection = quackllm.connect()
    connection.execute("SELECT chat('x')").fetchall()
    assert connection.execute("SELECT money FROM llm_usage()").fetchall() == [(None,)]
    (home / "prices.yaml").write_text("chat: {input: 1000000, output: 2000000}")
    ((money, read, written),) = connection.execute(
        "SELECT money, input_tokens, output_tokens FROM llm_usage()"
    ).fetchall()
    assert money == read + 2 * written > 0
