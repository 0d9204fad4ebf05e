"""How a magic's line is read, what its help says, and what Tab offers."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter
from quackllm.notebooks.magic_options import chat_command
from quackllm.notebooks.tab_completion import completions
from quackllm.udf.functions.params import INSTRUCTION, TURN_KEYS
from quackllm.workers.errors import RequestError
from quackllm.workers.options import ALIASES, Options


@pytest.mark.parametrize(
    ("line", "options", "text"),
    [
        ("Why?", {}, "Why?"),
        ("  it's  --model me  ", {}, "it's  --model me"),
        ("--model m it's", {"model": "m"}, "it's"),
        ("--model=m --top-p=0.5 x", {"model": "m", "top_p": "0.5"}, "x"),
        ("--system 'a \\'b\\'' \"c\"", {"system": "a 'b'"}, '"c"'),
        ('--system "" x', {"system": ""}, "x"),
        ("--system it's x", {"system": "it's"}, "x"),
        ('--stop ["a b"] x', {"stop": '["a b"]'}, "x"),
        ('--extra {"a": {"b": 1}} x', {"extra": '{"a": {"b": 1}}'}, "x"),
        ("--system {{ persona }} x", {"system": "{{ persona }}"}, "x"),
        ("--gen.enable_search true x", {"gen.enable_search": "true"}, "x"),
        ("--max_length 5 x", {"max_tokens": "5"}, "x"),
        ("-- not an option", {}, "-- not an option"),
        ("---", {}, "---"),
    ],
)
def test_options_stand_before_the_text(line: str, options: dict[str, str], text: str) -> None:
    assert chat_command().read(line) == (options, text)


def test_every_key_of_llm_param_is_an_option_and_in_the_help() -> None:
    keys = {*TURN_KEYS, *Options.model_fields, *ALIASES} - set(INSTRUCTION)
    command = chat_command()
    assert keys <= {*command.options, *command.others}
    assert all(f"--{key}" in command.help for key in keys)
    assert all(command.option(key) in command.options for key in keys)


@given(value=st.text(), text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1))
def test_a_value_in_quotes_is_read_as_it_was_meant(value: str, text: str) -> None:
    written = value.replace("\\", "\\\\").replace('"', '\\"')
    options, rest = chat_command().read(f'--system "{written}" x{text}')
    assert options == {"system": value}
    assert rest == f"x{text}".strip()


@given(st.text())
def test_a_line_is_read_or_refused(line: str) -> None:
    with contextlib.suppress(RequestError):
        options, text = chat_command().read(line)
        assert line.rstrip().endswith(text)
        assert options or text == line.strip()


@pytest.mark.parametrize("name", ["chat", "sql", "text2sql", "ask", "quackllm"])
def test_a_question_mark_shows_help_with_examples(notebook, name: str) -> None:
    shown = notebook.run_ok(f"%{name}?").printed
    assert f"%{name}" in shown
    assert "Options stand before the text:" in shown


@pytest.mark.usefixtures("chat_model")
def test_a_question_that_ends_with_a_question_mark_is_asked(notebook, service) -> None:
    notebook.run_ok("%chat What is my name?")
    notebook.run_ok("if True:\n    %chat And mine??")
    assert service.prompts() == ["What is my name?", "And mine??"]
    assert notebook.run_ok('text = """\n%chat What?\n"""\ntext').value == "\n%chat What?\n"
    assert "Docstring" in notebook.run_ok("x = 1\nx?").printed


def offered(notebook, text: str) -> list[str]:
    with provisionalcompleter():
        return sorted(found.text for found in notebook.shell.Completer.completions(text, len(text)))


@pytest.mark.usefixtures("both_models")
def test_tab_offers_options_and_names(notebook) -> None:
    notebook.run_ok("%chat --model kimi_chat --output q1 hello")
    assert offered(notebook, "%chat --temp") == ["--temperature"]
    assert {"--model", "--input", "--system", "--seed"} <= set(offered(notebook, "%%chat --"))
    assert offered(notebook, "%chat --model ") == ["kimi_chat", "qianwen_chat"]
    assert offered(notebook, "%chat --model=qia") == ["qianwen_chat"]
    assert offered(notebook, "%%text2sql --input ") == ["q1"]
    assert offered(notebook, "%chat --format h") == ["html"]
    assert "--model" not in offered(notebook, "x = '--mod")
    connection = notebook.shell.magics_manager.magics["line"]["chat"]._magics.notebook
    assert completions(connection, "--%chat\n--%mod", "--%mod") == ["--%model"]
    assert completions(connection, "--%chat\n--%model=k", "--%model=k") == ["kimi_chat"]
    assert completions(connection, "SELECT 1 --%mod", "SELECT 1 --%mod") is None
