"""Pre-training on text: windows, fresh models with their own tokenizers, and continued bases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.errors import TrainingError
from quackllm.workers.training import PretrainSettings, Trained, pretrain
from quackllm.workers.training.data.text_windows import make_windows

from support.tiny_llama import ANSWERS, QUESTIONS, SHAPE, make_tokenizer

pytest.importorskip("trl")

TEXT = "\n\n".join(QUESTIONS + ANSWERS) + "\n\n"
FAST: dict[str, Any] = {
    **{"max_seq_length": 32, "learning_rate": 1e-2, "gradient_accumulation_steps": 1, "logging_steps": 1},
    **{"max_steps": 4, "save_steps": 2},
}


def run(folder: Path, text: str = TEXT * 20, **more: Any) -> Trained:
    data = folder.with_suffix(".txt")
    data.write_text(text, "utf-8")
    return pretrain(PretrainSettings(train_file=str(data), output_dir=str(folder), **{**FAST, **more}))


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(SHAPE))
    return str(path)


def test_windows_are_full_and_hold_every_document_with_its_end() -> None:
    tokenizer = make_tokenizer(None)
    windows = make_windows(tokenizer, QUESTIONS * 9, 8, "text")
    assert windows.shape[1] == 8
    stream = [token for text in QUESTIONS * 9 for token in [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]]
    assert windows.reshape(-1).tolist() == stream[: windows.size]
    assert len(stream) - windows.size < 8


def test_a_fresh_model_learns_the_text_and_loads(config: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained = run(tmp_path / "own", config=config, vocab_size=320, learning_rate=3e-2, max_steps=8)
    losses = [entry["loss"] for entry in json.loads((tmp_path / "own" / "training.json").read_text())["losses"]]
    assert losses[-1] < losses[0] - 0.5
    tokenizer = AutoTokenizer.from_pretrained(trained.folder)
    model = AutoModelForCausalLM.from_pretrained(trained.folder)
    assert model.config.vocab_size == len(tokenizer) == 320
    assert (model.config.eos_token_id, model.config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
    assert tokenizer.decode(tokenizer("有多少名歌手？")["input_ids"]) == "有多少名歌手？"


def test_a_base_goes_on_with_an_evaluation_beside(base: Path, tmp_path: Path) -> None:
    (tmp_path / "dev.txt").write_text(TEXT * 3, "utf-8")
    trained = run(tmp_path / "more", model_name=str(base), eval_file=str(tmp_path / "dev.txt"))
    assert trained.eval_loss is not None
    assert (trained.data.tokens, trained.data.eval_examples > 0) == (trained.data.examples * 32, True)
    assert (trained.folder / "model.safetensors").is_file()


@pytest.mark.parametrize(("text", "message"), [("", "is empty"), ("a few words", "fewer than one window of 32")])
def test_too_little_text_is_an_error(text: str, message: str, base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=message):
        run(tmp_path / "run", text, model_name=str(base))


def test_a_config_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_text("{}")
    with pytest.raises(TrainingError, match=r"bad.json is not a config.json"):
        run(tmp_path / "own", config=str(tmp_path / "bad.json"))
