"""The vLLM engine: continuous batching, prefix caching, structured output and LoRA adapters, on GPUs or a CPU."""

from __future__ import annotations

import asyncio
import atexit
import gc
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, contextmanager
from typing import Any, ClassVar
from uuid import uuid4

from pydantic import BaseModel

from ...errors import DeployError, ProviderError, did_you_mean
from ...messages import Request, Response, TokenLogprobs, Usage
from ..chat_template import max_new_tokens, prompt_errors, prompt_tokens
from ..provider_replies import CUT_OFF
from ..reply_fields import split_reasoning
from ..token_logprobs import MAX_TOKENS, ranked
from .loading import load, shutdown
from .sampling import LORA, sampling_fields
from .settings import VllmSettings


class VllmEngine:
    """Answers with vLLM. Requests in flight at once share its batches; a common prefix of prompts is read once."""

    Settings: ClassVar[type[BaseModel]] = VllmSettings
    concurrency: ClassVar[int] = 256
    embed_batch: ClassVar[int] = 256

    def __init__(self, settings: VllmSettings) -> None:
        self.settings = settings
        self._llm: Any = None
        self._starting = asyncio.Lock()
        self._reader = ThreadPoolExecutor(1, "vllm")
        self._in_flight: set[str] = set()

    async def start(self) -> None:
        """Load the model and its adapters, in processes of their own.

        Raises:
            MissingExtraError: vLLM is not installed.
            DeployError: an argument that vLLM does not have, or a model or adapter that it cannot load.
        """
        await asyncio.to_thread(self._load)
        for name in self.settings.lora_adapters:
            try:
                await self._llm.add_lora(self._adapter(name))
            except Exception as error:  # vLLM hands over what its process raised as no other kind
                await self.close()
                raise DeployError(f"the adapter {name} cannot be loaded: {error}") from error

    async def answer(self, request: Request) -> Response:
        """Answer one request; a caller that leaves ends the work.

        Raises:
            ProviderError: it is too long for the model, has an unsupported option, or vLLM's process ended.
        """
        from vllm.sampling_params import RequestOutputKind

        outputs = [output async for output in self._generate(request, RequestOutputKind.FINAL_ONLY)]
        output, reasoning = split_reasoning(outputs[-1].outputs[0].text)
        return to_response(outputs, output, reasoning)

    async def stream(self, request: Request) -> AsyncIterator[str | Response]:
        """Yield pieces of the answer as the model writes them, then the whole Response.

        Raises:
            ProviderError: as `answer` does.
        """
        from vllm.sampling_params import RequestOutputKind

        outputs = []
        async with aclosing(self._generate(request, RequestOutputKind.DELTA)) as pieces:
            async for piece in pieces:
                outputs.append(piece)
                if piece.outputs[0].text:
                    yield piece.outputs[0].text
        yield to_response(outputs, "".join(piece.outputs[0].text for piece in outputs), None)

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return one vector a text, pooled as the model says, or the argument `pooler_config`.

        Raises:
            ProviderError: a text is too long for the model, or the model writes text.
        """
        return list(await asyncio.gather(*map(self._embed, texts)))

    async def close(self) -> None:
        """End vLLM's processes, which frees their memory; requests in flight fail with code 'closed'."""
        self._reader.shutdown(wait=False)
        atexit.unregister(self._end)
        if self._llm is not None:
            await self._llm.abort(list(self._in_flight))
            await asyncio.to_thread(self._end)

    def _load(self) -> None:
        # Set here and not returned: vLLM holds this thread's frames, and what they return, until the process ends.
        self._llm = load(self.settings)
        atexit.register(self._end)

    def _end(self) -> None:
        # At the interpreter's exit too: left to vLLM's own handlers, which run later, it would report a crash.
        if self._llm is not None:
            shutdown(self._llm)
            self._llm = None
            # It is in cycles, and complains where the interpreter itself has to clear it away.
            gc.collect()

    async def _running(self) -> Any:
        """Return vLLM; where its process has ended, another."""
        async with self._starting:
            if self._llm is not None and self._llm.errored:
                await asyncio.to_thread(self._end)
                await self.start()
        if self._llm is None:
            raise closed_error()
        return self._llm

    async def _generate(self, request: Request, kind: Any) -> AsyncGenerator[Any, None]:
        """Yield vLLM's outputs for a request."""
        llm, adapter = await self._running(), self._adapter_for(request)
        if llm.model_config.runner_type == "pooling":
            raise ProviderError("this model returns vectors and no text", code="no_generation", setup=True)
        more = self.settings.chat_template_kwargs
        with prompt_errors(request.messages):
            prompt = await self._read(lambda: prompt_tokens(llm.get_tokenizer(), request.messages, more))
        limit = request.options.max_tokens or self.settings.max_tokens
        limit = max_new_tokens(limit, len(prompt), llm.model_config.max_model_len)
        with self._translated_errors() as name:
            fields = {**sampling_fields(request.options), "max_tokens": limit, "output_kind": kind}
            if request.top_logprobs:
                fields["logprobs"] = request.top_logprobs
            params = sampling_params(llm, fields)
            outputs = llm.generate({"type": "token", "prompt_token_ids": prompt}, params, name, lora_request=adapter)
            async with aclosing(outputs):
                async for output in outputs:
                    yield output

    async def _embed(self, text: str) -> list[float]:
        from vllm import PoolingParams

        llm = await self._running()
        if llm.model_config.runner_type != "pooling":
            hint = "deploy it with: -p backend.runner=pooling"
            raise ProviderError("this model returns text and no vectors", code="no_pooling", setup=True, hint=hint)
        prompt = await self._read(lambda: llm.get_tokenizer().encode(text))
        max_new_tokens(1, len(prompt), llm.model_config.max_model_len)
        adapter = self._adapter(self.settings.lora)
        with self._translated_errors() as name:
            token_prompt = {"type": "token", "prompt_token_ids": prompt}
            outputs = [
                o async for o in llm.encode(token_prompt, PoolingParams(task="embed"), name, lora_request=adapter)
            ]
        vector: list[float] = outputs[-1].outputs.data.tolist()
        return vector

    async def _read(self, tokens: Callable[[], list[int]]) -> list[int]:
        """Tokenize in a thread, one at a time: a long prompt holds up no answer that is being written."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, tokens)

    @contextmanager
    def _translated_errors(self) -> Iterator[str]:
        """Give a name for a request to vLLM, and raise vLLM's errors as ours."""
        from vllm.exceptions import GracefulHTTPError, VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        name = uuid4().hex
        self._in_flight.add(name)
        try:
            yield name
        except EngineDeadError as error:
            raise ProviderError("vLLM's process ended", code="process_ended", retryable=True) from error
        except GracefulHTTPError as error:
            raise ProviderError(str(error), code="busy", retryable=True) from error
        except (VLLMClientError, ValueError, TypeError) as error:
            raise ProviderError(str(error), code="invalid_request") from error
        except EngineGenerateError as error:
            if not isinstance(error.__cause__, ValueError):
                raise
            raise ProviderError(str(error.__cause__), code="invalid_request") from error
        finally:
            self._in_flight.discard(name)

    def _adapter_for(self, request: Request) -> Any:
        name = request.options.extra.get(LORA, self.settings.lora)
        if name is not None and name not in self.settings.lora_adapters:
            message = f"no adapter is called {name!r}: {did_you_mean(str(name), self.settings.lora_adapters)}"
            raise ProviderError(message, code="unknown_adapter")
        return self._adapter(name)

    def _adapter(self, name: str | None) -> Any:
        """Return vLLM's request for an adapter; None is the model itself."""
        from vllm.lora.request import LoRARequest

        if name is None:
            return None
        number = list(self.settings.lora_adapters).index(name) + 1
        return LoRARequest(name, number, self.settings.lora_adapters[name])


def sampling_params(llm: Any, fields: dict[str, Any]) -> Any:
    """Return vLLM's `SamplingParams`; missing fields are those of the model's generation_config."""
    from vllm import SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    if "structured_outputs" in fields:
        fields = {**fields, "structured_outputs": StructuredOutputsParams(**fields["structured_outputs"])}
    return SamplingParams.from_optional(**{**llm.model_config.get_diff_sampling_param(), **fields})


def to_response(outputs: Sequence[Any], output: str, reasoning: str | None) -> Response:
    """Return the Response for vLLM's outputs for one request.

    Args:
        outputs: of one request, the last of which ends it.
        output: the text.
        reasoning: the text between thinking tags, if there is any.

    Raises:
        ProviderError: it was ended from this side.
    """
    last = outputs[-1]
    written = sum(len(part.outputs[0].token_ids) for part in outputs)
    usage = Usage(len(last.prompt_token_ids), written)
    reason = last.outputs[0].finish_reason
    if reason == "length":
        return Response(output, reasoning, CUT_OFF, finish_reason="length", usage=usage)
    if reason != "stop":
        raise closed_error()
    steps = [step for part in outputs for step in part.outputs[0].logprobs or ()]
    tokens = [token for part in outputs for token in part.outputs[0].token_ids]
    logprobs = tuple(map(_token_logprobs, tokens[:MAX_TOKENS], steps[:MAX_TOKENS])) or None
    return Response(output, reasoning, usage=usage, logprobs=logprobs)


def _token_logprobs(token: int, step: Mapping[int, Any]) -> TokenLogprobs:
    """Return vLLM's probabilities for one place of an answer, in which a token was chosen."""
    pairs = {place: (one.decoded_token or "", one.logprob) for place, one in step.items()}
    return ranked(pairs[token], list(pairs.values()))


def closed_error() -> ProviderError:
    """Return the error of a request that was in flight when the model was closed."""
    return ProviderError("the model was closed", code="closed", retryable=True)
