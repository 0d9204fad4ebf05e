"""The prompt of a model whose weights are here: its chat template rendered, and room left for the answer.

The transformers, vLLM and llama.cpp engines and training all make their prompts here, so that a model reads the same
tokens in each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from ..errors import ProviderError
from ..messages import Message

RenderTurns = Callable[..., str]
# Takes a list of turns, `{role, content}` each, and `add_generation_prompt`: whether the assistant speaks next.


def tokenizer_template(tokenizer: Any, chat_template_kwargs: dict[str, Any]) -> RenderTurns | None:
    """Return what renders the chat template of a Hugging Face tokenizer; None where it has none."""
    if tokenizer.chat_template is None:
        return None
    return partial(tokenizer.apply_chat_template, tokenize=False, **chat_template_kwargs)


def jinja_template(template: str, variables: dict[str, Any]) -> RenderTurns:
    """Return what renders the text of a chat template as Hugging Face's tokenizers do."""

    def render(turns: list[dict[str, str]], *, add_generation_prompt: bool) -> str:
        from transformers.utils.chat_template_utils import render_jinja_template

        texts, _ = render_jinja_template(
            [turns], chat_template=template, add_generation_prompt=add_generation_prompt, **variables
        )
        text: str = texts[0]
        return text

    return render


def render_messages(messages: tuple[Message, ...], render: RenderTurns, *, add_generation_prompt: bool) -> str:
    """Return a conversation as the model's chat template writes it.

    Args:
        messages: the conversation.
        render: from `tokenizer_template` or `jinja_template`.
        add_generation_prompt: whether the assistant speaks next.
    """
    turns = [{"role": message.role, "content": message.content} for message in messages]
    return render(turns, add_generation_prompt=add_generation_prompt)


def prompt_text(messages: tuple[Message, ...], render: RenderTurns | None) -> str:
    """Return the text after which the model writes the next turn.

    Without a chat template that is one turn as it is, or several with their roles before them.
    """
    if render is not None:
        return render_messages(messages, render, add_generation_prompt=True)
    if len(messages) == 1:
        return messages[0].content
    turns = [f"{message.role}: {message.content}" for message in messages]
    return "\n".join([*turns, "assistant:"])


def prompt_tokens(tokenizer: Any, messages: tuple[Message, ...], chat_template_kwargs: dict[str, Any]) -> list[int]:
    """Return the tokens after which the model writes the next turn; training uses the same.

    Args:
        tokenizer: Hugging Face's.
        messages: the conversation so far.
        chat_template_kwargs: variables of the chat template, e.g. `{'enable_thinking': False}`.
    """
    render = tokenizer_template(tokenizer, chat_template_kwargs)
    # A template writes the special tokens itself: a second beginning-of-text token would shift the answer.
    ids: list[int] = tokenizer(prompt_text(messages, render), add_special_tokens=render is None)["input_ids"]
    return ids


@contextmanager
def prompt_errors(messages: tuple[Message, ...]) -> Iterator[None]:
    """Report a conversation that the model cannot read.

    Raises:
        ProviderError: there are images, or the model's chat template refuses the turns.
    """
    import jinja2

    if any(message.images for message in messages):
        raise ProviderError("this model does not accept images", code="unsupported_option")
    try:
        yield
    except jinja2.TemplateError as error:
        raise ProviderError(f"the model's chat template: {error}", code="chat_template") from error


def max_new_tokens(limit: int, prompt_length: int, context: int | None) -> int:
    """Return how many tokens an answer may have.

    Args:
        limit: the most tokens that the request or the settings allow.
        prompt_length: tokens of the prompt.
        context: tokens that the model holds, prompt and answer together; None where it has no limit.

    Raises:
        ProviderError: the prompt leaves no room for an answer.
    """
    if context is None:
        return limit
    if prompt_length >= context:
        raise ProviderError(
            f"the prompt has {prompt_length} tokens, and the model's context holds {context}",
            code="context_length_exceeded",
        )
    return min(limit, context - prompt_length)
