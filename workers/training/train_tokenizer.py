"""A tokenizer trained on text: byte-level BPE with GPT-2's pre-tokenizer, llama.cpp's `gpt-2`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from ..atomic_files import atomic_write
from ..quiet_imports import import_tqdm

END, PADDING = "<|endoftext|>", "<|pad|>"


def train_tokenizer(documents: Iterable[str], vocab_size: int, length: int, folder: Path) -> None:
    """Train a tokenizer and save it in the folder, whole or not at all.

    Args:
        documents: the texts to learn from.
        vocab_size: the most tokens.
        length: the most tokens of a sequence, for `model_max_length`.
        folder: appears when all is written.
    """
    import_tqdm()
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END, PADDING],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(documents, trainer)
    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, model_max_length=length
    )
    with atomic_write(folder) as draft:
        whole.save_pretrained(draft)
