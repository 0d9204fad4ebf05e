"""The story of a small model told small: every stage runs, and the same SQL answers more after the second training."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[4] / "notebooks" / "examples" / "story"


@pytest.mark.filterwarnings("ignore::quackllm.udf.session.statement.FailedRowsWarning")
def test_a_model_of_ones_own_learns_english_then_chinese_and_answers_the_same_sql(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("torch", "trl", "peft", "bitsandbytes"):
        pytest.importorskip(package)
    monkeypatch.syspath_prepend(str(FOLDER))
    work = tmp_path / "story"
    before, after = importlib.import_module("story").tell(work, small=True)
    right = 'SELECT AVG("速度") FROM "火车"'
    assert before != right
    assert after == right
    english_only, both = models(work / "chinese.test")
    assert english_only["accuracy"] < 0.5 < both["accuracy"]
    assert min(model["accuracy"] for model in models(work / "english.test")) > 0.5
    for stage in ("text", "english", "chinese"):
        assert (work / stage / "loss.png").stat().st_size > 1000


def models(folder: Path) -> list[dict[str, float]]:
    """Return what an evaluation reports of each model."""
    found: list[dict[str, float]] = json.loads((folder / "report.json").read_text("utf-8"))["models"]
    return found
