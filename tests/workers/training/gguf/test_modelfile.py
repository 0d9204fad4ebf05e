"""Ollama's Modelfile: a Go template that renders the same text as the model's Jinja template, or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from quackllm.workers.training.export_model import export

from support.tiny_models import TEMPLATE, new_tokenizer

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")
from quackllm.workers.training.gguf.modelfile import write_modelfile

QWEN = (
    "{% if messages[0].role == 'system' %}{{ '<|im_start|>system\n' + messages[0].content + '<|im_end|>\n' }}{% else %}"
    "{{ '<|im_start|>system\nYou are Qwen.<|im_end|>\n' }}{% endif %}{% for m in messages if m.role != 'system' %}"
    "{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
ONLY_TURNS = (
    "{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]{% elif m.role == 'assistant' %}"
    " {{ m.content }}</s>{% else %}{{ raise_exception('no system message here') }}{% endif %}{% endfor %}"
)
NUMBERED = "{% for m in messages %}{{ loop.index }}. {{ m.role }}: {{ m.content }} {% endfor %}"


def template_of(folder: Path, template: str | None) -> tuple[str, str | None]:
    tokenizer = new_tokenizer()
    tokenizer.chat_template = template
    tokenizer.save_pretrained(folder)
    path, why_not = write_modelfile(folder / "sql.Q8_0.gguf", folder)
    assert path.name == "sql.Q8_0.Modelfile"
    return path.read_text("utf-8"), why_not


def test_turns_between_marks(tmp_path: Path) -> None:
    text, why_not = template_of(tmp_path, TEMPLATE)
    assert why_not is None
    assert text.startswith('FROM ./sql.Q8_0.gguf\nPARAMETER temperature 0\nTEMPLATE """{{ range .Messages }}')
    assert (
        '{{ if eq .Role "system" }}<|im_start|>system\n{{ .Content }}<|im_end|>\n{{ else if eq .Role "user" }}' in text
    )


def test_a_system_message_of_the_templates_own(tmp_path: Path) -> None:
    text, why_not = template_of(tmp_path, QWEN)
    assert why_not is None
    assert "{{ if not .System }}<|im_start|>system\nYou are Qwen.{{ end }}" in text


def test_no_template_is_the_prompt_itself(tmp_path: Path) -> None:
    text, why_not = template_of(tmp_path, None)
    assert why_not is None
    assert text.endswith('TEMPLATE """{{ .Prompt }}"""\n')


@pytest.mark.parametrize(
    ("template", "words"), [(ONLY_TURNS, "no system message here"), (NUMBERED, "in more than one way")]
)
def test_a_template_that_cannot_be_written_in_go(template: str, words: str, tmp_path: Path) -> None:
    text, why_not = template_of(tmp_path, template)
    assert "TEMPLATE" not in text
    assert why_not
    assert words in why_not


def test_the_modelfile_stands_beside_the_gguf(tiny_llama: Path, tmp_path: Path) -> None:
    done = export(str(tiny_llama), str(tmp_path / "own.gguf"), ollama=True)
    assert done.modelfile == tmp_path / "own.Modelfile"
    assert "FROM ./own.gguf" in done.modelfile.read_text("utf-8")
