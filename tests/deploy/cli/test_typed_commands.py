"""Every `quackllm …` that the documentation and the files of deploy/ tell somebody to type is one that there is."""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator

import pytest
import typer
from quackllm.deploy.cli.main import app
from typer.core import TyperGroup
from typer.main import get_command

from support.deploy_files import DEPLOY, DOCKER, ROOT, inside, objects

PAGES = sorted([*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")])
FOLDERS = ("docker", "examples", "kubernetes", "ray-up")
FILES = sorted(
    path for folder in FOLDERS for path in (DEPLOY / folder).iterdir() if path.is_file() and path.suffix != ".txt"
)
SHELL = re.compile(r"^```(?:bash|sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FORM = re.compile(r"^.* \[--.*$", re.MULTILINE)
"""A line that shows which options a command has, not one to type."""
VARIABLE = re.compile(r"\$\{?\w+\}?")
BETWEEN = re.compile(r"[();<>|&]+")


def commands(line: str) -> Iterator[list[str]]:
    """Yield the words of each quackllm command of a line of the shell; one may stand inside of quotes."""
    words: list[str] = []
    reader = shlex.shlex(VARIABLE.sub("1", line), posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    for word in [*reader, ";"]:
        if word.startswith("quackllm "):
            yield from commands(word)
        elif BETWEEN.fullmatch(word):
            if words[1:]:
                yield words[1:]
            words = []
        elif words or word in ("quackllm", ".venv/bin/quackllm"):
            words.append(word)


def typed() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in SHELL.findall(page.read_text("utf-8")):
            for line in FORM.sub("", block.replace("\\\n", " ")).splitlines():
                yield from ((f"{page.name}: {line.strip()}", words) for words in commands(line.removeprefix("$ ")))
    for path in FILES:
        for line in path.read_text("utf-8").splitlines():
            comment = re.match(r"(?:#|--) {3,}(.*)", line)
            if comment or path == DOCKER / "start":
                text = comment[1] if comment else line
                yield from ((f"{path.name}: {text}", words) for words in commands(text))
    for name, found in objects():
        yield from ((f"{name}: {line}", words) for line in inside(found, "entrypoint") for words in commands(line))


def parse(words: list[str]) -> None:
    """Read a command line as the program does, and do nothing of what it says."""
    command = COMMAND
    context = command.make_context("quackllm", list(words))
    while words := [*context._protected_args, *context.args] if isinstance(command, TyperGroup) else []:
        name, command, rest = command.resolve_command(context, words)
        context = command.make_context(name, rest, parent=context)


COMMAND = get_command(app)
TYPED = list(typed())


@pytest.mark.parametrize("words", [words for _, words in TYPED], ids=[line for line, _ in TYPED])
def test_a_command_that_is_told_to_be_typed_is_understood(words: list[str]) -> None:
    with contextlib.suppress(typer.Exit):  # --help and --version end there.
        parse(words)


def test_commands_are_found_wherever_they_stand() -> None:
    line = "ray job submit -- quackllm run a.sql > log; ray exec x 'quackllm list --cluster auto' && quackllm --version"
    assert [*commands(line)] == [["run", "a.sql"], ["list", "--cluster", "auto"], ["--version"]]


def test_a_command_that_there_is_not_is_seen() -> None:
    with pytest.raises(typer.TyperException):
        parse(["deploy", "--clusterr", "auto"])
