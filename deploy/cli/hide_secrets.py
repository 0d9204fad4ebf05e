"""A key on the command line stands on the process list, and Ray shows it as the driver's command: not for long."""

from __future__ import annotations

import json
import os
import sys

from .arguments import secret_value

VARIABLE = "QUACKLLM_HIDDEN_WORDS"
HIDDEN = "(hidden)"


def argv_without_secrets() -> list[str]:
    """Return this process's command line; if it shows a key, the process starts over without it on its process list.

    What the key was goes through the environment, which only the same user can read, and is gone from there at once.
    """
    hidden: list[str] = json.loads(os.environ.pop(VARIABLE, "[]"))
    if hidden:
        whole = iter(hidden)
        return [
            word.removesuffix(HIDDEN) + next(whole) if secret_value(word) == HIDDEN else word for word in sys.argv[1:]
        ]
    found = [(word, secret_value(word)) for word in sys.orig_argv]
    secrets = [secret for _, secret in found if secret]
    if secrets and os.name == "posix":  # Elsewhere a new process would not take this one's place.
        shown = [word.removesuffix(secret) + HIDDEN if secret else word for word, secret in found]
        os.execve(sys.executable, shown, {**os.environ, VARIABLE: json.dumps(secrets)})
    return sys.argv[1:]
