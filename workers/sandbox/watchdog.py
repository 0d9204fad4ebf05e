"""The watchdog: one thread that ends child processes past their time, or their memory where the kernel does not."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Condition, Thread
from time import monotonic
from typing import Literal

import psutil

MEGABYTE = 1 << 20
POLL_SECONDS = 0.05


class Watch:
    """What is watched of one child process while it works.

    Args:
        process: the child.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.kernel_limits = True
        """Whether the kernel itself keeps the child from taking too much memory."""
        self.killed: Literal["time", "memory"] | None = None
        self._left = 0.0
        self._deadline: float | None = None
        self._max_bytes = 0

    def begin(self, megabytes: int, seconds: float) -> None:
        """Count from now on."""
        self._left = seconds
        self._max_bytes = 0 if self.kernel_limits else self._resident() + megabytes * MEGABYTE
        self._deadline = monotonic() + seconds

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Let the time of the block not count."""
        left = (self._deadline or 0) - monotonic()
        self._deadline = None
        try:
            yield
        finally:
            self._deadline = monotonic() + left

    def end_if_past(self) -> None:
        """End the child where it is past a limit."""
        if self._deadline is not None and monotonic() > self._deadline:
            self._kill("time")
        elif self._max_bytes and self._resident() > self._max_bytes:
            self._kill("memory")

    def _resident(self) -> int:
        with suppress(psutil.Error):
            return int(psutil.Process(self.process.pid).memory_info().rss)
        return 0

    def _kill(self, limit: Literal["time", "memory"]) -> None:
        self.killed = limit
        self._deadline, self._max_bytes = None, 0
        with suppress(OSError):
            self.process.kill()


class ChildWatchdog:
    """Looks at the children that work, every twentieth of a second while there are any."""

    def __init__(self) -> None:
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew: a fork has the memory of the threads, not the threads."""
        self._watches: set[Watch] = set()
        self._changed = Condition()
        self._thread: Thread | None = None

    @contextmanager
    def watching(self, watch: Watch, megabytes: int, seconds: float) -> Iterator[None]:
        """End a child that goes past its limits inside the block."""
        watch.begin(megabytes, seconds)
        with self._changed:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="quackllm-sandbox-watchdog", daemon=True)
                self._thread.start()
            self._watches.add(watch)
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._watches.discard(watch)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._watches:
                    self._changed.wait()
                for watch in self._watches:
                    watch.end_if_past()
                self._changed.wait(POLL_SECONDS)


WATCHDOG = ChildWatchdog()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=WATCHDOG.after_fork)
