"""A write-ahead log of answers that arrived but are not committed yet, so that a killed process does not lose them."""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from .call_record import CallRecord
from .request_key import Key
from .stored_answer import DamagedAnswerError, decode_answer, encode_answer

if sys.platform != "win32":
    import fcntl

PREFIX = ".arrived-"
LENGTH_BYTES = 4
MIN_SECONDS = 0.001  # An answer that took less time is not logged: calling the model again is faster.


class LoggedAnswer(msgspec.Struct, array_like=True, gc=False):
    """An answer that arrived, with the fields that `CallStore.record` needs."""

    key: Key
    model: str
    engine: str
    prompt: str
    answer: bytes
    context: str = ""
    function: str = ""
    statement: str = ""


ENCODER = msgspec.msgpack.Encoder()
DECODER = msgspec.msgpack.Decoder(LoggedAnswer)


class WriteAheadLog:
    """Two files that take turns: new answers go into one while the answers of the other are committed.

    Each process locks its files. A file without a lock belongs to a process that was killed, and `abandoned_calls`
    reads it. Windows has no such locks; there this class does nothing.

    Args:
        store: the call store's file, in whose folder the two files are. None: the store is on another machine.
        owner: the owner of the process's leases, `host:process:number`.
    """

    def __init__(self, store: Path | None, owner: str) -> None:
        self._store = None if sys.platform == "win32" else store
        self._owner = owner
        self._files: list[int] = []

    def append(self, call: CallRecord) -> None:
        """Write a complete answer to the operating system, so that it survives a kill of this process."""
        if self._store is None or not call.response.is_complete or call.response.seconds < MIN_SECONDS:
            return
        try:
            if not self._files:
                self._files = [_new_file(self._store, self._owner) for _ in range(2)]
            content = ENCODER.encode(_logged_answer(call))
            frame = len(content).to_bytes(LENGTH_BYTES, "little") + content
            if os.write(self._files[0], frame) < len(frame):
                self._store = None  # The disk is full. `_read` stops at the incomplete frame.
        except DamagedAnswerError:  # The store will reject it too, and log that.
            return
        except OSError:  # Disk full or no permission: the store will report it.
            self._store = None

    def rotate(self) -> int | None:
        """Switch to the other file for new answers; return the file with the answers so far."""
        self._files.reverse()
        return self._files[-1] if self._files else None

    def clear(self, file: int | None) -> None:
        """Empty the file: its answers are committed."""
        if file is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(file, 0)


def _new_file(store: Path, owner: str) -> int:
    """Create and lock a file for the owner; try again if another process deleted it as abandoned before the lock."""
    while True:
        path = store.with_name(f"{store.name}{PREFIX}{owner.partition(':')[2]}.{uuid.uuid4().hex[:8]}")
        file = os.open(path, os.O_CREAT | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink:
            return file
        os.close(file)


def _logged_answer(call: CallRecord) -> LoggedAnswer:
    texts = (call.prompt, call.context, call.statement)
    prompt, context, statement = (text.encode("utf-8", "replace").decode() for text in texts)
    answer = encode_answer(call.key, call.response)
    return LoggedAnswer(call.key, call.model, call.engine, prompt, answer, context, call.function, statement)


def _call(arrival: LoggedAnswer) -> CallRecord | None:
    try:
        response = decode_answer(arrival.key, arrival.answer)
    except DamagedAnswerError:
        return None
    request = (arrival.key, arrival.model, arrival.engine, arrival.prompt)
    return CallRecord(*request, response, arrival.context, arrival.function, arrival.statement)


@contextlib.contextmanager
def abandoned_calls(store: Path) -> Iterator[tuple[list[CallRecord], set[str]]]:
    """Yield the answers that killed processes had not committed, and the owners' names without the host.

    The files are deleted at the end of the block, unless the block raises an exception.
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
    """Open the file and lock it until the stack closes; None if its process is alive or the file is already deleted."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        opened.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return file
    return None


def _read(file: int) -> Iterator[LoggedAnswer]:
    """Yield the complete answers; a kill during a write leaves an incomplete last one."""
    content = os.read(file, os.fstat(file).st_size)
    start = 0
    while start + LENGTH_BYTES < len(content):
        end = start + LENGTH_BYTES + int.from_bytes(content[start : start + LENGTH_BYTES], "little")
        try:
            yield DECODER.decode(content[start + LENGTH_BYTES : end])
        except msgspec.MsgspecError:
            return
        start = end
