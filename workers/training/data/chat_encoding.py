"""From a conversation to token ids and the mask of the loss: one on what the assistant says, nought on all else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...engines.transformers.batching import chat_text, prompt_tokens
from ...errors import TrainingError
from .chat_examples import Examples, Messages, nothing_usable
from .data_files import BadRow

IGNORE_INDEX = -100
"""The label of a token that the loss leaves out (transformers' convention)."""


@dataclass(slots=True)
class Encoded:
    """Token ids, and for each whether the loss counts it."""

    ids: list[int]
    mask: list[bool]

    @property
    def labels(self) -> list[int]:
        """What the model is to say at each place."""
        return [token if counted else IGNORE_INDEX for token, counted in zip(self.ids, self.mask, strict=True)]


class ChatEncoder:
    """Writes conversations as the model meets them when it answers: the same prompt tokens, the answer, its end.

    Args:
        tokenizer: the base's.
        chat_template_kwargs: as at inference.
        ends: ids that end a turn, besides the tokenizer's own.

    Raises:
        TrainingError: the tokenizer has no token that ends an answer.
    """

    def __init__(self, tokenizer: Any, chat_template_kwargs: dict[str, Any], ends: Iterable[int] = ()) -> None:
        if tokenizer.eos_token_id is None:
            raise TrainingError(
                "the base's tokenizer has no end token (eos_token)", hint="set it in tokenizer_config.json"
            )
        self.tokenizer = tokenizer
        self.options = chat_template_kwargs
        self.ends = {tokenizer.eos_token_id, *ends}

    def encode(self, messages: Messages) -> list[Encoded]:
        """Return a conversation's tokens.

        That is one sequence wherever the model, asked for a later turn, sees the earlier ones as they stood when it
        said them. Where its template rewrites them (drops the thoughts of earlier turns, say), each answer has its own.
        """
        sequences: list[Encoded] = []
        for place, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = prompt_tokens(self.tokenizer, messages[:place], self.options)
            answer = self._answer(messages[: place + 1])
            if not sequences or prompt[: len(sequences[-1].ids)] != sequences[-1].ids:
                sequences.append(Encoded([], []))
            sequence = sequences[-1]
            sequence.mask += [False] * (len(prompt) - len(sequence.ids)) + [True] * len(answer)
            sequence.ids = prompt + answer
        return sequences

    def _answer(self, messages: Messages) -> list[int]:
        """Return the last turn's tokens, with the one that ends it."""
        ids = self._tokens(self._written(messages))
        last = max((place for place, token in enumerate(ids) if token in self.ends), default=None)
        if last is not None:
            return ids[: last + 1]
        return [*self._tokens(messages[-1].content), self.tokenizer.eos_token_id]

    def _written(self, messages: Messages) -> str:
        """Return the last turn as the template writes it after the prompt, or as it is."""
        content = messages[-1].content
        if self.tokenizer.chat_template is None:
            return content
        prompt = chat_text(self.tokenizer, messages[:-1], self.options, asks=True)
        whole = chat_text(self.tokenizer, messages, self.options, asks=False)
        return whole.removeprefix(prompt) if whole.startswith(prompt) else content

    def _tokens(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids


@dataclass(frozen=True, slots=True)
class EncodedExamples:
    """Sequences to train on, the bad rows, and the lines of the examples that are too long."""

    sequences: list[Encoded]
    bad: list[BadRow]
    too_long: list[int]


def encode_examples(encoder: ChatEncoder, examples: Examples, most: int) -> EncodedExamples:
    """Return the examples' sequences. One of more than `most` tokens is left out whole: its answer would be cut."""
    import jinja2

    encoded = EncodedExamples([], list(examples.bad), [])
    for example in examples.rows:
        try:
            sequences = encoder.encode(example.messages)
        except jinja2.TemplateError as error:
            encoded.bad.append(BadRow(example.line, f"the model's chat template refuses it: {error}"))
            continue
        if all(len(sequence.ids) <= most for sequence in sequences):
            encoded.sequences.extend(sequences)
        else:
            encoded.too_long.append(example.line)
    return encoded


def require_examples(encoded: EncodedExamples, source: str, most: int) -> None:
    """Refuse data of which nothing is left.

    Raises:
        TrainingError: no example fits, or none is good.
    """
    if encoded.too_long and not encoded.sequences:
        hint = f"type: --max-seq-length {4 * most}"
        raise TrainingError(f"each example of {source} has more than {most} tokens", hint=hint)
    if not encoded.sequences:
        raise nothing_usable(source, encoded.bad)
