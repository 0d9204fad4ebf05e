"""The settings of a run: from a file, from flags, with clear errors."""

from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.workers.errors import RequestError
from quackllm.workers.training import FinetuneSettings, MergeSettings, PretrainSettings
from quackllm.workers.training.settings import read_settings

NEEDED = {"model_name": "m", "train_file": "d.jsonl"}
SEED = {
    **{"output_dir": "./output", "max_seq_length": 1024, "per_device_train_batch_size": 4, "num_train_epochs": 3},
    **{"per_device_eval_batch_size": 4, "gradient_accumulation_steps": 4, "logging_steps": 10, "save_steps": 500},
    **{"learning_rate": 2e-4, "lora_rank": 16, "lora_alpha": 32, "lora_dropout": 0.05},
}


def test_the_seeds_options_have_its_names_and_defaults() -> None:
    settings = read_settings(FinetuneSettings, None, NEEDED).model_dump()
    assert {name: settings[name] for name in SEED} == SEED


def test_a_flag_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text("model_name: base\ntrain_file: a.jsonl\nlearning_rate: 1e-3\nlora_rank: 8\n")
    settings = read_settings(FinetuneSettings, file, {"lora_rank": 64})
    assert (settings.learning_rate, settings.lora_rank, settings.model_name) == (1e-3, 64, "base")


def test_lists_and_mappings_are_read_from_words() -> None:
    words = {"target_modules": "q_proj, v_proj", "chat_template_kwargs": "{enable_thinking: false}"}
    settings = read_settings(FinetuneSettings, None, {**NEEDED, **words})
    assert settings.target_modules == ["q_proj", "v_proj"]
    assert settings.chat_template_kwargs == {"enable_thinking": False}


@pytest.mark.parametrize(
    ("fields", "message", "hint"),
    [
        ({"lora_rang": 8}, "no option 'lora_rang'", "did you mean 'lora_rank'"),
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0, not -1", ""),
        ({"method": "loar"}, "method: Input should be 'lora', 'qlora', 'qlora8' or 'full', not 'loar'", ""),
        ({"query": "SELECT 1"}, "either train_file or query is needed", ""),
    ],
)
def test_what_cannot_be_is_named(fields: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(RequestError) as raised:
        read_settings(FinetuneSettings, None, {**NEEDED, **fields})
    assert message in raised.value.message
    assert hint in raised.value.hint


def test_what_is_missing_is_said_with_its_meaning() -> None:
    with pytest.raises(RequestError, match="model_name is missing: the base: a folder"):
        read_settings(FinetuneSettings, None, {"train_file": "d.jsonl"})
    with pytest.raises(RequestError, match="output_dir is missing"):
        read_settings(MergeSettings, None, {"adapter": "a"})
    with pytest.raises(RequestError, match=r"either model_name .* or config"):
        read_settings(PretrainSettings, None, {"train_file": "d.txt"})


@pytest.mark.parametrize("text", ["- a list", "a: [", None])
def test_a_settings_file_that_cannot_be_read_says_so(text: str | None, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(RequestError, match=r"run\.yaml (cannot be read|contains no settings)"):
        read_settings(FinetuneSettings, file, {})
