"""Tab completion in quackllm's cells: options, and the names of models and saved turns."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from .magic_options import ASK, QUACKLLM, SQL, TEXT2SQL, MagicCommand, chat_command
from .notebook_connection import NotebookConnection

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

MAGIC = re.compile(r"\s*%%?(quackllm|chat|sql|text2sql|ask)\b")
OPTION_PREFIX = re.compile(r"--%?([\w.-]*)$")
VALUE_PREFIX = re.compile(r"--%?(?P<option>[\w.-]+)(?:=|\s+)[\"']?(?P<prefix>[\w.]*)$")
MODELS = "SELECT name FROM llm_models()"


def make_matcher(notebook: NotebookConnection) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher that IPython calls."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    def quackllm_matcher(context: CompletionContext) -> SimpleMatcherResult:
        texts = completions(notebook, context.full_text, context.text_until_cursor)
        matches = [SimpleCompletion(text=text, type="quackllm") for text in texts or ()]
        return {"completions": matches, "suppress": texts is not None}

    matcher: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher()(quackllm_matcher)
    return matcher


def completions(notebook: NotebookConnection, cell: str, line: str) -> list[str] | None:
    """Return the completions at the end of a line of a cell; None: the line is not one of quackllm's."""
    command, dashes = _command(cell, line)
    if command is None:
        return None
    if option := OPTION_PREFIX.search(line):
        names = [*command.options, *(command.others if dashes == "--%" else ())]
        return [dashes + name for name in sorted(names) if name.startswith(option[1])]
    if value := VALUE_PREFIX.search(line):
        values = _values(notebook, value["option"].replace("-", "_"))
        return None if values is None else sorted(name for name in values if name.startswith(value["prefix"]))
    return None


def _command(cell: str, line: str) -> tuple[MagicCommand | None, str]:
    """Return the command of the line, and the dashes that its options begin with."""
    if "--%" in line and cell.lstrip().startswith("--%"):
        return chat_command(), "--%"
    magic = MAGIC.match(line)
    commands = {
        "quackllm": QUACKLLM,
        "sql": SQL,
        "text2sql": TEXT2SQL,
        "ask": ASK,
    }
    if magic is None:
        return None, ""
    return commands.get(magic[1]) or chat_command(), "--"


def _values(notebook: NotebookConnection, option: str) -> Iterable[str] | None:
    if option == "format":
        from .cells.chat import FORMATS

        return FORMATS
    if option == "model":
        from .cells.sql import run

        models = run(notebook.connection(), MODELS)
        return models.arrow.column(0).to_pylist() if models else []
    if option == "input":
        from ..udf.conversation_tables import list_turns

        return list_turns(notebook.connection())
    return None
