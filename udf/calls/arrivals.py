"""What arrived and is not in the call store yet, in a file beside it: a kill in between loses no paid answer."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .request_key import Key
from .stored_answer import DamagedAnswerError, encode_answer

if sys.platform != "win32":
    import fcntl

PREFIX = ".arrived-"
LENGTH_BYTES = 4
LEAST_SECONDS = 0.001
"""An answer that took less is asked again sooner than it is written."""


class Arrival(msgspec.Struct, array_like=True, gc=False):
    """An answer that arrived: what `CallStore.settle` needs of it."""

    key: Key
    model: str
    engine: str
    prompt: str
    answer: bytes


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(Arrival)


class Arrivals:
    """Two files that take turns: one takes in what arrives while what the other holds is committed.

    A file that its process has locked is left alone; one that nobody has locked is of a process that was killed, and
    `abandoned` reads it. Nothing here is promised where the system has no such locks (Windows).

    Args:
        store: the call store's file, beside which these lie.
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._files: list[int] = []
        self._broken = sys.platform == "win32"

    def write(self, arrival: Arrival) -> None:
        """Write the answer; it is the system's then, and outlives this process."""
        if self._broken:
            return
        try:
            if not self._files:
                self._files = [_new_file(self._store), _new_file(self._store)]
            content = ENCODER.encode(arrival)
            os.write(self._files[0], len(content).to_bytes(LENGTH_BYTES, "little") + content)
        except OSError:  # No room, or no right to write: then the store will say so.
            self._broken = True

    def turn(self) -> int | None:
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


def as_arrival(key: Key, model: str, engine: str, prompt: str, answer: bytes) -> Arrival:
    """Return what is written of an answer."""
    return Arrival(key, model, engine, prompt.encode("utf-8", "replace").decode(), answer)


@contextlib.contextmanager
def abandoned(store: Path) -> Iterator[list[Arrival]]:
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
        yield [arrival for file, _ in locked for arrival in _read(file)]
        for _, path in locked:
            path.unlink(missing_ok=True)
    finally:
        for file, _ in locked:
            os.close(file)


def _read(file: int) -> Iterator[Arrival]:
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
