"""The sandbox itself: a few child processes that wait for calls."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock, Semaphore
from typing import Any, TypeVar, cast

from .process import ChildProcess

Result = TypeVar("Result")
PROCESSES = 4


@dataclass(frozen=True, slots=True)
class SandboxLimits:
    """What one call may use.

    Args:
        megabytes: of memory, beyond what the child has at rest.
        seconds: of time; what the parent answers in between does not count.
    """

    megabytes: int = 512
    seconds: float = 5.0


class Cancellation:
    """Ends one call from another thread: its child process is ended, whatever it computes."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._child: ChildProcess | None = None
        self._cancelled = False

    def cancel(self) -> None:
        """End the call; one that has not begun ends when it begins, one that has ended stays as it is."""
        with self._lock:
            self._cancelled = True
            if self._child:
                self._child.abort()

    @contextmanager
    def watching(self, child: ChildProcess) -> Iterator[None]:
        """Let `cancel` end this child while the block runs."""
        with self._lock:
            self._child = child
            if self._cancelled:
                child.abort()
        try:
            yield
        finally:
            with self._lock:
                self._child = None


class Sandbox:
    """Child processes that take calls. They start when they are first needed, and wait for more.

    Safe to use from several threads, and after a fork, where it begins anew.

    Args:
        start: of a module that a child can import; a child calls it before it takes calls.
        processes: the most children, and so the most calls at once; others wait.
    """

    def __init__(self, start: Callable[[], None] | None = None, *, processes: int = PROCESSES) -> None:
        self._start = dotted_path(start) if start else ""
        self._processes = processes
        self._begin()
        _SANDBOXES.add(self)

    def _begin(self) -> None:
        self._lock = Lock()
        self._idle: list[ChildProcess] = []
        self._busy: set[ChildProcess] = set()
        self._slots = Semaphore(self._processes)

    def call(
        self,
        function: Callable[..., Result],
        *arguments: Any,
        limits: SandboxLimits = SandboxLimits(),
        answer: Callable[[Any], Any] | None = None,
        cancellation: Cancellation | None = None,
    ) -> Result:
        """Run a function in a child process and return what it returns: plain values, no objects.

        Args:
            function: of a module that the child can import.
            arguments: whatever pickle takes.
            limits: of memory and time.
            answer: answers the function's calls of `call_parent`.
            cancellation: what another thread may end the call with.

        Raises:
            SandboxLimitError: it took more memory or time than it may, its result is too large, or it was cancelled.
            QuackLLMError: whatever the function raised; what is none of ours is a RuntimeError.
            SetupError: no child can be started.
        """
        call = dotted_path(function), arguments, limits.megabytes, limits.seconds
        with self._child() as child, (cancellation or Cancellation()).watching(child):
            return cast(Result, child.call(call, answer))

    @property
    def busy(self) -> int:
        """How many calls are under way."""
        return len(self._busy)

    def close(self) -> None:
        """End the children that are idle; the next call starts new ones."""
        with self._lock:
            children, self._idle = self._idle, []
        for child in children:
            child.end()

    def abort(self) -> None:
        """End every child; the calls under way fail, and the next call starts new ones."""
        with self._lock:
            children = [*self._idle, *self._busy]
        for child in children:
            child.abort()

    def after_fork(self) -> None:
        """Leave the children to the process that started them."""
        for child in self._idle:
            child.let_go()
        self._begin()

    @contextmanager
    def _child(self) -> Iterator[ChildProcess]:
        with self._slots:
            child = self._take()
            try:
                yield child
            finally:
                if child.busy:
                    child.end()
                with self._lock:
                    self._busy.discard(child)
                    self._idle.append(child if child.alive() else ChildProcess(self._start))

    def _take(self) -> ChildProcess:
        """Return a child that is free, one that has started before one that has not, and leave another waiting.

        After a child was ended the next call finds one that has started long ago.
        """
        with self._lock:
            self._idle = sorted(filter(ChildProcess.alive, self._idle), key=lambda child: child.ready)
            child = self._idle.pop() if self._idle else ChildProcess(self._start)
            self._busy.add(child)
            if not self._idle and len(self._busy) < self._processes:
                self._idle.append(ChildProcess(self._start))
            return child


def dotted_path(function: Callable[..., Any]) -> str:
    """Return what a child finds a function by."""
    return f"{function.__module__}:{function.__qualname__}"


_SANDBOXES: weakref.WeakSet[Sandbox] = weakref.WeakSet()


def _after_fork() -> None:
    for sandbox in _SANDBOXES:
        sandbox.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
