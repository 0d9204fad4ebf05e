"""An error as one panel: what happened, the words of whom it came from, and what to type."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ...workers.errors import ProviderError, QuackLLMError
from .answers import format_error
from .html import Bundle
from .live_output import is_rich

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell


def show_error(shell: InteractiveShell, error: BaseException) -> None:
    """Show the panel: as HTML in a notebook, on standard error in a terminal."""
    what = error_panel(error)
    if is_rich(shell):
        from IPython.display import display

        display(what, raw=True)
    else:
        print(what["text/plain"], file=sys.stderr)


def error_panel(error: BaseException) -> Bundle:
    """Return what is shown of an error."""
    if isinstance(error, ProviderError):
        return format_error(f"No answer: {error.code}", error.message, error.hint)
    if isinstance(error, QuackLLMError):
        title, _, words = error.message.partition("\n")
        return format_error(title, words.strip("\n"), error.hint)
    if isinstance(error, KeyboardInterrupt):
        return format_error(
            "Stopped", "What was answered is kept.", "run the cell again: what has a whole answer is not asked again"
        )
    title, _, words = str(error).partition("\n")
    return format_error(f"DuckDB: {title}", words.strip("\n"), "")
