"""The process that holds a GGUF model: llama.cpp's own server, on loopback, behind a key that only its parent has.

It reads one line of JSON (fields of llama.cpp's `common_params`, inner ones with dots) from its standard input,
answers with one line, `{"address": …}` or `{"error": …}`, and ends when its standard input does: with its parent.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def main() -> None:
    """Serve until the parent closes the pipe, or dies."""
    fields = json.loads(sys.stdin.readline())
    # llama.cpp logs to both streams, so the answer goes where it cannot.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        server = start_server(fields)
    except (AttributeError, ImportError, RuntimeError, TypeError) as error:
        print(json.dumps({"error": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"address": server.listening_address}), file=answers, flush=True)
    sys.stdin.read()
    # The server's requests end with the process: it has nothing to save.
    os._exit(0)


def start_server(fields: dict[str, Any]) -> Any:
    """Return the server of these parameters; it listens already. An enumeration's value is `[its name, the value]`."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    for name, value in fields.items():
        *path, last = name.split(".")
        folder = params
        for part in path:
            folder = getattr(folder, part)
        if isinstance(value, list) and value and hasattr(xllamacpp, value[0]):
            value = getattr(getattr(xllamacpp, value[0]), value[1])
        setattr(folder, last, value)
    return xllamacpp.Server(params)


if __name__ == "__main__":
    main()
