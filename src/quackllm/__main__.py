"""`python -m quackllm`: the command line."""

from __future__ import annotations

from .deploy.cli.main import app

app()
