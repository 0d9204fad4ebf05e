"""The page on training lists every option with its default and meaning, as the settings have them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from quackllm.workers.training import FinetuneSettings, MergeSettings, PretrainSettings
from quackllm.workers.training.settings import StageSettings, TrainingSettings, default_text

PAGE = Path(__file__).parents[3] / "docs" / "training.md"
SHARED = TrainingSettings.model_fields.keys()


def rows(kind: type[StageSettings], but: set[str]) -> set[str]:
    """Return the lines of a stage's table."""
    lines = set()
    for name, field in kind.model_fields.items():
        default = "required" if field.is_required() else f"`{default_text(field)}`" if default_text(field) else ""
        if name not in but:
            lines.add(f"| `{name}` | {default} | {field.description} |")
    return lines


@pytest.mark.parametrize(
    ("command", "kind", "but"),
    [
        ("finetune", FinetuneSettings, set()),
        ("pretrain", PretrainSettings, set(SHARED)),
        ("merge", MergeSettings, set()),
    ],
)
def test_the_table_is_the_settings(command: str, kind: type[StageSettings], but: set[str]) -> None:
    section = PAGE.read_text("utf-8").split(f"## Options of `{command}`\n")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `.*\|$", section, re.MULTILINE)) == rows(kind, but)
