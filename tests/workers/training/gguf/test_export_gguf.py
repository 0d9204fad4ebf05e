"""A model as a GGUF: the same tokens in and out as before, in each of llama.cpp's types."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.workers.atomic_files import draft_path
from quackllm.workers.engines.llama_cpp.server_process import QUIET_SETTINGS, LlamaServer
from quackllm.workers.errors import ExportError, MissingExtraError, TrainingError
from quackllm.workers.training.export_model import export
from quackllm.workers.training.gguf.quantization import MIXES, ModelShape, tensor_type

from support.tiny_models import TALKS, WIDTH, new_tokenizer

gguf = pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")


def answered(path: Path, prompts: Sequence[str], count: int = 16) -> list[tuple[list[int], list[int]]]:
    """Return the tokens that llama.cpp reads and writes, the likeliest first, for plain prompts."""

    async def main() -> list[tuple[list[int], list[int]]]:
        server = LlamaServer({"model.path": str(path), "n_ctx": 256, "cpuparams.n_threads": 1, **QUIET_SETTINGS})
        await server.start()
        try:
            pairs = []
            for prompt in prompts:
                read = (await server.post("/tokenize", {"content": prompt, "add_special": True}))["tokens"]
                body = {"prompt": read, "n_predict": count, "temperature": 0, "return_tokens": True}
                pairs.append((read, (await server.post("/completion", body))["tokens"]))
            return pairs
        finally:
            await server.close()

    return asyncio.run(main())


@cache
def expected(folder: Path, prompts: tuple[str, ...], count: int = 16) -> list[tuple[list[int], list[int]]]:
    """Return the same by transformers, in float32."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    pairs = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")
        whole = model.generate(**ids, max_new_tokens=count, do_sample=False)[0].tolist()
        length = ids["input_ids"].shape[1]
        pairs.append((whole[:length], whole[length:]))
    return pairs


@cache
def taught_prompts(folder: Path) -> tuple[str, ...]:
    """Return the questions that the model was trained on, as its chat template writes them."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    turns = [[{"role": "user", "content": question}] for question in TALKS]
    return tuple(tokenizer.apply_chat_template(turn, tokenize=False, add_generation_prompt=True) for turn in turns)


@pytest.mark.parametrize("name", ["tiny_llama", "tiny_qwen"])
def test_in_16_bits_it_writes_token_for_token_what_transformers_does(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(name)
    done = export(str(folder), str(tmp_path / "model.gguf"), type="f16")
    assert done.type == "F16"
    prompts = taught_prompts(folder)
    wanted = expected(folder, prompts)
    assert answered(done.path, prompts) == wanted
    assert any(len(tokens) > 8 for _, tokens in wanted)


@pytest.mark.parametrize("type", ["BF16", "Q8_0", "Q5_K_M", "Q4_K_M", "Q4_0"])
def test_in_fewer_bits_it_still_knows_its_answers(type: str, tiny_llama: Path, tmp_path: Path) -> None:
    done = export(str(tiny_llama), str(tmp_path / "model.gguf"), type=type)
    whole = (tiny_llama / "model.safetensors").stat().st_size
    assert done.bytes < whole * {"BF16": 0.6, "Q8_0": 0.32}.get(type, 0.27)
    prompts = taught_prompts(tiny_llama)[:4]
    assert answered(done.path, prompts) == expected(tiny_llama, prompts)


def random_model(kind: str, tmp_path: Path, **fields: Any) -> Path:
    """Save a model of random weights whose logits are far apart."""
    import torch
    import transformers

    tokenizer = new_tokenizer()
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = getattr(transformers, f"{kind}Config")(
        **{**sizes, "num_key_value_heads": 2, "vocab_size": len(tokenizer) + 5, "initializer_range": 0.5, **fields},
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(5)
        getattr(transformers, f"{kind}ForCausalLM")(config).save_pretrained(tmp_path / "random")
    tokenizer.chat_template = None
    tokenizer.save_pretrained(tmp_path / "random")
    return tmp_path / "random"


LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {"rope_type": "yarn", "rope_theta": 1000.0, "factor": 4.0, "original_max_position_embeddings": 32}


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Mistral", {"sliding_window": None}),
        ("Qwen3", {"head_dim": 32, "tie_word_embeddings": True}),
        ("Llama", {"head_dim": 32, "attention_bias": True, "rope_parameters": LLAMA3}),
        ("Llama", {"rope_parameters": {"rope_type": "linear", "rope_theta": 1000.0, "factor": 2.0}}),
        ("Qwen2", {"rope_parameters": YARN, "max_position_embeddings": 128}),
    ],
    ids=["Mistral", "Qwen3", "Llama 3's rope, biases", "linear rope", "YaRN"],
)
def test_other_shapes_write_what_transformers_does(kind: str, fields: dict[str, Any], tmp_path: Path) -> None:
    folder = random_model(kind, tmp_path, **fields)
    done = export(str(folder), str(tmp_path / "model.gguf"), type="F32")
    prompts = ("the duck swims " * 12, "池塘里有 3 只")
    assert answered(done.path, prompts, 12) == expected(folder, prompts, 12)


def test_weights_whose_rows_do_not_fit_are_named_before_they_are_written(tiny_qwen: Path, tmp_path: Path) -> None:
    said: list[str] = []
    told: list[int] = []
    done = export(
        str(tiny_qwen),
        str(tmp_path / "model.gguf"),
        type="Q4_K_M",
        warn=lambda words: said.append(words) or (told and said.append("too late")),
        progress=lambda written, total: told.append(written),
    )
    assert done.fallbacks == {
        "blk.0.ffn_down.weight": ("Q4_K", "Q5_0"),
        "blk.1.ffn_down.weight": ("Q6_K", "Q8_0"),
    }
    (words,) = said
    assert "2 of 26 weights have other rows" in words
    assert "Q4_K becomes Q5_0 in 1: blk.0.ffn_down.weight" in words
    assert told == sorted(told)
    reader = gguf.GGUFReader(done.path)
    kinds = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert kinds["blk.0.ffn_down.weight"] == "Q5_0"
    assert kinds["token_embd.weight"] == "Q6_K", "the embeddings are the output, too"
    assert answered(done.path, taught_prompts(tiny_qwen)[:2]) == expected(tiny_qwen, taught_prompts(tiny_qwen)[:2])


def finer_layers(mix: str, part: str, shape: ModelShape, finer: str) -> list[int]:
    names = [f"blk.{layer}.{part}.weight" for layer in range(shape.layers)]
    return [layer for layer, name in enumerate(names) if tensor_type(name, (512, 512), mix, shape)[0].name == finer]


def test_the_mixes_are_those_of_llama_cpp() -> None:
    """As `llama_model_quantize` of llama.cpp b11739 mixed a Llama of 24 layers, 8 heads on 2, and one of 80."""
    shape, tall = ModelShape(24, 8, 2, tied=False), ModelShape(80, 8, 4, tied=False)
    rich = [0, 1, 2, 5, 8, 11, 14, 17, 20, 21, 22, 23]
    for mix in ("Q4_K_M", "Q5_K_M"):
        assert finer_layers(mix, "attn_v", shape, "Q6_K") == finer_layers(mix, "ffn_down", shape, "Q6_K") == rich
        assert finer_layers(mix, "attn_k", shape, "Q6_K") == []
    assert finer_layers("Q4_K_S", "attn_v", shape, "Q5_K") == [0, 1, 2, 3]
    assert finer_layers("Q4_K_S", "ffn_down", shape, "Q5_K") == [0, 1, 2]
    assert finer_layers("Q3_K_M", "attn_v", shape, "Q5_K") == [0, 1]
    assert finer_layers("Q3_K_M", "attn_output", shape, "Q4_K") == list(range(24))
    assert finer_layers("Q2_K", "attn_v", shape, "Q4_K") == list(range(24))
    assert finer_layers("Q4_K_S", "attn_v", tall, "Q5_K") == list(range(80))
    for mix, base in MIXES.items():
        assert tensor_type("output.weight", (512, 512), mix, shape)[0].name == ("Q8_0" if mix == "Q8_0" else "Q6_K")
        assert tensor_type("token_embd.weight", (512, 512), mix, shape)[0] is base
        assert tensor_type("blk.3.attn_norm.weight", (512,), mix, shape)[0].name == "F32"
        assert tensor_type("output.weight", (512, 48), mix, shape)[0].name in ("F16",)


TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab cd  \n\t\r12345.,;:!?'\"()<>=*_-/\\|你好鸭子，。？🦆é½Жяあ"),
        st.characters(exclude_categories=["Cs", "Cn", "Co"], exclude_characters="\0"),
    ),
    max_size=40,
)


def test_llama_cpp_splits_texts_as_the_tokenizer(tiny_llama: Path, tiny_gguf: Path) -> None:
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    with asyncio.Runner() as runner:
        server = LlamaServer({"model.path": str(tiny_gguf), "n_ctx": 64, "warmup": False, **QUIET_SETTINGS})
        runner.run(server.start())
        try:

            @settings(max_examples=150)
            @given(TEXTS)
            def check(text: str) -> None:
                tokens = runner.run(server.post("/tokenize", {"content": text}))["tokens"]
                assert tokens == tokenizer(text, add_special_tokens=False)["input_ids"]

            check()
        finally:
            runner.run(server.close())


def test_a_process_killed_while_it_writes_leaves_nothing_that_looks_whole(tiny_llama: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "model.gguf"
    program = (
        "import os, signal, sys\n"
        "from quackllm.workers.training.export_model import export\n"
        "export(*sys.argv[1:], progress=lambda done, all: done > all / 2 and os.kill(os.getpid(), signal.SIGKILL))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tiny_llama), str(target)], env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in target.parent.iterdir()] == [draft_path(target).name]
    export(str(tiny_llama), str(target))
    assert [path.name for path in target.parent.iterdir()] == [target.name]


def test_an_interrupted_export_leaves_nothing(tiny_llama: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export(str(tiny_llama), str(tmp_path / "out" / "model.gguf"), progress=interrupt)
    assert not list((tmp_path / "out").iterdir())


def test_an_unknown_type_names_those_there_are(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="no GGUF type 'Q4_K_X'") as caught:
        export(str(tiny_llama), str(tmp_path / "model.gguf"), type="Q4_K_X")
    assert "did you mean" in caught.value.hint
    assert "Q8_0, Q6_K" in caught.value.hint


def test_what_is_there_is_replaced_only_when_told(tiny_llama: Path, tmp_path: Path) -> None:
    target = tmp_path / "model.gguf"
    target.write_text("mine")
    with pytest.raises(ExportError, match="exists already") as caught:
        export(str(tiny_llama), str(target))
    assert "--overwrite" in caught.value.hint
    assert target.read_text() == "mine"
    assert export(str(tiny_llama), str(target), overwrite=True).bytes > 100_000


def changed(folder: Path, to: Path, **fields: Any) -> Path:
    """Copy a model, with other fields in its configuration."""
    shutil.copytree(folder, to)
    path = to / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))
    return to


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"architectures": ["GPTBigCodeForCausalLM"]}, "its architecture, GPTBigCodeForCausalLM, is none of Llama"),
        ({"hidden_act": "gelu"}, "its activation is 'gelu'"),
        ({"rope_parameters": {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}}, "embedding is 'dynamic'"),
        ({"quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}}, "are quantized already"),
        ({"num_hidden_layers": 3}, "lacks 9 of its weights, e.g. blk.2.attn_k.weight"),
        ({"vocab_size": 300}, "the tokenizer has 420 tokens, the model 300"),
    ],
)
def test_a_model_that_would_not_be_the_same_is_refused(
    tiny_llama: Path, tmp_path: Path, fields: dict[str, Any], words: str
) -> None:
    folder = changed(tiny_llama, tmp_path / "odd", **fields)
    with pytest.raises(ExportError, match=words) as caught:
        export(str(folder), str(tmp_path / "model.gguf"))
    assert caught.value.hint
    assert not list(tmp_path.glob("model*"))


def test_folders_without_a_whole_model(tiny_llama: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="there is no folder"):
        export(str(tmp_path / "nothing"), str(tmp_path / "model.gguf"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(ExportError, match="contains no model"):
        export(str(tmp_path / "empty"), str(tmp_path / "model.gguf"))
    adapter = shutil.copytree(tiny_llama, tmp_path / "adapter")
    (adapter / "model.safetensors").rename(adapter / "pytorch_model.bin")
    with pytest.raises(ExportError, match="no weights of a whole model") as caught:
        export(str(adapter), str(tmp_path / "model.gguf"))
    assert "quackllm merge" in caught.value.hint
    cut = shutil.copytree(tiny_llama, tmp_path / "cut")
    whole = (cut / "model.safetensors").read_bytes()
    (cut / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ExportError, match="cannot be read"):
        export(str(cut), str(tmp_path / "model.gguf"))


def test_values_that_float16_cannot_hold(tiny_llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_llama, tmp_path / "large")
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][0, 0] = 1e6
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ExportError, match=r"output\.weight has values that float16 cannot hold") as caught:
        export(str(folder), str(tmp_path / "model.gguf"), type="F16")
    assert "BF16" in caught.value.hint


def test_a_missing_package_of_the_export_is_named(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtraError) as caught:
        export(str(tiny_llama), str(tmp_path / "model.gguf"))
    assert caught.value.hint == 'pip install "quackllm[llama-cpp]"'


def test_widths_of_the_tests_suit_k_quants() -> None:
    assert WIDTH % 256 == 0
