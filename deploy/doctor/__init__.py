"""`quackllm doctor`: what is installed, reachable and misconfigured, and what to type."""

from __future__ import annotations


def doctor() -> None:
    """Check what is installed."""
