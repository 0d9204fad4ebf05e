"""What a command prints."""

from __future__ import annotations

from typer.testing import Result


def error_text(result: Result) -> str:
    """Return what a command printed to the standard error, without the panel's frame and line breaks."""
    return " ".join(result.stderr.replace("│", " ").split())
