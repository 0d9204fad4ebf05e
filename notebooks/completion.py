"""What Tab offers in our cells: options, and the names of models, kept turns and connections."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from . import magic_options
from .notebook_connection import NotebookConnection

if TYPE_CHECKING:
    from IPython.core.completer import CompletionContext, SimpleMatcherResult

MAGIC = re.compile(r"\s*%%?(quackllm|chat|sql|text2sql|ask)\b")
BEGUN = re.compile(r"--%?([\w.-]*)$")
VALUE = re.compile(r"--%?(?P<option>[\w.-]+)(?:=|\s+)[\"']?(?P<begun>[\w.]*)$")
MODELS = "SELECT name FROM llm_models()"


def make_matcher(place: NotebookConnection) -> Callable[[CompletionContext], SimpleMatcherResult]:
    """Return the matcher that IPython asks."""
    from IPython.core.completer import SimpleCompletion, context_matcher

    def quackllm_matcher(context: CompletionContext) -> SimpleMatcherResult:
        offered = completions(place, context.full_text, context.text_until_cursor)
        found = [SimpleCompletion(text=text, type="quackllm") for text in offered or ()]
        return {"completions": found, "suppress": offered is not None}

    matcher: Callable[[CompletionContext], SimpleMatcherResult] = context_matcher()(quackllm_matcher)
    return matcher


def completions(place: NotebookConnection, cell: str, line: str) -> list[str] | None:
    """Return what may stand at the end of this line of this cell; None where it is not for us to say."""
    command, prefix = _command(cell, line)
    if command is None:
        return None
    if begun := BEGUN.search(line):
        names = [*command.options, *(command.others if prefix == "--%" else ())]
        return [prefix + name for name in sorted(names) if name.startswith(begun[1])]
    if value := VALUE.search(line):
        values = _values(place, value["option"].replace("-", "_"))
        return None if values is None else sorted(name for name in values if name.startswith(value["begun"]))
    return None


def _command(cell: str, line: str) -> tuple[magic_options.MagicCommand | None, str]:
    """Return the command whose options the line holds, and what an option begins with there."""
    if "--%" in line and cell.lstrip().startswith("--%"):
        return magic_options.chat_command(), "--%"
    magic = MAGIC.match(line)
    known = {
        "quackllm": magic_options.QUACKLLM,
        "sql": magic_options.SQL,
        "text2sql": magic_options.TEXT2SQL,
        "ask": magic_options.ASK,
    }
    if magic is None:
        return None, ""
    return known.get(magic[1]) or magic_options.chat_command(), "--"


def _values(place: NotebookConnection, option: str) -> Iterable[str] | None:
    if option == "format":
        from .cells.chat import FORMATS

        return FORMATS
    if option == "model":
        from .cells.sql import run

        models = run(place.connection(), MODELS)
        return models.arrow.column(0).to_pylist() if models else []
    if option == "input":
        from ..udf.conversation_tables import list_turns

        return list_turns(place.connection())
    return None
