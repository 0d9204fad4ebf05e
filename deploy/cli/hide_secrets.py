"""An API key on the command line is visible on the process list, and in Ray's list of drivers; this hides it."""

from __future__ import annotations

import json
import os
import sys

from .argv import secret_value

VARIABLE = "QUACKLLM_HIDDEN_WORDS"
HIDDEN = "(hidden)"


def argv_without_secrets() -> list[str]:
    """Return this process's arguments; if they show an API key, the process first re-executes itself without it.

    The key is passed in an environment variable, which only the same user can read, and which is removed at once.
    """
    secrets: list[str] = json.loads(os.environ.pop(VARIABLE, "[]"))
    if secrets:
        rest = iter(secrets)
        return [arg.removesuffix(HIDDEN) + next(rest) if secret_value(arg) == HIDDEN else arg for arg in sys.argv[1:]]
    values = [(argument, secret_value(argument)) for argument in sys.orig_argv]
    secrets = [secret for _, secret in values if secret]
    if secrets and os.name == "posix":  # Elsewhere exec does not replace the process.
        visible = [argument.removesuffix(secret) + HIDDEN if secret else argument for argument, secret in values]
        os.execve(sys.executable, visible, {**os.environ, VARIABLE: json.dumps(secrets)})
    return sys.argv[1:]
