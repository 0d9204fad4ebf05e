"""From a conversation to token ids and the mask of the loss: one on the assistant's messages, nought on all else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ...engines.chat_template import prompt_tokens, render_messages, tokenizer_template
from ...errors import TrainingError
from .chat_examples import Messages, TrainingExamples, nothing_usable
from .data_files import BadRow

IGNORE_INDEX = -100  # The label of a token that the loss ignores (transformers' convention).


@dataclass(slots=True)
class Encoded:
    """Token ids, and for each whether the loss counts it."""

    ids: list[int]
    mask: list[bool]

    @property
    def labels(self) -> list[int]:
        """The token that the model learns at each position."""
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

        That is one sequence where the prompt of a later turn contains the earlier ones as they were when the model
        wrote them. Where the template rewrites them (drops thoughts, say), each answer is a sequence of its own.
        """
        sequences: list[Encoded] = []
        for index, message in enumerate(messages):
            if message.role != "assistant":
                continue
            prompt = prompt_tokens(self.tokenizer, messages[:index], self.options)
            answer = self._answer(messages[: index + 1])
            if not sequences or prompt[: len(sequences[-1].ids)] != sequences[-1].ids:
                sequences.append(Encoded([], []))
            sequence = sequences[-1]
            sequence.mask += [False] * (len(prompt) - len(sequence.ids)) + [True] * len(answer)
            sequence.ids = prompt + answer
        return sequences

    def _answer(self, messages: Messages) -> list[int]:
        """Return the last turn's tokens, with the one that ends it."""
        ids = self._tokens(self._written(messages))
        last = max((index for index, token in enumerate(ids) if token in self.ends), default=None)
        if last is not None:
            return ids[: last + 1]
        return [*self._tokens(messages[-1].content), self.tokenizer.eos_token_id]

    def _written(self, messages: Messages) -> str:
        """Return the last turn as the template writes it after the prompt, or as it is."""
        content, render = messages[-1].content, tokenizer_template(self.tokenizer, self.options)
        if render is None:
            return content
        prompt = render_messages(messages[:-1], render, add_generation_prompt=True)
        whole = render_messages(messages, render, add_generation_prompt=False)
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


def encode_examples(encoder: ChatEncoder, examples: TrainingExamples, max_length: int) -> EncodedExamples:
    """Return the examples' sequences; one of more than `max_length` tokens is left out, its answer would be cut.

    Args:
        encoder: of the base's chat template.
        examples: the conversations.
        max_length: the most tokens of a sequence.
    """
    import jinja2

    encoded = EncodedExamples([], list(examples.bad), [])
    for example in examples.rows:
        try:
            sequences = encoder.encode(example.messages)
        except jinja2.TemplateError as error:
            encoded.bad.append(BadRow(example.line, f"the model's chat template refuses it: {error}"))
            continue
        if all(len(sequence.ids) <= max_length for sequence in sequences):
            encoded.sequences.extend(sequences)
        else:
            encoded.too_long.append(example.line)
    return encoded


def require_examples(encoded: EncodedExamples, source: str, max_length: int) -> None:
    """Refuse data of which nothing is left.

    Args:
        encoded: the data.
        source: its name, for the message.
        max_length: the most tokens of a sequence.

    Raises:
        TrainingError: no example fits, or none is good.
    """
    if encoded.too_long and not encoded.sequences:
        hint = f"type: --max-seq-length {4 * max_length}"
        raise TrainingError(f"each example of {source} has more than {max_length} tokens", hint=hint)
    if not encoded.sequences:
        raise nothing_usable(source, encoded.bad)
