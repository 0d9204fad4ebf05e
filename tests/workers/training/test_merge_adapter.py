"""A merged model answers as its base with the adapter does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.errors import TrainingError
from quackllm.workers.training import FinetuneSettings, MergeSettings, finetune, merge

from support.tiny_llama import make_model, write_chats

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")


def adapter(base: Path, folder: Path, **more: Any) -> Path:
    settings = FinetuneSettings(
        model_name=str(base),
        train_file=str(write_chats(folder.with_suffix(".jsonl"))),
        output_dir=str(folder),
        **{"max_seq_length": 64, "learning_rate": 5e-2, "max_steps": 2, **more},
    )
    finetune(settings)
    return folder


# transformers tells peft's developers of a name that goes.
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def logits(model: Any) -> Any:
    with torch.inference_mode():
        return model.eval()(torch.arange(20)[None]).logits


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_the_merged_model_has_the_logits_of_the_adapter(method: str, base: Path, tmp_path: Path) -> None:
    run = adapter(base, tmp_path / "run", method=method)
    merged = merge(MergeSettings(adapter=str(run), output_dir=str(tmp_path / "merged")))
    whole = transformers.AutoModelForCausalLM.from_pretrained(base)
    before = logits(whole)
    wanted = logits(peft.PeftModel.from_pretrained(whole, str(run / "final")))
    found = logits(transformers.AutoModelForCausalLM.from_pretrained(merged))
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert (wanted - before).abs().max() > 0.01
    tokenizers = [transformers.AutoTokenizer.from_pretrained(path) for path in (base, merged)]
    assert tokenizers[0].chat_template == tokenizers[1].chat_template
    assert tokenizers[0].get_vocab() == tokenizers[1].get_vocab()


def test_what_cannot_be_merged_says_why(base: Path, tmp_path: Path) -> None:
    def refused(adapter: Path, **more: Any) -> str:
        with pytest.raises(TrainingError) as raised:
            merge(MergeSettings(adapter=str(adapter), output_dir=str(tmp_path / "merged"), **more))
        assert not (tmp_path / "merged").exists()
        return raised.value.message

    run = adapter(base, tmp_path / "run", max_steps=1, save_steps=1)
    assert "there is no folder" in refused(tmp_path / "nothing")
    assert "contains no LoRA adapter" in refused(base)
    assert "is a step of a run" in refused(run / "checkpoint-1")
    assert "there is no model folder" in refused(run, model_name="/nowhere")
    (run / "final").rename(run / ".draft-final")
    assert "has not finished" in refused(run)
    (run / ".draft-final").rename(run / "final")
    make_model(tmp_path / "other", template=None, hidden_size=32)
    assert "cannot be merged into" in refused(run, model_name=str(tmp_path / "other"))
    (tmp_path / "taken").mkdir()
    with pytest.raises(TrainingError, match="exists already"):
        merge(MergeSettings(adapter=str(run), output_dir=str(tmp_path / "taken")))
