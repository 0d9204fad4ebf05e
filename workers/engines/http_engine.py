"""What the engines that call a service over HTTP share: all but how the protocol writes a request."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from ..errors import ProviderError
from ..messages import Request, Response
from ..secret_refs import Redactor, resolve_all, resolve_secret, secrets_of_settings
from .http_client import Call, HttpClient
from .provider_replies import ReplyReader, Wire, read_vectors
from .refused_options import RefusedOptions
from .reply_events import ReplyEvent


class HttpSettings(BaseModel):
    """Settings of every engine that calls a service over HTTP: `infer_params` keys with `saas.` before them."""

    model_config = ConfigDict(extra="forbid")

    model: str = Field(description="the model's name at the service")
    base_url: str = Field(description="the service's address, up to and with its version")
    api_key: SecretStr | None = Field(None, description="`env:NAME`, `file:PATH`, or the key; none for a local server")
    proxy: SecretStr | None = Field(None, description="an HTTP proxy's address")
    headers: dict[str, SecretStr] = Field(default_factory=dict, description="sent with every request")
    query: dict[str, SecretStr] = Field(default_factory=dict, description="parameters of the address, e.g. a key")
    extra: dict[str, Any] = Field(
        default_factory=dict,
        description="body fields sent with every request; null removes a field that is sent by default",
    )
    default_temperature: float | None = Field(0.0, description="used if a request has none; null: none is sent")


class HttpEngine(ABC):
    """Answers through a service. A protocol says in a subclass how it writes a request."""

    wire: ClassVar[Wire]

    def __init__(self, settings: Any) -> None:
        self.settings = settings
        self.extra: dict[str, Any] = {}
        self.client: HttpClient
        self._refused = RefusedOptions(settings.model)

    async def start(self) -> None:
        """Read the key and open the connections; nothing is sent yet.

        Raises:
            SetupError: a key is not there, or the address is none.
        """
        given: HttpSettings = self.settings
        headers: dict[str, str] = {**self.own_headers(), **resolve_all(given.headers, "the header ")}
        if given.api_key and "authorization" not in {name.lower() for name in headers}:
            headers["Authorization"] = f"Bearer {resolve_secret(given.api_key, f'the API key of {given.model}')}"
        self.extra = resolve_all(given.extra, "the body field ")
        self.client = HttpClient(
            given.base_url,
            headers,
            query=resolve_all(given.query, "the parameter "),
            proxy=resolve_secret(given.proxy, "the proxy") if given.proxy else None,
            redactor=Redactor(secrets_of_settings(given)),
        )
        self.client.open()

    @abstractmethod
    def own_headers(self) -> dict[str, str]:
        """Return the protocol's headers of every request."""

    @abstractmethod
    def chat_call(self, request: Request, *, streamed: bool) -> Call:
        """Return the protocol's request for an answer."""

    @abstractmethod
    def embed_call(self, texts: Sequence[str]) -> Call:
        """Return the protocol's request for vectors."""

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        return await (self._refused.answer(request, self._answer) if request.best_effort else self._answer(request))

    async def _answer(self, request: Request) -> Response:
        try:
            events, headers = await self.client.post(self.chat_call(request, streamed=False))
            reader = ReplyReader(self.wire, headers)
            for event in events:
                reader.add(event)
            return reader.response(request, is_whole=len(events) == 1)
        except ProviderError as error:
            self.client.redactor.clean(error)
            raise

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer, then the whole Response.

        Raises:
            ProviderError: the service refused, or broke off.
        """
        try:
            reader: ReplyReader | None = None
            async for event, headers in self.events(request):
                reader = reader or ReplyReader(self.wire, headers)
                if piece := reader.add(event):
                    yield piece
            reader = reader or ReplyReader(self.wire, {})
            if piece := reader.last_piece():
                yield piece
            yield reader.response(request)
        except ProviderError as error:
            self.client.redactor.clean(error)
            raise

    async def events(self, request: Request) -> AsyncIterator[tuple[ReplyEvent, Mapping[str, str]]]:
        """Yield the values of a streamed reply, each with the reply's headers."""
        async for event in self.client.stream(self.chat_call(request, streamed=True)):
            yield event

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...] | None]:
        """Return one vector a text, in order; None for a text whose vector is none.

        Raises:
            ProviderError: the service refused, or did not answer.
        """
        try:
            events, headers = await self.client.post(self.embed_call(texts))
            return read_vectors(events, len(texts), self.wire, headers)
        except ProviderError as error:
            self.client.redactor.clean(error)
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the body fields that are sent: null leaves one out."""
    return {name: value for name, value in fields.items() if value is not None}
