"""Ollama's Modelfile for a GGUF, its chat template included.

Ollama's templates are Go's, a model's is Jinja: one cannot be read as the other. So we render the Jinja template to
see what it writes around each turn, a Go template is put together from that, and kept only if it writes the same
conversations (Ollama's `docs/template.md`, `docs/modelfile.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any, cast

# Texts that no template contains.
MARKS = {"system": "\u2402SYSTEM\u2403", "user": "\u2402USER\u2403", "assistant": "\u2402ASSISTANT\u2403"}
CONVERSATIONS: tuple[tuple[str, ...], ...] = (
    ("user",),
    ("system", "user"),
    ("user", "assistant", "user"),
    ("system", "user", "assistant", "user", "assistant", "user"),
)
PLAIN = "{{ .Prompt }}"  # The template of a model that has none: a message as it is.


@dataclass(frozen=True, slots=True)
class TemplateParts:
    """The text before and behind the turns of a conversation.

    Args:
        head: before everything, where the conversation has no system message.
        turns: before and behind a turn, by its role.
        generation_prompt: the text at the end, after which the model writes.
    """

    head: str
    turns: dict[str, tuple[str, str]]
    generation_prompt: str

    def render(self, roles: Sequence[str]) -> str:
        """Return the conversation of these roles' marks."""
        turns = [f"{self.turns[role][0]}{MARKS[role]}{self.turns[role][1]}" for role in roles]
        return "".join([*([] if "system" in roles else [self.head]), *turns, self.generation_prompt])

    def to_go_template(self) -> str:
        """Return the same as a template of Go."""
        cases = "{{ else ".join(
            f'if eq .Role "{role}" }}}}{_text(before)}{{{{ .Content }}}}{_text(behind)}'
            for role, (before, behind) in self.turns.items()
        )
        head = f"{{{{ if not .System }}}}{_text(self.head)}{{{{ end }}}}" if self.head else ""
        return f"{head}{{{{ range .Messages }}}}{{{{ {cases}{{{{ end }}}}{{{{ end }}}}{_text(self.generation_prompt)}"


def write_modelfile(gguf: Path, folder: Path) -> tuple[Path, str | None]:
    """Write a Modelfile beside a GGUF; return it, and why it has no template, where it has none."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    template, reason = _template(tokenizer)
    lines = [f"FROM ./{gguf.name}", "PARAMETER temperature 0"]
    if template is not None:
        lines.append(f'TEMPLATE """{template}"""')
    path = gguf.with_name(f"{gguf.stem}.Modelfile")
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path, reason


def _template(tokenizer: Any) -> tuple[str | None, str | None]:
    """Return the Go template, or why there is none."""
    import jinja2

    if tokenizer.chat_template is None:
        return PLAIN, None
    try:
        render = {roles: _rendered(tokenizer, roles) for roles in CONVERSATIONS}
    except jinja2.TemplateError as error:
        return None, f"the chat template refuses a system message: {error}"
    parts = _template_parts(render)
    if parts is None or any(parts.render(roles) != text for roles, text in render.items()):
        return None, "the chat template writes a turn in more than one way"
    return parts.to_go_template(), None


def _rendered(tokenizer: Any, roles: Sequence[str]) -> str:
    turns = [{"role": role, "content": MARKS[role]} for role in roles]
    text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    # Ollama adds it itself, as the GGUF says.
    return text.removeprefix(tokenizer.bos_token or "")


def _template_parts(written: dict[tuple[str, ...], str]) -> TemplateParts | None:
    """Split conversations at their marks; None if a mark is missing or out of order."""
    between = [_split_at_marks(text, roles) for roles, text in written.items()]
    if None in between:
        return None
    alone, _, _, (first, system_user, user_assistant, assistant_user, *_, generation_prompt) = cast(
        list[list[str]], between
    )
    # The text that two turns share is given to either: where it is split does not change the result.
    opens_user = _common_prefix(*(text[::-1] for text in (alone[0], system_user, assistant_user)))[::-1]
    closes_user = _common_prefix(generation_prompt, user_assistant)
    turns = {
        "system": (first, system_user.removesuffix(opens_user)),
        "user": (opens_user, closes_user),
        "assistant": (user_assistant.removeprefix(closes_user), assistant_user.removesuffix(opens_user)),
    }
    return TemplateParts(alone[0].removesuffix(opens_user), turns, generation_prompt.removeprefix(closes_user))


def _common_prefix(*texts: str) -> str:
    """Return the common prefix of the texts."""
    letters = zip(*texts, strict=False)
    return "".join(letter for letter, *_ in takewhile(lambda same: len(set(same)) == 1, letters))


def _split_at_marks(text: str, roles: Sequence[str]) -> list[str] | None:
    """Return the texts before, between and behind the marks of these roles."""
    parts = []
    for role in roles:
        before, mark, text = text.partition(MARKS[role])
        if not mark:
            return None
        parts.append(before)
    return [*parts, text]


def _text(text: str) -> str:
    """Return a text as a template of Go writes it."""
    return text.replace("{{", '{{ "{{" }}')
