"""One event loop in one daemon thread: everything asynchronous in this process runs there."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine
from concurrent.futures import Future
from contextlib import aclosing
from typing import Any, TypeVar

Result = TypeVar("Result")

_LOOPS: list[asyncio.AbstractEventLoop] = []
"""This process's loop, the last one; before it in a forked child its parent's, which have no thread here."""
_STARTING = threading.Lock()
_RUNNING = False


def _loop() -> asyncio.AbstractEventLoop:
    global _RUNNING
    with _STARTING:  # DuckDB's threads may come here first at the same time.
        if not _RUNNING:
            _LOOPS.append(asyncio.new_event_loop())
            threading.Thread(target=_LOOPS[-1].run_forever, name="quackllm", daemon=True).start()
            _RUNNING = True
        return _LOOPS[-1]


def after_fork(renew: Callable[[], None]) -> None:
    """Call this in every child that forks off from now on: threads, locks and open files are its parent's.

    What is registered first is called first, so that a module may rely on those that it imports.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=renew)


def _reset_after_fork() -> None:
    global _STARTING, _RUNNING
    _STARTING, _RUNNING = threading.Lock(), False


after_fork(_reset_after_fork)


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
    """Yield what a generator yields in the loop, from any event loop; leaving the iteration closes it."""
    if in_loop():
        async with aclosing(values):
            async for value in values:
                yield value
        return
    loop, results = asyncio.get_running_loop(), asyncio.Queue[tuple[Result] | None]()

    async def listen() -> None:
        async with aclosing(values):
            async for value in values:
                loop.call_soon_threadsafe(results.put_nowait, (value,))

    listening = submit(listen())
    listening.add_done_callback(lambda _: loop.call_soon_threadsafe(results.put_nowait, None))
    try:
        while item := await results.get():
            yield item[0]
        listening.result()
    finally:
        listening.cancel()
