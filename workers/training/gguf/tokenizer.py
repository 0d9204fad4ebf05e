"""A tokenizer as llama.cpp has it, tried out by llama.cpp itself before it is trusted.

llama.cpp splits text by rules that are compiled in and chosen by a name (`tokenizer.ggml.pre`). Which of them a
tokenizer follows is not guessed from its family: each is tried on texts that tell them apart, and the one that gives
the tokenizer's own tokens is taken.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gguf

from ...engines.llama_cpp.server_process import QUIET_SETTINGS, LlamaServer
from ...errors import ExportError

PRE_TOKENIZERS = (
    *("gpt-2", "qwen2", "llama-bpe", "deepseek-coder", "deepseek-llm", "deepseek-v3", "starcoder", "tekken"),
    *("smaug-bpe", "gpt-4o", "qwen35", "falcon", "viking", "seed-coder", "default"),
)
BYTE = re.compile(r"<0x[0-9A-F]{2}>")
# Texts that llama.cpp must split as the tokenizer does.
PROBE_TEXTS = (
    "SELECT count(*) FROM singer WHERE age >= 18 AND name = 'O''Brien';",
    "How many singers are there in each country, and what's THEIR average age? I'LL say: we've 3.14, 1,234 or 98765",
    "2023年有多少名歌手来自法国？请按年龄从大到小排列，「上海」也算。",
    "  two  spaces,\ttabs\t\tand\n\nnew\n \nlines \r\n   ",
    "naïve café, Привет мир 123, こんにちは, 안녕하세요 😀🦆👩‍💻 ½ ² №5",
    "def f(x):\n    return {'a': x[0]}  # comment_1 CamelCase snake_case\n\n\n\treturn",
    "",
    " ",
    '!!!...???---==="quoted" (a|b) <x> </x> http://a.b/c?d=e&f=%20',
    "a1b22c333d4444 0x1F 12345678901234567890",
)


@dataclass(frozen=True)
class Vocabulary:
    """A tokenizer's tokens in the form of a GGUF, and how text is split into them."""

    model: str
    split: str
    tokens: list[str]
    token_types: list[int]
    merges: list[str]
    scores: list[float]
    special: Mapping[str, int]
    adds: Mapping[str, bool]
    template: str | None
    space_first: bool = False

    def write(self, writer: gguf.GGUFWriter) -> None:
        """Write the fields of `tokenizer.ggml`."""
        writer.add_tokenizer_model(self.model)
        writer.add_tokenizer_pre(self.split)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.token_types)
        if self.model == "gpt2":
            writer.add_token_merges(self.merges)
        else:
            writer.add_token_scores(self.scores)
        writer.add_add_space_prefix(self.space_first)
        for name, token in self.special.items():
            writer.add_uint32(f"tokenizer.ggml.{name}_token_id", token)
        for name, added in self.adds.items():
            writer.add_bool(f"tokenizer.ggml.add_{name}_token", added)
        if self.template is not None:
            writer.add_chat_template(self.template)


def read_vocabulary(folder: Path, size: int, ends: Sequence[int]) -> Vocabulary:
    """Return the vocabulary of a folder's tokenizer, tried with llama.cpp.

    Args:
        folder: has the tokenizer.
        size: tokens of the model's embeddings; those that the tokenizer lacks are padded.
        ends: the tokens that end an answer.

    Raises:
        ExportError: llama.cpp has no such tokenizer, or splits text in another way than it.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        definition = json.loads(tokenizer.backend_tokenizer.to_str())
    except (OSError, ValueError, AttributeError) as error:
        raise ExportError(f"{folder} has no tokenizer.json that can be read: {error}") from error
    if definition["model"]["type"] != "BPE":
        raise ExportError(f"llama.cpp has no tokenizer of the type {definition['model']['type']!r} for these models")
    vocabulary = _vocabulary(tokenizer, definition, size, ends)
    expected = {text: tokenizer(text, add_special_tokens=False)["input_ids"] for text in PROBE_TEXTS}
    return asyncio.run(_first_equal(_candidates(vocabulary, definition), expected, folder))


def _vocabulary(tokenizer: Any, definition: Mapping[str, Any], size: int, ends: Sequence[int]) -> Vocabulary:
    model = definition["model"]
    added = {token["id"]: token for token in definition["added_tokens"]}
    texts = {number: text for text, number in model["vocab"].items()}
    texts |= {number: token["content"] for number, token in added.items()}
    if max(texts) >= size:
        raise ExportError(f"the tokenizer has {max(texts) + 1} tokens, the model {size}", hint="are they of one model?")
    numbers = range(size)
    merges = [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]
    ranks = {first + second: rank for rank, (first, second) in reversed(list(enumerate(merges)))}
    pieces = bool(model.get("byte_fallback"))
    special_ids = {"bos": tokenizer.bos_token_id, "unk": tokenizer.unk_token_id, "pad": tokenizer.pad_token_id}
    special = {name: number for name, number in special_ids.items() if number is not None}
    return Vocabulary(
        model="llama" if pieces else "gpt2",
        split="default" if pieces else PRE_TOKENIZERS[0],
        tokens=[texts.get(number, f"[PAD{number}]") for number in numbers],
        token_types=[
            _token_type(number, texts.get(number), added, model.get("unk_token"), pieces) for number in numbers
        ],
        merges=[" ".join(part.replace(" ", "Ġ") for part in pair) for pair in merges],
        scores=[float(-ranks.get(texts.get(number, ""), len(merges))) for number in numbers],
        special={**special, **_ends(ends, tokenizer.eos_token_id)},
        adds=_adds(tokenizer),
        template=tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else None,
    )


def _token_type(number: int, text: str | None, added: Mapping[int, Any], unknown: str | None, pieces: bool) -> int:
    if text is None:
        return gguf.TokenType.UNUSED
    if text == unknown:
        return gguf.TokenType.UNKNOWN
    if number in added:
        return gguf.TokenType.CONTROL if added[number]["special"] else gguf.TokenType.USER_DEFINED
    return gguf.TokenType.BYTE if pieces and BYTE.fullmatch(text) else gguf.TokenType.NORMAL


def _ends(ends: Sequence[int], special_ids: int | None) -> dict[str, int]:
    """Return the fields that name what ends an answer: llama.cpp has room for three.

    Raises:
        ExportError: there are more.
    """
    ordered = sorted(set(ends), key=lambda token: (token != special_ids, token))
    if len(ordered) > 3:
        raise ExportError(f"llama.cpp ends an answer at 3 tokens, and this model at {len(ordered)}: {ordered}")
    return dict(zip(("eos", "eot", "eom"), ordered, strict=False))


def _adds(tokenizer: Any) -> dict[str, bool]:
    """Return which special tokens the tokenizer puts around a text."""
    bare, with_special = (tokenizer("x", add_special_tokens=adds)["input_ids"] for adds in (False, True))
    first, last = (
        with_special[: with_special.index(bare[0])],
        with_special[with_special.index(bare[0]) + len(bare) :],
    )
    if first not in ([], [tokenizer.bos_token_id]) or last not in ([], [tokenizer.eos_token_id]):
        raise ExportError(f"llama.cpp cannot put the tokens {first} before a text and {last} behind it")
    return {"bos": bool(first), "eos": bool(last)}


def _candidates(vocabulary: Vocabulary, definition: Mapping[str, Any]) -> list[Vocabulary]:
    """Return the pre-tokenizers that may be this tokenizer's, the likelier ones first."""
    if vocabulary.model == "llama":
        return [replace(vocabulary, space_first=first) for first in (True, False)]
    rules = json.dumps([definition.get("pre_tokenizer"), definition.get("normalizer")])
    likely = "llama-bpe" if r"\\p{N}{1,3}" in rules else "qwen2" if r"\\p{N}|" in rules else "gpt-2"
    return [replace(vocabulary, split=split) for split in sorted(PRE_TOKENIZERS, key=lambda split: split != likely)]


async def _first_equal(candidates: Sequence[Vocabulary], expected: Mapping[str, list[int]], folder: Path) -> Vocabulary:
    nearest: tuple[int, str, list[int]] | None = None
    for candidate in candidates:
        tokens = await _tokenized(candidate, list(expected))
        wrong = [
            (text, got)
            for (text, expected_tokens), got in zip(expected.items(), tokens, strict=True)
            if got != expected_tokens
        ]
        if not wrong:
            return candidate
        if nearest is None or len(wrong) < nearest[0]:
            nearest = (len(wrong), *wrong[0])
    assert nearest is not None
    count, text, got = nearest
    difference = f"{count} of {len(expected)} texts, e.g. {text!r}: {expected[text]}, not {got}"
    raise ExportError(f"llama.cpp splits text in another way than the tokenizer of {folder}: {difference}")


async def _tokenized(vocabulary: Vocabulary, texts: Sequence[str]) -> list[list[int]]:
    """Return each text's tokens as llama.cpp splits it, in a model that is nothing but this vocabulary."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vocabulary.gguf"
        await asyncio.to_thread(_write_alone, replace(vocabulary, template=None), path)
        fields = {"model.path": str(path), "n_ctx": 64, "warmup": False, "fit_params": False, "n_gpu_layers": 0}
        server = LlamaServer({**fields, **QUIET_SETTINGS})
        await server.start()
        try:
            return [(await server.post("/tokenize", {"content": text}))["tokens"] for text in texts]
        finally:
            await server.close()


def _write_alone(vocabulary: Vocabulary, path: Path) -> None:
    """Write a GGUF with the vocabulary and the smallest model that llama.cpp loads."""
    import numpy as np

    width = 32
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(width)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_block_count(1)
    writer.add_head_count(1)
    writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width)
    vocabulary.write(writer)
    for name in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{name}.weight", np.zeros(width, np.float32))
    for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        writer.add_tensor(f"blk.0.{part}.weight", np.zeros((width, width), np.float32))
    writer.add_tensor("token_embd.weight", np.zeros((len(vocabulary.tokens), width), np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
