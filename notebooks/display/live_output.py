"""An answer that is seen while it grows: in a notebook in place, in a terminal as it is typed."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ... import Response
from .answers import format_answer, format_body
from .html import Bundle, div, mime_bundle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

PAUSE_SECONDS = 0.08
CHARACTERS_PER_SECOND = 250_000
"""What drawing may send: all that has come is drawn each time, and a long answer therefore less often."""
REDRAW_BACKOFF = 5
"""A drawing that took a second is followed by none for so many."""
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What would move a terminal's cursor or change its colours, had a model said it."""


class LiveOutput(Protocol):
    """What shows an answer."""

    def append(self, piece: str) -> None:
        """Show one more piece."""

    def finish(self, response: Response, footer: str) -> None:
        """Show the answer as it stays, and what it took."""


def live_output(shell: InteractiveShell, look: str) -> LiveOutput:
    """Return what shows an answer there; `look` is 'markdown', 'text' or 'html'."""
    return CellOutput(look) if is_rich(shell) else TerminalOutput()


def is_rich(shell: InteractiveShell) -> bool:
    """Whether HTML is shown there; IPython in a terminal shows text alone."""
    return "text/html" in shell.display_formatter.active_types


class CellOutput:
    """Draws the answer in the cell's output, the next time in the place of the last."""

    def __init__(self, look: str) -> None:
        self._look = look
        self._text = ""
        self._shown: Any = None
        self._next = 0.0

    def append(self, piece: str) -> None:
        """Show one more piece, and at the latest with one of the next."""
        self._text += piece
        began = monotonic()
        if began >= self._next:
            look = "text" if self._look == "html" else self._look
            self._show(mime_bundle(div(format_body(self._text, look), kind="growing"), self._text))
            took_seconds = monotonic() - began
            self._next = began + max(
                PAUSE_SECONDS, REDRAW_BACKOFF * took_seconds, len(self._text) / CHARACTERS_PER_SECOND
            )

    def finish(self, response: Response, footer: str) -> None:
        """Show the answer as it stays."""
        self._show(format_answer(response, footer, self._look))

    def _show(self, what: Bundle) -> None:
        from IPython.display import display

        if self._shown is None:
            self._shown = display(what, raw=True, display_id=True)
        else:
            self._shown.update(what, raw=True)


class TerminalOutput:
    """Prints the answer as it comes."""

    def __init__(self) -> None:
        self._printed = 0

    def append(self, piece: str) -> None:
        """Print one more piece."""
        print(CONTROL.sub("", piece), end="", flush=True)
        self._printed += len(piece)

    def finish(self, response: Response, footer: str) -> None:
        """Print what is not there yet, and what it took."""
        text = format_answer(response, footer)["text/plain"]
        print(CONTROL.sub("", text[self._printed :]), flush=True)
