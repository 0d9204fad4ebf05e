"""A write-ahead log of answers that arrived and are not in the call store yet: a kill in between loses none of them."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .call_record import PROMPT_CHARACTERS, CallRecord
from .request_key import Key
from .stored_answer import DamagedAnswerError, decode_answer, encode_answer

if sys.platform != "win32":
    import fcntl

PREFIX = ".arrived-"
LENGTH_BYTES = 4
MIN_SECONDS = 0.001
"""An answer that took less is asked again sooner than it is written."""


class LoggedAnswer(msgspec.Struct, array_like=True, gc=False):
    """An answer that arrived: what `CallStore.record` needs of it."""

    key: Key
    model: str
    engine: str
    prompt: str
    answer: bytes


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(LoggedAnswer)


class WriteAheadLog:
    """Two files that take turns: one takes in what arrives while what the other holds is committed.

    A file that its process has locked is left alone; one that nobody has locked is of a process that was killed, and
    `abandoned_calls` reads it. Nothing here is promised where the system has no such locks (Windows).

    Args:
        store: the call store's file, beside which these lie; None: it is a cluster's, on another machine.
        owner: the owner of the process's leases, `host:process:number`.
    """

    def __init__(self, store: Path | None, owner: str) -> None:
        self._store = None if sys.platform == "win32" else store
        self._owner = owner
        self._files: list[int] = []

    def append(self, call: CallRecord) -> None:
        """Write a whole answer; it is the system's then, and outlives this process."""
        if self._store is None or not call.response.is_complete or call.response.seconds < MIN_SECONDS:
            return
        try:
            if not self._files:
                self._files = [_new_file(self._store, self._owner) for _ in range(2)]
            content = ENCODER.encode(_logged_answer(call))
            frame = len(content).to_bytes(LENGTH_BYTES, "little") + content
            if os.write(self._files[0], frame) < len(frame):
                self._store = None  # The disk is full, and what came after this would not be read.
        except DamagedAnswerError:  # The store will not take it either, and says so.
            return
        except OSError:  # No room, or no right to write: the store will say so.
            self._store = None

    def rotate(self) -> int | None:
        """Let the other file take in what comes from now on; return the one that holds what came until now."""
        self._files.reverse()
        return self._files[-1] if self._files else None

    def clear(self, file: int | None) -> None:
        """Empty that file: what it held has been committed."""
        if file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)


def _new_file(store: Path, owner: str) -> int:
    """Make a file of the owner's and lock it; again, where somebody took it for an abandoned one in between."""
    while True:
        path = store.with_name(f"{store.name}{PREFIX}{owner.partition(':')[2]}.{uuid.uuid4().hex[:8]}")
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


def _logged_answer(call: CallRecord) -> LoggedAnswer:
    prompt = call.prompt[:PROMPT_CHARACTERS].encode("utf-8", "replace").decode()
    return LoggedAnswer(call.key, call.model, call.engine, prompt, encode_answer(call.key, call.response))


def _call(arrival: LoggedAnswer) -> CallRecord | None:
    try:
        response = decode_answer(arrival.key, arrival.answer)
    except DamagedAnswerError:
        return None
    return CallRecord(arrival.key, arrival.model, arrival.engine, arrival.prompt, response)


@contextlib.contextmanager
def abandoned_calls(store: Path) -> Iterator[tuple[list[CallRecord], set[str]]]:
    """Give what killed processes had not committed, and these owners' names without their host.

    Their files go at the end of the block, unless it fails.
    """
    with contextlib.ExitStack() as opened:
        paths = store.parent.glob(store.name + PREFIX + "*") if sys.platform != "win32" else ()
        files = {path: file for path in paths if (file := _lock_abandoned(path, opened)) is not None}
        arrivals = [arrival for file in files.values() for arrival in _read(file)]
        owners = {path.name.partition(PREFIX)[2].partition(".")[0] for path in files}
        yield [call for call in map(_call, arrivals) if call], owners
        for path in files:
            path.unlink(missing_ok=True)


def _lock_abandoned(path: Path, opened: contextlib.ExitStack) -> int | None:
    """Open and lock the file until the stack ends; None: its process lives, or it has just gone."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        opened.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    return None


def _read(file: int) -> Iterator[LoggedAnswer]:
    """Yield what was written whole; a kill in the middle of a write leaves a part of the last one."""
    content = os.read(file, os.fstat(file).st_size)
    start = 0
    while start + LENGTH_BYTES < len(content):
        end = start + LENGTH_BYTES + int.from_bytes(content[start : start + LENGTH_BYTES], "little")
        try:
            yield DECODER.decode(content[start + LENGTH_BYTES : end])
        except msgspec.MsgspecError:
            return
        start = end
