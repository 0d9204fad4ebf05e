"""One event loop in one daemon thread: everything asynchronous in this process runs there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine
from concurrent.futures import Future
from contextlib import aclosing
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


def submit(work: Coroutine[Any, Any, Result]) -> Future[Result]:
    """Start the coroutine in the loop's thread; the future can be waited on in any other thread."""
    return asyncio.run_coroutine_threadsafe(work, _loop())


def run_sync(work: Coroutine[Any, Any, Result]) -> Result:
    """Run the coroutine in the loop's thread and return its result."""
    return submit(work).result()


def in_loop() -> bool:
    """Whether this code runs in the loop."""
    return asyncio.get_running_loop() is _loop()


async def run_inside_loop(work: Coroutine[Any, Any, Result]) -> Result:
    """Await the coroutine in the loop, from whichever event loop this is; who stops waiting cancels it."""
    return await (work if in_loop() else asyncio.wrap_future(submit(work)))


async def iterate_inside_loop(values: AsyncGenerator[Result, None]) -> AsyncGenerator[Result, None]:
    """Yield what the generator yields in the loop, in whichever event loop this is; who leaves closes it."""
    if in_loop():
        async with aclosing(values):
            async for value in values:
                yield value
        return
    here, heard = asyncio.get_running_loop(), asyncio.Queue[tuple[Result] | None]()

    async def listen() -> None:
        async with aclosing(values):
            async for value in values:
                here.call_soon_threadsafe(heard.put_nowait, (value,))

    listening = submit(listen())
    listening.add_done_callback(lambda _: here.call_soon_threadsafe(heard.put_nowait, None))
    try:
        while told := await heard.get():
            yield told[0]
        listening.result()
    finally:
        listening.cancel()
