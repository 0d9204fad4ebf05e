from __future__ import annotations

import sys

import pytest
from quackllm.udf.text2sql.builtin_training import measure
from quackllm.udf.text2sql.evaluation import datasets
from quackllm.workers.builtin.network.weights_file import WEIGHTS


@pytest.fixture(autouse=True)
def sample(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("QUACKLLM_DATA", raising=False)


def test_the_model_is_asked_as_text2sql_asks_it() -> None:
    model = measure.BuiltinModel(WEIGHTS)
    schema = measure.database_catalog("concert_singer")
    assert model.ask_model(schema, "How many singers are there?") == "SELECT COUNT(*) FROM singer"
    history = (("Show the names of all singers.", "SELECT Name FROM singer"),)
    assert "Country = 'France'" in (model.ask_model(schema, "Only those from France.", history) or "")
    assert len(model.seconds) == 2


def test_declines_are_counted() -> None:
    model = measure.BuiltinModel(WEIGHTS)
    own, wrong, count = measure.count_declines(model, datasets.load_questions("spider")[::40])
    assert own < wrong <= count == 11


def test_the_command_prints_what_the_model_card_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = datasets.load_questions("spider")[::20]
    monkeypatch.setattr(measure, "load_questions", lambda suite: asked)
    monkeypatch.setattr(sys, "argv", ["measure_builtin", "spider", "--limit", "20"])
    measure.main()
    printed = capsys.readouterr().out
    assert "spider: execution accuracy" in printed
    assert "declined:" in printed
