"""The llama.cpp engine: any GGUF model, in 2 to 16 bits a weight, on a CPU or a GPU."""

from __future__ import annotations

import asyncio
import json
import mmap
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from ...errors import DeployError, MissingExtraError, ProviderError, did_you_mean
from ...messages import Message, Request, Response, Usage
from ...options import Options
from ..chat_template import RenderTurns, jinja_template, prompt_errors, prompt_text
from ..provider_replies import CUT_OFF
from ..reply_fields import split_reasoning
from ..token_logprobs import logprobs_of
from .server_process import EXTRA, QUIET_SETTINGS, LlamaServer

TEMPLATE_KEY = b"tokenizer.chat_template"
# How a GGUF stores that field: the length of its name, its name, and the type 8 (text).
TEMPLATE_FIELD = struct.pack("<Q", len(TEMPLATE_KEY)) + TEMPLATE_KEY + struct.pack("<I", 8)
HEAD_BYTES = 256 * 2**20  # A GGUF's fields come before its weights; no vocabulary is longer than this.

# Fields of a request to llama.cpp's server that our options do not have. It silently ignores all others.
EXTRA_OPTIONS = frozenset(
    {
        *("adaptive_decay", "adaptive_target", "cache_prompt", "dry_allowed_length", "dry_base", "dry_multiplier"),
        *("dry_penalty_last_n", "dry_sequence_breakers", "dynatemp_exponent", "dynatemp_range", "grammar"),
        *("ignore_eos", "json_schema", "logit_bias", "min_keep", "min_p", "mirostat", "mirostat_eta", "mirostat_tau"),
        *("n_indent", "repeat_last_n", "repeat_penalty", "samplers", "t_max_predict_ms", "top_n_sigma", "typical_p"),
        *("xtc_probability", "xtc_threshold"),
    }
)


ATTENTION = {
    "auto": "LLAMA_FLASH_ATTN_TYPE_AUTO",
    "on": "LLAMA_FLASH_ATTN_TYPE_ENABLED",
    "off": "LLAMA_FLASH_ATTN_TYPE_DISABLED",
}
POOLING = "LLAMA_POOLING_TYPE_"


class LlamaCppSettings(BaseModel):
    """Settings of `custom/auto` with `backend: llama_cpp`."""

    model_config = ConfigDict(extra="forbid", protected_namespaces=())

    model_path: str = Field(description="a .gguf file; the first one if the model has several")
    n_ctx: int = Field(4096, ge=8, description="maximum number of tokens of one request's prompt and answer together")
    n_parallel: int = Field(4, ge=1, description="requests that share a batch; each has `n_ctx` tokens of memory")
    n_threads: int | None = Field(None, ge=1, description="number of CPU threads; left out: one per core")
    n_gpu_layers: int | None = Field(None, ge=0, description="layers on the GPU; left out: as many as fit")
    n_batch: int = Field(512, ge=32, description="maximum number of tokens of one step, and of a text to embed")
    flash_attention: Literal["auto", "on", "off"] = Field(
        "auto", description="use flash attention; auto: if the device supports it"
    )
    max_tokens: int = Field(1024, ge=1, description="maximum number of tokens of an answer if a request gives none")
    pooling: Literal["mean", "last", "cls"] | None = Field(
        None, description="for `llm_embed`: how the vectors of a text become one; requests are then answered one by one"
    )
    chat_template_kwargs: dict[str, Any] = Field(
        default_factory=dict, description="passed to the chat template, e.g. {'enable_thinking': false}"
    )

    def parameters(self) -> dict[str, Any]:
        """Return llama.cpp's `common_params` for these settings."""
        given: dict[str, Any] = {"cpuparams.n_threads": self.n_threads, "n_gpu_layers": self.n_gpu_layers}
        requests = self.n_parallel
        if self.pooling:
            # Of several texts at once, llama.cpp may split one over two steps and pool the second alone.
            requests = 1
            given |= {"embedding": True, "pooling_type": ["llama_pooling_type", POOLING + self.pooling.upper()]}
        return {
            "model.path": self.model_path,
            "n_ctx": self.n_ctx * requests,
            "n_parallel": requests,
            "n_batch": self.n_batch,
            "n_ubatch": self.n_batch,
            "flash_attn_type": ["llama_flash_attn_type", ATTENTION[self.flash_attention]],
            # We render templates ourselves: llama.cpp refuses a model whose template it cannot parse.
            "use_jinja": False,
            "chat_template": "chatml",
            **QUIET_SETTINGS,
            **{name: value for name, value in given.items() if value is not None},
        }


class LlamaCppEngine:
    """Answers with a GGUF model. Requests in flight at once share llama.cpp's batches."""

    Settings: ClassVar[type[BaseModel]] = LlamaCppSettings
    concurrency: ClassVar[int] = 8
    embed_batch: ClassVar[int] = 32

    def __init__(self, settings: LlamaCppSettings) -> None:
        self.settings = settings
        self._server = LlamaServer(settings.parameters())
        self._starting = asyncio.Lock()
        self._render: RenderTurns | None = None

    async def start(self) -> None:
        """Load the model, in a process of its own.

        Raises:
            MissingExtraError: xllamacpp or transformers is not installed.
            DeployError: there is no such file, or llama.cpp cannot load it; the message is llama.cpp's.
        """
        template = await asyncio.to_thread(chat_template, self.settings.model_path)
        await self._server.start()
        if template is not None:
            properties = await self._server.get("/props")
            special_tokens = {name: properties[name] for name in ("bos_token", "eos_token")}
            self._render = jinja_template(template, {**special_tokens, **self.settings.chat_template_kwargs})

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            ProviderError: it is too long for the model, has an unsupported option, or the process ended.
        """
        server = await self._running()
        reply = await server.post("/completion", await self._body(server, request))
        return _response(reply, reply["content"])

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer as the model writes them, then the whole Response.

        Raises:
            ProviderError: as `answer` does.
        """
        server = await self._running()
        pieces: list[str] = []
        async for reply in server.stream("/completion", await self._body(server, request)):
            if reply["content"]:
                pieces.append(reply["content"])
                yield pieces[-1]
            if reply["stop"]:
                yield _response(reply, "".join(pieces), streamed=True)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, pooled as the settings say.

        Raises:
            ProviderError: a text is too long, or empty; the model was deployed without `pooling`.
        """
        if self.settings.pooling is None:
            hint = "deploy it with: -p pooling=mean"
            raise ProviderError("this model does not return vectors", code="no_pooling", setup=True, hint=hint)
        server = await self._running()
        reply = await server.post("/v1/embeddings", {"input": list(texts), "embd_normalize": -1})
        return [item["embedding"] for item in sorted(reply["data"], key=lambda item: int(item["index"]))]

    async def close(self) -> None:
        """End the process, which frees its memory."""
        await self._server.close()

    async def _running(self) -> LlamaServer:
        """Return the server; a process that ended is followed by another."""
        async with self._starting:
            if self._server.pid is None:
                await self._server.close()
                self._server = LlamaServer(self.settings.parameters())
                await self._server.start()
        return self._server

    async def _body(self, server: LlamaServer, request: Request) -> dict[str, Any]:
        sampling = sampling_fields(request.options)
        limit = request.options.max_tokens or self.settings.max_tokens
        more = {"n_probs": request.top_logprobs} if request.top_logprobs else {}
        return {"prompt": await self._tokens(server, request.messages), "n_predict": limit, **more, **sampling}

    async def _tokens(self, server: LlamaServer, messages: tuple[Message, ...]) -> list[int]:
        """Return the tokens that the transformers engine would read."""
        with prompt_errors(messages):
            text = prompt_text(messages, self._render)
        # A template writes the special tokens itself: a second beginning-of-text token would shift the answer.
        reply = await server.post("/tokenize", {"content": text, "add_special": self._render is None})
        tokens: list[int] = reply["tokens"]
        return tokens


def sampling_fields(options: Options) -> dict[str, Any]:
    """Return the fields of llama.cpp's request for these options.

    Raises:
        ProviderError: `extra` holds what llama.cpp's server does not read.
    """
    unknown = sorted(options.extra.keys() - EXTRA_OPTIONS)
    if unknown:
        message = f"llama.cpp has no {', '.join(unknown)}: {did_you_mean(unknown[0], EXTRA_OPTIONS)}"
        raise ProviderError(message, code="unsupported_option")
    names = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
    given = {name: value for name, value in ((name, getattr(options, name)) for name in names) if value is not None}
    if options.stop:
        given["stop"] = list(options.stop)
    if options.response_format is not None and options.response_format.keys() == {"choice"}:
        given["grammar"] = choice_grammar(options.response_format["choice"])
    elif options.response_format is not None:
        given["json_schema"] = _schema(options.response_format)
    return given | options.extra


def choice_grammar(choices: Sequence[str]) -> str:
    """Return the grammar (GBNF) of an answer that is one of these texts."""
    return "root ::= " + " | ".join(json.dumps(choice, ensure_ascii=False) for choice in choices)


def _schema(response_format: Mapping[str, Any]) -> Any:
    """Return the JSON schema of a schema, or of OpenAI's `response_format` object."""
    format_type = response_format.get("type")
    if format_type == "json_schema":
        return response_format["json_schema"].get("schema", {})
    return response_format.get("schema", {}) if format_type == "json_object" else response_format


def _response(reply: Mapping[str, Any], text: str, streamed: bool = False) -> Response:
    """Return the Response for the server's last message about an answer."""
    usage = Usage(reply["tokens_evaluated"], reply["tokens_predicted"])
    output, reasoning = (text, None) if streamed else split_reasoning(text)
    logprobs = tuple(logprobs_of(reply.get("completion_probabilities"))) or None
    if reply["stop_type"] == "limit":
        return Response(output, reasoning, CUT_OFF, finish_reason="length", usage=usage)
    return Response(output, reasoning, usage=usage, logprobs=logprobs)


def chat_template(path: str) -> str | None:
    """Return a GGUF's own chat template.

    llama.cpp's server does not report whether a model has one: without one it uses ChatML.

    Raises:
        MissingExtraError: it has, and transformers, which reads it, is not installed.
        DeployError: there is no such file.
    """
    file = Path(path)
    if not file.is_file():
        hint = f"quackllm export {path} model.gguf makes one" if file.is_dir() else "give the path of a .gguf file"
        raise DeployError(f"{path} is not a file", hint=hint)
    if file.stat().st_size == 0:
        raise DeployError(f"{path} is empty", hint="was the copy complete?")
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as head:
        field_start = head.find(TEMPLATE_FIELD, 0, HEAD_BYTES)
        if field_start < 0:
            return None
        start = field_start + len(TEMPLATE_FIELD) + 8
        (length,) = struct.unpack("<Q", head[start - 8 : start])
        text = head[start : start + length].decode(errors="replace")
    if find_spec("transformers") is None:
        raise MissingExtraError("a chat template needs transformers", hint=EXTRA)
    return text
