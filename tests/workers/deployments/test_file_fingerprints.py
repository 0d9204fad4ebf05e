from __future__ import annotations

from pathlib import Path

from quackllm.workers.deployments.file_fingerprints import file_fingerprints
from quackllm.workers.deployments.spec import ModelSpec, make_spec


def spec_of(path: Path | str) -> ModelSpec:
    return make_spec(name="own", type="custom/auto", infer_params={"backend": "transformers", "model_path": str(path)})


def test_a_model_trained_anew_in_the_same_folder_is_another_model(tmp_path: Path) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"old")
    before = spec_of(tmp_path).identity
    assert spec_of(tmp_path).identity == before
    weights.write_bytes(b"newer")
    assert spec_of(tmp_path).identity != before


def test_one_file_a_missing_path_and_an_id_of_a_hub(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(b"GGUF")
    ((name, size, _),) = file_fingerprints(str(file))
    assert (name, size) == ("model.gguf", 4)
    assert (
        file_fingerprints(str(tmp_path / "nowhere"))
        == file_fingerprints("XGenerationLab/XiYanSQL-QwenCoder-7B-2502")
        == []
    )
