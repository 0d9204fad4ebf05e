"""A tokenizer made from text: byte-level BPE with GPT-2's way of splitting, which llama.cpp knows as `gpt-2`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

END, PADDING = "<|endoftext|>", "<|pad|>"


def train_tokenizer(documents: Iterable[str], vocab_size: int, length: int, folder: Path) -> None:
    """Make a tokenizer of up to `vocab_size` tokens and keep it in the folder, whole or not at all."""
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
    draft = folder.with_name(folder.name + ".unfinished")
    whole = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, pad_token=PADDING, model_max_length=length
    )
    whole.save_pretrained(draft)
    draft.rename(folder)
