"""The batch API of OpenAI, Zhipu and DashScope: a file of requests at half the price, answered within a day.

Sources, as public in November 2026: OpenAI's API reference (batch, files); Zhipu's "Batch API" (bigmodel.cn), whose
addresses end in `/v4`, and whose `custom_id` has 6 to 64 characters; Alibaba Cloud's "OpenAI compatible - Batch", which
serves Qwen at `/compatible-mode/v1`. None was called with a key.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from ..errors import ProviderError, SetupError
from ..messages import Failure, Request, Response
from ..secret_refs import Redactor, keys_of_settings
from .dashscope import DashscopeSettings
from .engine_answers import checked_failure, checked_response
from .http_client import Call
from .http_engine import HttpSettings
from .openai import OpenAIEngine, OpenAISettings
from .provider_replies import OPENAI, ReplyReader
from .reply_errors import broken_reply_error, refusal_error
from .reply_events import ReplyEvent

MAX_REQUESTS = 50_000
MAX_BYTES = 90_000_000
"""All three take 50,000 requests in a file; the smallest limit of its size is 100 MB."""
HALF_PRICE = 0.5
ENDED = frozenset({"completed", "failed", "expired", "cancelled"})
NATIVE, COMPATIBLE = "/api/v1", "/compatible-mode/v1"
"""Where DashScope serves its own protocol, and OpenAI's with the batches."""


@dataclass(frozen=True, slots=True)
class BatchStatus:
    """What the service says of a batch.

    Args:
        id: the service's.
        status: 'validating', 'in_progress', 'finalizing', 'completed', 'failed', 'expired', 'cancelled' …
        input_file: the file of requests.
        result_files: the files with answers and errors, as far as there are any.
        counts: how many requests there are, and how many have ended.
        message: why it failed.
    """

    id: str
    status: str
    input_file: str
    result_files: tuple[str, ...]
    counts: tuple[int, int]
    message: str

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes."""
        return self.status in ENDED


class BatchApi:
    """The batches of one deployment.

    Args:
        settings: of its engine.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._engine = OpenAIEngine(_openai_settings(settings))
        self._keys = Redactor()
        version = self._engine.settings.base_url.rstrip("/").rpartition("/")[2]
        self._endpoint = f"/{'v4' if version == 'v4' else 'v1'}/chat/completions"

    async def start(self) -> None:
        """Read the key and open the connections.

        Raises:
            SetupError: a key is not there, or the address is none.
        """
        await self._engine.start()
        self._keys = Redactor(keys_of_settings(self._engine.settings))

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.close()

    def line(self, custom_id: str, request: Request) -> str:
        """Return the line of a request in a file."""
        body = dict(self._engine.chat_call(request, streamed=False).fields)
        line = {"custom_id": custom_id, "method": "POST", "url": self._endpoint, "body": body}
        return json.dumps(line, ensure_ascii=False)

    async def upload(self, lines: Iterable[str]) -> str:
        """Upload a file of requests; return its id.

        Raises:
            ProviderError: the service refused.
        """
        boundary = uuid.uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{boundary}\r\n'
            'Content-Disposition: form-data; name="file"; filename="requests.jsonl"\r\n'
            "Content-Type: application/jsonl\r\n\r\n"
        )
        content = "".join([head, *(f"{line}\n" for line in lines), f"\r\n--{boundary}--\r\n"]).encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        reply = await self._json(Call("/files", headers=headers, content=content))
        return _text(reply, "id")

    async def create(self, input_file: str) -> BatchStatus:
        """Begin a batch; from then on it is paid for.

        Raises:
            ProviderError: the service refused, or its reply was lost.
        """
        fields = {"input_file_id": input_file, "endpoint": self._endpoint, "completion_window": "24h"}
        return self._parse_status(await self._json(Call("/batches", fields)))

    async def find(self, input_file: str) -> BatchStatus | None:
        """Return the batch of a file, if the service has begun one; the newest come first in its list.

        Raises:
            ProviderError: the service refused.
        """
        reply = await self._json(Call("/batches", method="GET"))
        batches = [self._parse_status(each) for each in reply.get("data") or [] if isinstance(each, Mapping)]
        return next((batch for batch in batches if batch.input_file == input_file), None)

    async def status(self, batch: str) -> BatchStatus:
        """Return what the service says of a batch.

        Raises:
            ProviderError: the service refused.
        """
        return self._parse_status(await self._json(Call(f"/batches/{batch}", method="GET")))

    async def results(self, file: str) -> AsyncIterator[tuple[str, Mapping[str, Any]]]:
        """Yield each request's `custom_id` and line of a file of answers or errors; what cannot be read is left out.

        Raises:
            ProviderError: the service refused, or the reply breaks off.
        """
        with self._engine.client.redactor.errors():
            async for text in self._engine.client.lines(Call(f"/files/{file}/content", method="GET")):
                line = _json_object(text)
                if line and isinstance(line.get("custom_id"), str):
                    yield line["custom_id"], line

    def read_response(self, line: Mapping[str, Any], request: Request) -> Response:
        """Return the answer, or the error, that a line of a result file holds.

        Args:
            line: as `results` yields it.
            request: for the length of an answer whose tokens the service does not count.
        """
        try:
            with self._engine.client.redactor.errors():
                return checked_response(_read_line(line, request), self._keys)
        except ProviderError as error:
            return _failed_response(error)

    def _parse_status(self, reply: Mapping[str, Any]) -> BatchStatus:
        files = (reply.get(name) for name in ("output_file_id", "error_file_id"))
        counts = reply.get("request_counts")
        counted = counts if isinstance(counts, Mapping) else {}
        done = _count(counted, "completed") + _count(counted, "failed")
        errors = json.dumps(reply.get("errors"), ensure_ascii=False) if reply.get("errors") else ""
        return BatchStatus(
            _text(reply, "id"),
            str(reply.get("status")),
            str(reply.get("input_file_id") or ""),
            tuple(file for file in files if isinstance(file, str) and file),
            (_count(counted, "total"), done),
            self._engine.client.redactor.text(errors)[:500],
        )

    async def _json(self, call: Call) -> Mapping[str, Any]:
        client = self._engine.client
        with client.redactor.errors():
            events, _ = await client.post(call)
        value = events[0].value if events else None
        if not isinstance(value, Mapping):
            raise broken_reply_error("the service's reply is no JSON object")
        return value


def _read_line(line: Mapping[str, Any], request: Request) -> Response:
    reply = line.get("response")
    body = reply.get("body") if isinstance(reply, Mapping) else None
    if not isinstance(reply, Mapping) or not isinstance(body, Mapping):
        raise _line_error(line.get("error"))
    reader = ReplyReader(OPENAI, {})
    status = reply.get("status_code")
    failed = isinstance(status, int) and status >= 400
    reader.add(ReplyEvent(body, is_error=failed, status=status if isinstance(status, int) else None))
    return reader.response(request, is_whole=True)


def unanswered_response(status: BatchStatus) -> Response:
    """Return the response of a request of which a batch that has ended says nothing; it was not paid for."""
    message = f"the batch is {status.status}, without an answer to it {status.message}".rstrip()
    return _failed_response(ProviderError(message, code=f"batch_{status.status}", retryable=status.status != "failed"))


def _failed_response(error: ProviderError) -> Response:
    """Return the response of a request that failed."""
    failure = checked_failure(Failure(error.code, error.message, error.retryable, error.status))
    return Response(None, error=failure, finish_reason=error.finish_reason)


def _line_error(error: object) -> ProviderError:
    given = error if isinstance(error, Mapping) else {}
    message, code = str(given.get("message") or "the batch has no answer to it"), given.get("code")
    return refusal_error(message, code=str(code or "batch_failed"), status=None)


def _openai_settings(settings: HttpSettings) -> OpenAISettings:
    """Return how to reach the same model by OpenAI's protocol."""
    if isinstance(settings, OpenAISettings):
        return settings
    if not isinstance(settings, DashscopeSettings):
        raise SetupError(f"no batch API is known of {type(settings).__name__}")
    base = settings.base_url.rstrip("/").removesuffix(NATIVE) + COMPATIBLE
    shared = {name: getattr(settings, name) for name in HttpSettings.model_fields if name != "base_url"}
    if settings.workspace:
        shared["headers"] = {**settings.headers, "X-DashScope-WorkSpace": SecretStr(settings.workspace)}
    return OpenAISettings(base_url=base, **shared)


def _count(counts: Mapping[str, Any], name: str) -> int:
    count = counts.get(name)
    return count if isinstance(count, int) else 0


def _text(reply: Mapping[str, Any], name: str) -> str:
    value = reply.get(name)
    if not isinstance(value, str) or not value:
        raise broken_reply_error(f"the service's reply has no {name}")
    return value


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
