"""One event loop in one daemon thread: everything asynchronous in this process runs there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")

_LOOPS: dict[int, asyncio.AbstractEventLoop] = {}
_STARTING = threading.Lock()


def _loop() -> asyncio.AbstractEventLoop:
    # A forked child has the parent's loop but not its thread, hence one loop a process. DuckDB's
    # threads may come here first at the same time, hence the lock.
    process = os.getpid()
    with _STARTING:
        if process not in _LOOPS:
            _LOOPS[process] = asyncio.new_event_loop()
            threading.Thread(target=_LOOPS[process].run_forever, name="quackllm", daemon=True).start()
        return _LOOPS[process]


def start(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Start the coroutine in the loop's thread; the future can be waited on in any other thread."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine in the loop's thread and return its result."""
    return start(work).result()
