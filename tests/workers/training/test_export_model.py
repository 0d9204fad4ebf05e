"""A model re-saved as safetensors: in files of a size, in a type, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.workers.errors import ExportError
from quackllm.workers.training.export_model import export

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")


def test_it_is_the_same_model_in_smaller_files(tiny_llama: Path, tmp_path: Path) -> None:
    done = export(str(tiny_llama), str(tmp_path / "again"), max_shard_size="1MB")
    assert len(list(done.path.glob("model-*.safetensors"))) > 1
    assert done.type == "float32"
    assert done.bytes == sum(file.stat().st_size for file in done.path.iterdir())
    before, after = (transformers.AutoModelForCausalLM.from_pretrained(path) for path in (tiny_llama, done.path))
    for name, weight in before.state_dict().items():
        assert torch.equal(weight, after.state_dict()[name])
    tokenizers = [transformers.AutoTokenizer.from_pretrained(path) for path in (tiny_llama, done.path)]
    assert tokenizers[0].chat_template == tokenizers[1].chat_template
    assert tokenizers[0]("池塘里有什么？") == tokenizers[1]("池塘里有什么？")


def test_another_type(tiny_llama: Path, tmp_path: Path) -> None:
    done = export(str(tiny_llama), str(tmp_path / "half"), type="bfloat16")
    assert done.type == "bfloat16"
    model = transformers.AutoModelForCausalLM.from_pretrained(done.path, dtype="auto")
    assert model.dtype is torch.bfloat16


def test_types_and_targets_that_do_not_go_together(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="safetensors have no type 'Q4_K_M'") as caught:
        export(str(tiny_llama), str(tmp_path / "model"), type="Q4_K_M")
    assert "ends in .gguf" in caught.value.hint
    with pytest.raises(ExportError, match="Ollama reads a GGUF"):
        export(str(tiny_llama), str(tmp_path / "model"), ollama=True)
    with pytest.raises(ExportError, match="exists already"):
        export(str(tiny_llama), str(tiny_llama))
    with pytest.raises(ExportError, match="cannot be loaded"):
        export(str(tmp_path), str(tmp_path / "model"))


def test_a_folder_is_replaced_when_told(tiny_llama: Path, tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")
    export(str(tiny_llama), str(target), overwrite=True)
    assert not (target / "old").exists()
    assert (target / "model.safetensors").is_file()
