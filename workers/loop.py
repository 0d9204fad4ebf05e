"""One event loop in one daemon thread: everything asynchronous in this process runs there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from functools import cache
from typing import Any, TypeVar

Result = TypeVar("Result")


@cache
def _loop_of(process: int) -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="quackllm", daemon=True).start()
    return loop


def start(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Start the coroutine in the loop's thread; the future can be waited on in any other thread."""
    # A forked child has the parent's loop but not its thread, hence one loop a process.
    return asyncio.run_coroutine_threadsafe(work, _loop_of(os.getpid()))


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine in the loop's thread and return its result."""
    return start(work).result()
