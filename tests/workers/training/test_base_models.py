"""Errors of the libraries and of the machine become errors of ours, which say what to type."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from quackllm.workers.errors import MissingExtraError, TrainingError
from quackllm.workers.training.base_models import base_path, deepspeed_config, load_tokenizer, translated_errors

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

EXAMPLE = Path(__file__).parents[3] / "deploy" / "deepspeed_zero3_offload.json"


def test_too_little_memory_says_which_flags_help() -> None:
    with pytest.raises(TrainingError, match="not enough memory") as raised, translated_errors():
        torch.empty(1 << 50)
    assert "--per-device-train-batch-size 1" in raised.value.hint
    assert "--method qlora" in raised.value.hint


def test_a_missing_package_names_the_extra() -> None:
    with pytest.raises(MissingExtraError, match="training needs no_such_package") as raised, translated_errors():
        import no_such_package  # noqa: F401
    assert raised.value.hint == 'type: pip install "quackllm[train]"'


@pytest.mark.parametrize("said", [None, "0"])
def test_nothing_is_reported_unless_the_user_says_so(said: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
    monkeypatch.delenv("HF_HUB_DISABLE_TELEMETRY", raising=False)
    if said is not None:
        monkeypatch.setenv("HF_HUB_DISABLE_TELEMETRY", said)
    with translated_errors():
        assert constants.HF_HUB_DISABLE_TELEMETRY is (said is None)


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(RuntimeError, match="another"), translated_errors():
        raise RuntimeError("another")


@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="deepspeed is installed here")
def test_deepspeed_is_an_extra_of_its_own() -> None:
    assert deepspeed_config(None) is None
    with pytest.raises(MissingExtraError) as raised:
        deepspeed_config(str(EXAMPLE))
    assert raised.value.hint == 'type: pip install "quackllm[deepspeed]"'


@pytest.mark.parametrize("name", ["/nowhere/model", "./nowhere", "~/nowhere", "nowhere"])
def test_a_folder_that_is_not_there_is_no_hub_name(name: str) -> None:
    with pytest.raises(TrainingError, match="there is no model folder"):
        base_path(name)


def test_a_folder_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the tokenizer of .* cannot be loaded") as raised:
        load_tokenizer(base_path(str(tmp_path)))
    assert "tokenizer.json" in raised.value.hint
