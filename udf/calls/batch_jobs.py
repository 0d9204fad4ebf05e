"""Batches that were sent to a service and have not been fetched: one file each, so that any process can go on with it.

A job's file is written before the service is asked for anything that costs, so that a process that is killed at any
moment loses nothing and pays for nothing twice: what the service then has is found by the id of the uploaded file.
"""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
from filelock import AsyncFileLock

from ...workers.atomic_files import atomic_write
from ...workers.errors import StoreError
from ...workers.messages import Message, Request
from .request_key import Key


class BatchRequest(msgspec.Struct, frozen=True):
    """One request of a job: its key in the call store, and what is needed to read its answer and to record it."""

    key: str
    messages: tuple[Message, ...]
    line: str
    function: str = ""


class SubmittedBatch(msgspec.Struct, frozen=True, kw_only=True):
    """A batch on its way.

    Args:
        name: of the job's file.
        model: the deployed name.
        identity: the spec's identity; after the model was deployed anew, its answers have other keys.
        requests: what was sent.
        input_file: the id of the uploaded file; None: it was not uploaded yet.
        batch: the id of the batch; None: it was not begun, or nobody heard whether it was.
    """

    name: str
    model: str
    identity: str
    requests: tuple[BatchRequest, ...]
    input_file: str | None = None
    batch: str | None = None

    @property
    def keys(self) -> frozenset[Key]:
        """The keys of its requests."""
        return frozenset(bytes.fromhex(each.key) for each in self.requests)


ENCODER = msgspec.json.Encoder()
DECODER = msgspec.json.Decoder(SubmittedBatch)


class BatchJobs:
    """The jobs of one QUACKLLM_HOME.

    Args:
        folder: where their files are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._here = asyncio.Lock()  # A file lock keeps other processes out, and no other task of this one.

    @asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Let nobody else add or remove a job while the block runs."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        async with self._here, AsyncFileLock(self._folder / ".lock"):
            yield

    def all(self) -> list[SubmittedBatch]:
        """Return the jobs that have not been fetched.

        Raises:
            StoreError: one of their files cannot be read.
        """
        return [self._load(path) for path in sorted(self._folder.glob("*.json"))]

    def add(self, model: str, identity: str, requests: Iterable[BatchRequest]) -> SubmittedBatch:
        """Write down a new job, of which the service knows nothing yet."""
        job = SubmittedBatch(name=uuid.uuid4().hex, model=model, identity=identity, requests=tuple(requests))
        self.save(job)
        return job

    def save(self, job: SubmittedBatch) -> None:
        """Write a job's file, whole or not at all."""
        with atomic_write(self.path(job)) as draft:
            draft.touch(mode=0o600)
            with draft.open("wb") as file:
                file.write(ENCODER.encode(job))
                file.flush()
                os.fsync(file.fileno())

    def remove(self, job: SubmittedBatch) -> None:
        """Forget a job, whose answers are in the call store."""
        self.path(job).unlink(missing_ok=True)

    def path(self, job: SubmittedBatch) -> Path:
        """Return the file of a job."""
        return self._folder / f"{job.name}.json"

    def _load(self, path: Path) -> SubmittedBatch:
        try:
            return DECODER.decode(path.read_bytes())
        except (OSError, msgspec.MsgspecError) as error:
            hint = f"mv '{path}' '{path}.broken'   gives its answers up"
            raise StoreError(f"the batch {path} cannot be read: {error}", hint=hint) from error


def split_requests(
    lines: Mapping[Key, tuple[Request, str]], max_requests: int, max_bytes: int
) -> Iterator[list[BatchRequest]]:
    """Yield the requests in parts that one file may hold.

    Args:
        lines: by key, the request and its line in the file.
        max_requests, max_bytes: of one file.
    """
    part: list[BatchRequest] = []
    size = 0
    for key, (request, line) in lines.items():
        length = len(line.encode()) + 1
        if part and (len(part) == max_requests or size + length > max_bytes):
            yield part
            part, size = [], 0
        part.append(BatchRequest(key.hex(), request.messages, line, request.function))
        size += length
    if part:
        yield part
