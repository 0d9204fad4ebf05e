"""Secrets are references: `env:NAME` is read on the worker, and no secret is ever printed."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import SecretStr

from .errors import SetupError


def resolve(secret: SecretStr, purpose: str) -> str:
    """Return the secret that a reference names: `env:NAME`, `file:PATH`, or the text itself.

    Args:
        secret: the reference.
        purpose: what it opens, for the error: e.g. 'the API key of saas/qianwen'.

    Raises:
        SetupError: the variable or the file is not there, or is empty.
    """
    kind, _, name = secret.get_secret_value().partition(":")
    if kind == "env":
        value = os.environ.get(name, "").strip()
        where = f"the environment variable {name} is not set where the model runs"
        hint = f"type: export {name}=…   (then start quackllm again)"
    elif kind == "file":
        path = Path(name).expanduser()
        value = path.read_text().strip() if path.is_file() else ""
        where, hint = f"the file {name} is not there, or empty", "deploy the model again with its key"
    else:
        return secret.get_secret_value()
    if not value:
        raise SetupError(f"{purpose} is missing: {where}", hint=hint)
    return value
