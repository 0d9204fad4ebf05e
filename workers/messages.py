"""The one value that flows through quackllm: a Request goes to a worker, a Response comes back.

Every row of a table makes some of these, and a statement may hold 100,000 of them: `Struct` is made in C, and without
`gc` Python's collector does not scan each of them again and again. They hold no cycles.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from .options import Options

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "filter", "cancelled", "error"]
TokenLogprobs = tuple[tuple[str, float], ...]
"""One token of an answer with its log probability, then the likeliest others in its place with theirs."""


class Message(Struct, frozen=True, gc=False):
    """One turn of a conversation; `images` are URLs or `data:` URLs."""

    role: Role | Literal["tool"]
    content: str
    images: tuple[str, ...] = ()
    # Further fields of the message that are passed to the service as they are, e.g. `tool_calls`: a JSON object.
    extra: str = ""


class Request(Struct, frozen=True, gc=False):
    """A request to a model: the whole conversation, the newest turn last, and how to answer it.

    A request of kind 'embed' holds one text, in one message; its answer is a vector.
    """

    messages: tuple[Message, ...]
    options: Options = Options()
    kind: Literal["chat", "embed"] = "chat"
    streamed: bool = False  # Whether the answer is read in chunks as it is generated; the answer is the same.
    # How many of the likeliest tokens come with each token, where the engine gives them; the answer is the same.
    top_logprobs: int = 0
    # Whether a service that refuses `response_format`, `max_tokens` or logprobs may be sent the request without them.
    best_effort: bool = False
    function: str = ""  # The SQL function that makes it, for `llm_calls()`; it changes nothing.

    @staticmethod
    def of(text: str) -> Request:
        """Return the request with one user message."""
        return Request((Message("user", text),))

    @property
    def system(self) -> str | None:
        """The system message, if there is one: always the first message."""
        first = self.messages[0]
        return first.content if first.role == "system" else None


class Usage(Struct, frozen=True, gc=False):
    """Tokens, as the service or the engine's own tokenizer counted them."""

    input_tokens: int = 0
    output_tokens: int = 0


class Failure(Struct, frozen=True, gc=False):
    """Why a request has no whole answer: the provider's own code and message."""

    code: str
    message: str
    retryable: bool = False
    status: int | None = None  # The HTTP status of the provider's refusal, where there was one.


class Response(Struct, frozen=True, gc=False):
    """The answer to a request. `error` is None exactly for finish_reason 'stop'; `output` may be a partial text.

    An engine fills output, reasoning, error, finish_reason, usage and request_id; the worker that
    hosts it adds model and seconds, and the caller the history, which need not travel.
    """

    output: str | None
    reasoning: str | None = None
    error: Failure | None = None
    model: str = ""
    history: tuple[Message, ...] = ()
    finish_reason: FinishReason = "stop"
    usage: Usage = Usage()
    seconds: float = 0.0
    request_id: str | None = None
    embedding: bytes | None = None  # A vector's 32-bit numbers, little-endian: see `vectors.py`.
    # The tool calls that the model requests, as the service's JSON; `output` is the same where it wrote no text.
    tool_calls: str | None = None
    # The probabilities of the first tokens of `output`, where they were asked for and the engine gives them.
    logprobs: tuple[TokenLogprobs, ...] | None = None
    from_store: bool = False  # Whether the call store had the answer.

    @property
    def is_complete(self) -> bool:
        """Whether this is a whole answer, neither cut off nor refused nor failed."""
        return self.finish_reason == "stop"
