"""Tiny language models that know a few sentences by heart, made once a run: a Llama, and a Qwen2 with tied embeddings.

Their widths are divisible by 256, as llama.cpp's K-quants want it. A greedy answer of theirs is sure of each token,
so that rounding does not change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

TALKS = {
    "What swims on the pond?": "A duck swims on the pond, and it quacks.",
    "How many singers are there?": "SELECT count(*) FROM singer",
    "Who is older than 25?": "SELECT name FROM singer WHERE age > 25 ORDER BY name",
    "池塘里有什么？": "池塘里有一只鸭子，它在游泳。",
    "有多少名歌手？": "SELECT count(*) FROM 歌手",
    "Say a number.": "12345 and 3.14 🦆",
}
"""What they were taught to answer."""
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WIDTH = 256
CONTEXT = 512


@pytest.fixture(scope="session")
def tiny_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Llama: untied embeddings, grouped heads."""
    transformers = pytest.importorskip("transformers")
    config = transformers.LlamaConfig(num_key_value_heads=2, tie_word_embeddings=False, **sizes())
    return taught(transformers.LlamaForCausalLM, config, tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a Qwen2: biases, tied embeddings, rows that no 256 divides in its MLP."""
    transformers = pytest.importorskip("transformers")
    fields = {**sizes(), "intermediate_size": 160}
    config = transformers.Qwen2Config(num_key_value_heads=4, tie_word_embeddings=True, **fields)
    return taught(transformers.Qwen2ForCausalLM, config, tmp_path_factory.mktemp("models") / "tiny-qwen")


@pytest.fixture(scope="session")
def tiny_gguf(tiny_llama: Path) -> Path:
    """The Llama as a GGUF in 8 bits."""
    from quackllm.workers.training.export_model import export

    pytest.importorskip("xllamacpp")
    return export(str(tiny_llama), f"{tiny_llama}.Q8_0.gguf", type="Q8_0").path


def sizes() -> dict[str, int]:
    return {
        "hidden_size": WIDTH,
        "intermediate_size": WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT,
        "vocab_size": 700,
    }


def taught(kind: Any, config: Any, folder: Path) -> Path:
    """Teach a new model its talks, and keep it."""
    import torch

    tokenizer = new_tokenizer()
    config.vocab_size, config.eos_token_id = len(tokenizer), tokenizer.eos_token_id
    config.bos_token_id, config.pad_token_id = None, tokenizer.pad_token_id
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = kind(config)
        learn(model, [ids_of(tokenizer, *talk) for talk in TALKS.items()])
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def new_tokenizer() -> Any:
    """A byte-level BPE of our own."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=420, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([f"{asked} {answer}" for asked, answer in TALKS.items()] * 3, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|im_end|>", pad_token="<|endoftext|>", chat_template=TEMPLATE
    )


def ids_of(tokenizer: Any, asked: str, answer: str) -> tuple[list[int], int]:
    """Return a talk's tokens, and how many of them ask."""
    turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
    question, whole = (
        tokenizer.apply_chat_template(turns[:count], tokenize=False, add_generation_prompt=count == 1)
        for count in (1, 2)
    )
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    return ids, len(tokenizer(question, add_special_tokens=False)["input_ids"])


def learn(model: Any, rows: Sequence[tuple[list[int], int]]) -> None:
    """Train until the answers are known by heart."""
    import torch

    width = max(len(row) for row, _ in rows)
    ids = torch.tensor([row + [0] * (width - len(row)) for row, _ in rows])
    labels = torch.tensor([[-100] * asks + row[asks:] + [-100] * (width - len(row)) for row, asks in rows])
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.0)
    for _ in range(150):
        loss = model(input_ids=ids, labels=labels).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if loss.item() < 0.01:
            break
    model.eval()
