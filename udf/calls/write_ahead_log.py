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
    """

    def __init__(self, store: Path | None) -> None:
        self._store = None if sys.platform == "win32" else store
        self._files: list[int] = []

    def append(self, call: CallRecord) -> None:
        """Write a whole answer; it is the system's then, and outlives this process."""
        if self._store is None or not call.response.is_complete or call.response.seconds < MIN_SECONDS:
            return
        try:
            if not self._files:
                self._files = [_new_file(self._store), _new_file(self._store)]
            content = ENCODER.encode(_logged_answer(call))
            os.write(self._files[0], len(content).to_bytes(LENGTH_BYTES, "little") + content)
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


def _new_file(store: Path) -> int:
    path = store.with_name(f"{store.name}{PREFIX}{os.getpid()}-{uuid.uuid4().hex[:8]}")
    file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
    fcntl.flock(file, fcntl.LOCK_EX)
    return file


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
def abandoned_calls(store: Path) -> Iterator[list[CallRecord]]:
    """Give what killed processes had not committed; their files go at the end of the block, unless it fails."""
    locked: list[tuple[int, Path]] = []
    try:
        for path in store.parent.glob(store.name + PREFIX + "*") if sys.platform != "win32" else ():
            with contextlib.suppress(OSError):
                file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                locked.append((file, path))
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                continue
            if locked and locked[-1][1] == path:
                os.close(locked.pop()[0])
        arrivals = [arrival for file, _ in locked for arrival in _read(file)]
        yield [call for call in map(_call, arrivals) if call]
        for _, path in locked:
            path.unlink(missing_ok=True)
    finally:
        for file, _ in locked:
            os.close(file)


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
