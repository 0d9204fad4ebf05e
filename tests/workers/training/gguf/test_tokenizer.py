"""Tokenizers as llama.cpp has them: the rule of splitting is found by trying, and what has none is refused."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from quackllm.workers.errors import ExportError

from support.tiny_models import TALKS, new_tokenizer

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
tokenizers = pytest.importorskip("tokenizers")
from quackllm.workers.training.gguf.tokenizer import read_vocabulary  # noqa: E402 needs gguf

QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|")
SENTENCES = [f"{asked} {answer} 12345 1234 7" for asked, answer in TALKS.items()]


def save_tokenizer(tokenizer: Any, folder: Path, **special: Any) -> Path:
    import transformers

    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    return folder


def splitting(pattern: str, special: Sequence[str] = ("<s>", "</s>")) -> Any:
    """Return a byte-level BPE that splits text by this pattern first."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    first = pre_tokenizers.Split(Regex(pattern), "isolated")
    second = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([first, second])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=450, special_tokens=list(special), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(SENTENCES * 3, trainer)
    return tokenizer


def pieces() -> Any:
    """Return a BPE like that of Llama 2 and Mistral: `▁` for spaces, bytes for unknown letters, `<s>` first."""
    from tokenizers import Tokenizer, decoders, models, normalizers, processors, trainers

    bytes_ = [f"<0x{number:02X}>" for number in range(256)]
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trainer = trainers.BpeTrainer(
        vocab_size=600, special_tokens=["<unk>", "<s>", "</s>", *bytes_], show_progress=False, max_token_length=8
    )
    tokenizer.train_from_iterator([sentence for text in SENTENCES for sentence in text.split(" ")] * 3, trainer)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


@pytest.mark.parametrize(("pattern", "split"), [(QWEN, "qwen2"), (LLAMA3, "llama-bpe")], ids=["Qwen2", "Llama 3"])
def test_the_rule_of_splitting_is_found(pattern: str, split: str, tmp_path: Path) -> None:
    folder = save_tokenizer(splitting(pattern), tmp_path, bos_token="<s>", eos_token="</s>")
    vocabulary = read_vocabulary(folder, 460, [1])
    assert (vocabulary.model, vocabulary.split) == ("gpt2", split)
    assert vocabulary.adds == {"bos": False, "eos": False}
    assert vocabulary.special["eos"] == 1
    assert vocabulary.tokens[-1] == "[PAD459]"


def test_pieces_with_bytes_are_split_alike(tmp_path: Path) -> None:
    folder = save_tokenizer(pieces(), tmp_path, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    vocabulary = read_vocabulary(folder, 600, [2])
    assert (vocabulary.model, vocabulary.split, vocabulary.space_first) == ("llama", "default", True)
    assert vocabulary.adds == {"bos": True, "eos": False}
    assert vocabulary.token_types[:4] == [2, 3, 3, 3] or vocabulary.token_types[3] == 6


def test_a_rule_that_llama_cpp_does_not_have_is_refused_with_a_text_that_shows_it(tmp_path: Path) -> None:
    folder = save_tokenizer(splitting(r"[^\n]+|\n+"), tmp_path, eos_token="</s>")
    with pytest.raises(ExportError, match="splits text in another way") as caught:
        read_vocabulary(folder, 460, [1])
    assert "not [" in caught.value.message


def test_other_kinds_of_tokenizers_are_refused(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models

    folder = save_tokenizer(Tokenizer(models.WordLevel({"a": 0, "<unk>": 1}, "<unk>")), tmp_path, unk_token="<unk>")
    with pytest.raises(ExportError, match="of the type 'WordLevel'"):
        read_vocabulary(folder, 2, [])
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(ExportError, match="no tokenizer"):
        read_vocabulary(folder, 2, [])


def test_what_ends_an_answer(tmp_path: Path) -> None:
    new_tokenizer().save_pretrained(tmp_path)
    vocabulary = read_vocabulary(tmp_path, 420, [0, 2])
    assert {name: vocabulary.special[name] for name in ("eos", "eot")} == {"eos": 2, "eot": 0}
    with pytest.raises(ExportError, match="at 3 tokens, and this model at 4"):
        read_vocabulary(tmp_path, 420, [0, 1, 2, 3])
