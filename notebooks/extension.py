"""Loading and unloading: the magics, Byzer's cells, completion, and the display of values and errors."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any

import duckdb

from ..workers.errors import QuackLLMError
from .cells.byzer import as_magic
from .magics import Magics
from .notebook_connection import NotebookConnection
from .question_lines import QuestionLine
from .tab_completion import make_matcher

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

PANEL_ERRORS = (QuackLLMError, duckdb.Error, KeyboardInterrupt)
# What unloads the extension from each shell, by the shell's identity.
_LOADED: dict[int, Callable[[], None]] = {}


def load(shell: InteractiveShell) -> None:
    """Add everything to the shell, unless it is loaded already."""
    if id(shell) in _LOADED:
        return
    notebook = NotebookConnection(shell.user_ns)
    magics = Magics(shell, notebook)
    for name, (magic_kind, magic) in magics.all().items():
        shell.register_magic_function(magic, magic_kind, name)
    matcher = make_matcher(notebook)
    shell.input_transformers_cleanup.append(as_magic)
    shell.input_transformer_manager.token_transformers.append(QuestionLine)
    shell.Completer.custom_matchers.append(matcher)
    shell.set_custom_exc(PANEL_ERRORS, partial(_show_error, magics))
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("quackllm.workers.messages", "Response", _show_response)

    def unload() -> None:
        for name, (magic_kind, _) in magics.all().items():
            for table in ("line", "cell") if magic_kind == "line_cell" else (magic_kind,):
                shell.magics_manager.magics[table].pop(name, None)
        shell.input_transformers_cleanup.remove(as_magic)
        shell.input_transformer_manager.token_transformers.remove(QuestionLine)
        shell.Completer.custom_matchers.remove(matcher)
        shell.set_custom_exc((), None)
        formatter.pop("quackllm.workers.messages.Response", None)

    _LOADED[id(shell)] = unload


def unload(shell: InteractiveShell) -> None:
    """Remove everything from the shell."""
    _LOADED.pop(id(shell))()


def _show_error(
    magics: Magics,
    shell: InteractiveShell,
    error_type: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
    tb_offset: int | None = None,
) -> None:
    """Show a panel for quackllm's errors, and for DuckDB's in a magic; other errors as IPython does."""
    from .display.error_panel import show_error

    is_ours = isinstance(error, QuackLLMError) or error is magics.last_error
    if magics.notebook.debug or not is_ours:
        shell.showtraceback((error_type, error, trace), tb_offset=tb_offset)
    else:
        show_error(shell, error)


def _show_response(response: Any) -> dict[str, str]:
    from .display.answers import format_conversation

    return format_conversation(response)
