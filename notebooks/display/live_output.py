"""An answer shown as it arrives: redrawn in a notebook's output, printed in a terminal."""

from __future__ import annotations

import re
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol

from ... import Response
from .answers import format_answer, format_body
from .html import Bundle, div, mime_bundle

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

MIN_REDRAW_SECONDS = 0.08
# Each redraw sends the whole text so far, so a long answer is redrawn less often.
CHARACTERS_PER_SECOND = 250_000
# After a redraw that took one second, the next one waits this many.
REDRAW_BACKOFF = 5
# Characters with which a model could move the terminal's cursor or change its colours.
CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class LiveOutput(Protocol):
    """Where an answer is shown."""

    def append(self, chunk: str) -> None:
        """Show one more chunk."""

    def finish(self, response: Response, footer: str) -> None:
        """Show the complete answer and its footer."""


def live_output(shell: InteractiveShell, answer_format: str) -> LiveOutput:
    """Return where the shell shows an answer; the format is 'markdown', 'text' or 'html'."""
    return CellOutput(answer_format) if is_rich(shell) else TerminalOutput()


def is_rich(shell: InteractiveShell) -> bool:
    """Whether the shell shows HTML; IPython in a terminal shows text only."""
    return "text/html" in shell.display_formatter.active_types


class CellOutput:
    """Draws the answer in the cell's output; each redraw replaces the one before."""

    def __init__(self, answer_format: str) -> None:
        self._format = answer_format
        self._text = ""
        self._display: Any = None
        self._next_redraw = 0.0

    def append(self, chunk: str) -> None:
        """Add one more chunk; it is drawn at once or with one of the next."""
        self._text += chunk
        started = monotonic()
        if started >= self._next_redraw:
            answer_format = "text" if self._format == "html" else self._format
            self._show(mime_bundle(div(format_body(self._text, answer_format), css_class="growing"), self._text))
            took_seconds = monotonic() - started
            self._next_redraw = started + max(
                MIN_REDRAW_SECONDS, REDRAW_BACKOFF * took_seconds, len(self._text) / CHARACTERS_PER_SECOND
            )

    def finish(self, response: Response, footer: str) -> None:
        """Show the complete answer and its footer."""
        self._show(format_answer(response, footer, self._format))

    def _show(self, bundle: Bundle) -> None:
        from IPython.display import display

        if self._display is None:
            self._display = display(bundle, raw=True, display_id=True)
        else:
            self._display.update(bundle, raw=True)


class TerminalOutput:
    """Prints the answer as it arrives."""

    def __init__(self) -> None:
        self._printed_characters = 0

    def append(self, chunk: str) -> None:
        """Print one more chunk."""
        print(CONTROL_CHARACTERS.sub("", chunk), end="", flush=True)
        self._printed_characters += len(chunk)

    def finish(self, response: Response, footer: str) -> None:
        """Print the rest of the answer, and the footer."""
        text = format_answer(response, footer)["text/plain"]
        print(CONTROL_CHARACTERS.sub("", text[self._printed_characters :]), flush=True)
