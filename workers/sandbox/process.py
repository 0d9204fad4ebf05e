"""One child process of a sandbox, as its parent holds it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, cast

from ..errors import QuackLLMError, SandboxLimitError, SetupError
from .pickle_frames import MAX_RESULT_BYTES, plain_value, read_frame, write_frame
from .watchdog import WATCHDOG, Watch

CODE = "import sys; sys.path[:] = {path!r}; from {module} import main; main()"
START_SECONDS = 60.0
"""How long a child may take to start."""
GRACE_SECONDS = 0.25
"""How long a child that was interrupted at its limit may take to end its work, before it is ended itself."""
UNLIMITED_MEGABYTES = 1 << 30
ON_SIZE = "read fewer rows or shorter values"


class ChildProcess:
    """A child that takes one call after another.

    Args:
        start: the path of a function that it calls before the first; '' for none.
    """

    def __init__(self, start: str) -> None:
        # Its own group: Ctrl-C in a terminal goes to every process of the one in front.
        own_group: dict[str, Any] = {"process_group": 0} if os.name == "posix" else {}
        self._process = subprocess.Popen(
            [sys.executable, "-c", CODE.format(path=sys.path, module=f"{__package__}.child_process")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            **own_group,
        )
        self._source = cast(IO[bytes], self._process.stdout)
        self._sink = cast(IO[bytes], self._process.stdin)
        self.ready = False
        """Whether it has started, as far as anybody has looked."""
        self._watch = Watch(self._process)
        self.busy = False
        """Whether a call is running; after an abandoned call the child's state is unknown."""
        self.end = weakref.finalize(self, _end, self._process, os.getpid())
        with suppress(OSError):  # Who calls it first hears that it is gone.
            write_frame(self._sink, pickle.dumps(start))

    def alive(self) -> bool:
        """Whether it can take a call."""
        return self._process.poll() is None

    def call(self, call: tuple[str, tuple[Any, ...], int, float], answer: Callable[[Any], Any] | None) -> Any:
        """Send a call, answer the child's questions, and return its result; see `Sandbox.call`."""
        self._wait_until_ready()
        self.busy = True
        *_, megabytes, seconds = call
        with WATCHDOG.watching(self._watch, megabytes, seconds + GRACE_SECONDS):
            status, value = self._exchange(call)
            failed, answered = False, None
            while status == "ask" and answer is not None:
                with self._watch.paused():
                    failed, answered = _answered(answer, value)
                status, value = self._exchange((failed, answered))
            _, rests = self._receive()
        if not rests:
            self.end()
        self.busy = False
        if status == "result":
            return value
        if failed and status == "error":
            raise cast(QuackLLMError, answered)  # As it was: the child knows its words only.
        raise _limit_error(value) if status == "limit" else _rebuilt(*value)

    def abort(self) -> None:
        """Kill it; who waits for its answer hears that it is gone, and cleans up."""
        with suppress(OSError):
            self._process.kill()

    def let_go(self) -> None:
        """Close this process's ends of the pipes, and leave the child to the process that started it."""
        self.end.detach()
        self._process.returncode = 0
        for stream in (self._source, self._sink):
            stream.close()

    def _wait_until_ready(self) -> None:
        if self.ready:
            return
        with WATCHDOG.watching(self._watch, UNLIMITED_MEGABYTES, START_SECONDS):
            try:
                _, self._watch.kernel_limits = plain_value(read_frame(self._source, MAX_RESULT_BYTES))
            except (EOFError, OSError) as error:
                self.end()
                message = f"the process that checks generated SQL did not start (exit {self._process.returncode})"
                hint = f"type: {sys.executable} -c 'import {__package__}.child_process'"
                raise SetupError(message, hint=hint) from error
        self.ready = True

    def _exchange(self, value: Any) -> tuple[str, Any]:
        """Send a value and return what the child says to it."""
        with suppress(OSError):  # What became of the child is reported when its answer is read.
            write_frame(self._sink, pickle.dumps(value, protocol=5))
        return self._receive()

    def _receive(self) -> tuple[str, Any]:
        try:
            status, value = plain_value(read_frame(self._source, MAX_RESULT_BYTES))
        except (EOFError, OSError, ValueError, TypeError, pickle.UnpicklingError) as error:
            self.end()
            # Who was not killed by the clock was ended by what it computed: out of memory, or of stack.
            raise _limit_error(self._watch.killed or "memory", stopped=False) from error
        return str(status), value


def _answered(answer: Callable[[Any], Any], question: Any) -> tuple[bool, Any]:
    """Return (False, the answer) or (True, the error that the child then raises)."""
    try:
        return False, answer(question)
    except QuackLLMError as error:
        return True, error


def _limit_error(limit: Any, *, stopped: bool = True) -> SandboxLimitError:
    if limit == "size":
        return SandboxLimitError("the result is too large to be returned", limit="size", hint=ON_SIZE)
    if limit == "time":
        return SandboxLimitError("it takes longer than its time limit", limit="time", stopped=stopped)
    return SandboxLimitError("it takes more memory than its limit", limit="memory", stopped=stopped)


def _rebuilt(module: str, name: str, message: str, fields: dict[str, Any]) -> Exception:
    """Return the error that a child reports; an error class of ours is restored."""
    ours = QuackLLMError.__module__
    error_type = getattr(sys.modules[ours], name, None) if module == ours else None
    if not (isinstance(error_type, type) and issubclass(error_type, QuackLLMError)):
        return RuntimeError(f"{name} in the sandbox: {message}")
    error = error_type.__new__(error_type)
    Exception.__init__(error, fields.get("message", message))
    error.__dict__.update(fields)
    return error


def _end(process: subprocess.Popen[bytes], parent: int) -> None:
    """End a child, in the process that started it: another that was forked from it has a copy of this."""
    if os.getpid() != parent:
        return
    with suppress(OSError):
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        with suppress(OSError):
            if stream:
                stream.close()
