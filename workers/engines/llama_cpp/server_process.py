"""llama.cpp in a process of its own: started, called over loopback, and ended, which frees its memory.

Its code is C++ that ends the whole process where it finds something amiss, and its server takes over Ctrl-C: neither
may happen to a notebook. The protocol is llama-server's (llama.cpp, `tools/server/README.md`).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ...errors import DeployError, MissingExtraError, ProviderError

if TYPE_CHECKING:
    import aiohttp

EXTRA = 'pip install "quackllm[llama-cpp]"'
# `0.00.001.458 E gguf_init_from_reader: invalid magic characters`
LOG_LINE = re.compile(r"^[\d.]+ (?P<level>[EWID]) +(?P<words>.*)")
# Settings of every server: no web pages, no endpoint that shows prompts, only errors and warnings in its log.
QUIET_SETTINGS = {"ui": False, "endpoint_slots": False, "verbosity": 2}
SECONDS_TO_END = 2.0  # How long a process that cannot be reached has to log why.
CHILD = "quackllm.workers.engines.llama_cpp.child"


class LlamaServer:
    """One process with one model.

    Args:
        fields: of llama.cpp's `common_params`, inner ones with dots, e.g. `{"model.path": …, "n_ctx": 4096}`.
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        self.fields = fields
        self._log: deque[str] = deque(maxlen=60)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._client: aiohttp.ClientSession | None = None

    @property
    def pid(self) -> int | None:
        """The process's id, while it runs."""
        running = self._process is not None and self._reading is not None and not self._reading.done()
        return self._process.pid if running and self._process else None

    async def start(self) -> None:
        """Start the process, and wait until the model is loaded.

        Raises:
            MissingExtraError: xllamacpp is not installed.
            DeployError: llama.cpp cannot load the model; the message is llama.cpp's.
        """
        if find_spec("xllamacpp") is None:
            raise MissingExtraError("a GGUF model needs xllamacpp", hint=EXTRA)
        key = secrets.token_hex(16)
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", CHILD),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            start_new_session=True,
            # Where it ends itself, it would call a debugger first, which takes many seconds.
            env={**os.environ, "GGML_NO_BACKTRACE": "1"},
        )
        self._reading = asyncio.create_task(self._read_log(self._process))
        try:
            address = await self._address(self._process, key)
        except BaseException:
            await self.close()
            raise
        self._client = self._opened(address, key)

    async def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the server's answer to a POST; cancelling the call stops the work.

        Raises:
            ProviderError: the server refuses it, or the process died.
        """
        async with self._request(path, body) as reply:
            return await reply.json()

    async def get(self, path: str) -> Any:
        """Return the server's answer to a GET."""
        assert self._client is not None, "start() comes first"
        async with self._client.get(path) as reply:
            return await reply.json()

    async def stream(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[dict[str, Any]]:
        """Yield the pieces of an answer (server-sent events).

        Raises:
            ProviderError: as `post` does.
        """
        async with self._request(path, {**body, "stream": True}) as reply:
            async for line in reply.content:
                if line.startswith(b"data: {"):
                    piece: dict[str, Any] = json.loads(line.removeprefix(b"data: "))
                    if "error" in piece:
                        raise error_from_reply(piece["error"])
                    yield piece
                elif line.startswith(b"error: "):
                    raise error_from_reply(json.loads(line.removeprefix(b"error: ")))

    async def close(self) -> None:
        """End the process; its memory is free then."""
        if self._client:
            await self._client.close()
        if self._process:
            if self._process.returncode is None:
                self._process.kill()
            await self._process.wait()
        if self._reading:
            await self._reading

    @asynccontextmanager
    async def _request(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[aiohttp.ClientResponse]:
        import aiohttp

        assert self._client is not None, "start() comes first"
        try:
            async with self._client.post(path, json=body) as reply:
                if reply.status != 200:
                    raise error_from_reply((await reply.json())["error"])
                yield reply
        except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
            if self._reading:
                await asyncio.wait([self._reading], timeout=SECONDS_TO_END)
            message = f"llama.cpp's process ended: {'; '.join(list(self._log)[-3:]) or error}"
            raise ProviderError(message, code="process_ended", retryable=True) from error

    async def _address(self, process: asyncio.subprocess.Process, key: str) -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps({**self.fields, "api_keys": [key]}).encode() + b"\n")
        line = await process.stdout.readline()
        answer = json.loads(line) if line else {}
        if "address" in answer:
            return str(answer["address"])
        if self._reading:
            await asyncio.wait([self._reading], timeout=SECONDS_TO_END)
        log_lines = [LOG_LINE.match(line) for line in self._log]
        errors = dict.fromkeys(line["words"] for line in log_lines if line and line["level"] == "E")
        message = "; ".join(errors) or answer.get("error") or "; ".join(list(self._log)[-3:])
        raise DeployError(f"llama.cpp cannot load {self.fields.get('model.path')}: {message}")

    async def _read_log(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self._log.append(line.decode(errors="replace").rstrip())

    def _opened(self, address: str, key: str) -> aiohttp.ClientSession:
        import aiohttp

        # No timeout here: the worker has one.
        return aiohttp.ClientSession(
            address,
            headers={"Authorization": f"Bearer {key}"},
            timeout=aiohttp.ClientTimeout(total=None),
            connector=aiohttp.TCPConnector(limit=0),
        )


CODES = {"exceed_context_size_error": "context_length_exceeded", "invalid_request_error": "invalid_option"}


def error_from_reply(error: Mapping[str, Any]) -> ProviderError:
    """Return the error for a request that the server refuses; its message is the server's."""
    error_type, message = str(error.get("type", "llama_cpp")), str(error.get("message"))
    if error_type == "exceed_context_size_error":
        message += " (backend.n_ctx)"
    elif "too large to process" in message:
        # A text to embed; the server calls it its own fault, but no other try can help.
        return ProviderError(message + " (backend.n_batch)", code="context_length_exceeded")
    later = int(error.get("code", 500)) >= 500
    return ProviderError(message, code=CODES.get(error_type, error_type), retryable=later)
