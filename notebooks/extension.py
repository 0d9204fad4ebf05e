"""Loading and unloading: the magics, Byzer's cells, completion, and how our values and errors look."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import QuackLLMError
from .cells.byzer import as_magic
from .completion import make_matcher
from .magics import Magics
from .notebook_connection import NotebookConnection
from .question_lines import QuestionLine

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

SHOWN = (QuackLLMError, duckdb.Error, KeyboardInterrupt)
_LOADED: dict[int, Callable[[], None]] = {}
"""What takes the extension out of each shell again, by the shell's identity."""


def load(shell: InteractiveShell) -> None:
    """Add everything to the shell; again, it changes nothing."""
    if id(shell) in _LOADED:
        return
    place = NotebookConnection(shell.user_ns)
    magics = Magics(shell, place)
    for name, (kind, magic) in magics.all().items():
        shell.register_magic_function(magic, kind, name)
    completer = make_matcher(place)
    shell.input_transformers_cleanup.append(as_magic)
    shell.input_transformer_manager.token_transformers.append(QuestionLine)
    shell.Completer.custom_matchers.append(completer)
    shell.set_custom_exc(SHOWN, partial(_show_error, magics))
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("quackllm.workers.messages", "Response", _show_response)

    def unload() -> None:
        for name, (kind, _) in magics.all().items():
            for where in ("line", "cell") if kind == "line_cell" else (kind,):
                shell.magics_manager.magics[where].pop(name, None)
        shell.input_transformers_cleanup.remove(as_magic)
        shell.input_transformer_manager.token_transformers.remove(QuestionLine)
        shell.Completer.custom_matchers.remove(completer)
        shell.set_custom_exc((), None)
        formatter.pop("quackllm.workers.messages.Response", None)

    _LOADED[id(shell)] = unload


def unload(shell: InteractiveShell) -> None:
    """Take it away again."""
    _LOADED.pop(id(shell))()


def _show_error(
    magics: Magics,
    shell: InteractiveShell,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show one panel for an error of ours, or of DuckDB in a magic; anything else as IPython does."""
    from .display.error_panel import show_error

    ours = isinstance(error, QuackLLMError) or error is magics.last_error
    if magics.place.debug or not ours:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
    else:
        show_error(shell, error)


def _show_response(response: Any) -> dict[str, str]:
    from .display.answers import format_conversation

    return format_conversation(response)
