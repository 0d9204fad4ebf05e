"""An error as one panel: what happened, the message of the service or of DuckDB, and what to type."""

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
    panel = error_panel(error)
    if is_rich(shell):
        from IPython.display import display

        display(panel, raw=True)
    else:
        print(panel["text/plain"], file=sys.stderr)


def error_panel(error: BaseException) -> Bundle:
    """Return the panel of an error, as HTML and as text."""
    if isinstance(error, ProviderError):
        return format_error(f"No answer: {error.code}", error.message, error.hint)
    if isinstance(error, QuackLLMError):
        title, _, details = error.message.partition("\n")
        return format_error(title, details.strip("\n"), error.hint)
    if isinstance(error, KeyboardInterrupt):
        return format_error(
            "Stopped", "The answers so far are saved.", "run the cell again: only the missing ones are requested"
        )
    title, _, details = str(error).partition("\n")
    return format_error(f"DuckDB: {title}", details.strip("\n"), "")
