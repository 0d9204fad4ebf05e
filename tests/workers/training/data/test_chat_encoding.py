"""The loss counts the assistant's messages, and the prompt is the one that the engine sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quackllm.workers.engines.chat_template import prompt_tokens
from quackllm.workers.messages import Message, Role
from quackllm.workers.training.data.chat_encoding import IGNORE_INDEX, ChatEncoder, encode_examples
from quackllm.workers.training.data.chat_examples import TrainingExample, TrainingExamples

from support.tiny_llama import CHATML, make_tokenizer

pytest.importorskip("transformers")

GENERATION = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{% if message.role == 'assistant' %}"
    "{% generation %}{{ message.content }}<|im_end|>{% endgeneration %}{% else %}{{ message.content }}<|im_end|>"
    "{% endif %}\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FORGETFUL = CHATML.replace(
    "{{ message.content }}",
    "{{ message.content if loop.last or message.role != 'assistant' else message.content.split('</think>')[-1] }}",
)
ENDLESS = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEMPLATES = {"chatml": CHATML, "generation": GENERATION, "forgetful": FORGETFUL, "endless": ENDLESS, "none": None}
TOKENIZERS = {name: make_tokenizer(template) for name, template in TEMPLATES.items()}

words = st.text(st.characters(codec="utf-8", exclude_characters="\r"), min_size=1, max_size=30).filter(str.strip)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Draw turns in which every text names its speaker."""
    roles: list[Role] = ["user", "assistant"] * draw(st.integers(1, 3))
    if draw(st.booleans()):
        roles.insert(0, "system")
    return tuple(Message(role, f"[{role} says] {draw(words)}") for role in roles)


def encoder(name: str) -> ChatEncoder:
    return ChatEncoder(TOKENIZERS[name], {})


def text(name: str, tokens: list[int]) -> str:
    decoded: str = TOKENIZERS[name].decode(tokens)
    return decoded


@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=40)
@given(messages=conversations())
def test_the_mask_covers_the_answers_alone(name: str, messages: tuple[Message, ...]) -> None:
    sequences = encoder(name).encode(messages)
    said = [text(name, [token for token in sequence.labels if token != IGNORE_INDEX]) for sequence in sequences]
    end = TOKENIZERS[name].eos_token
    answers = [message.content + end for message in messages if message.role == "assistant"]
    assert "".join(said) == "".join(answers)
    assert not any("[user says]" in one or "[system says]" in one for one in said)


@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=40)
@given(messages=conversations())
def test_an_answer_follows_the_tokens_that_the_engine_sends(name: str, messages: tuple[Message, ...]) -> None:
    sequences = encoder(name).encode(messages)
    for place, message in enumerate(messages):
        if message.role == "assistant":
            prompt = prompt_tokens(TOKENIZERS[name], messages[:place], {})
            learns = [
                sequence
                for sequence in sequences
                if sequence.ids[: len(prompt)] == prompt and sequence.mask[len(prompt) : len(prompt) + 1] == [True]
            ]
            assert learns


@pytest.mark.parametrize(("name", "count"), [("chatml", 1), ("generation", 1), ("endless", 2), ("none", 2)])
def test_a_conversation_is_one_sequence_where_the_model_would_see_it_so(name: str, count: int) -> None:
    turns = [Message("user", "a"), Message("assistant", "b"), Message("user", "c"), Message("assistant", "d")]
    assert len(encoder(name).encode(tuple(turns))) == count


def test_a_template_that_forgets_thoughts_is_learnt_answer_by_answer() -> None:
    turns = (
        *(Message("user", "a"), Message("assistant", "<think>hm</think>b")),
        *(Message("user", "c"), Message("assistant", "d")),
    )
    first, second = encoder("forgetful").encode(turns)
    assert "hm" in text("forgetful", first.ids)
    assert "hm" not in text("forgetful", second.ids)
    assert sum(first.mask) > sum(second.mask) > 0


def test_the_mask_is_the_one_that_the_template_marks_itself() -> None:
    turns = [{"role": "user", "content": "How many?"}, {"role": "assistant", "content": "SELECT 1"}] * 2
    marked: Any = TOKENIZERS["generation"].apply_chat_template(
        turns, return_dict=True, return_assistant_tokens_mask=True
    )
    (ours,) = encoder("generation").encode(tuple(Message(**turn) for turn in turns))  # type: ignore[arg-type]
    length = len(ours.ids)
    assert marked["input_ids"][:length] == ours.ids
    assert marked["assistant_masks"] == [*map(int, ours.mask), *[0] * (len(marked["input_ids"]) - length)]


def test_an_example_whose_answer_would_be_cut_is_left_out_whole() -> None:
    short, long = (TrainingExample(line, (Message("user", "a"), Message("assistant", "b" * line))) for line in (1, 90))
    encoded = encode_examples(encoder("chatml"), TrainingExamples([short, long], []), 40)
    assert (len(encoded.sequences), encoded.too_long, encoded.bad) == (1, [90], [])


def test_a_row_that_the_template_refuses_is_a_bad_row() -> None:
    strict = make_tokenizer("{{ raise_exception('no such talk') if messages|length > 2 else 'x' }}")
    talk = (Message("user", "a"), Message("user", "b"), Message("user", "c"), Message("assistant", "d"))
    encoded = encode_examples(ChatEncoder(strict, {}), TrainingExamples([TrainingExample(7, talk)], []), 40)
    assert [str(row) for row in encoded.bad] == ["line 7: the model's chat template refuses it: no such talk"]
