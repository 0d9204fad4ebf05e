"""Batches of the transformers engine: rows of different lengths, limits and stop texts in one `generate`."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from ...errors import ProviderError
from ...messages import Request, Response, TokenLogprobs, Usage
from ...options import Options
from ..chat_template import max_new_tokens, prompt_errors, prompt_tokens
from ..provider_replies import CUT_OFF
from ..reply_fields import split_reasoning
from ..token_logprobs import MAX_TOKENS, ranked
from .settings import TransformersSettings

UNSUPPORTED = ("response_format", "presence_penalty", "frequency_penalty")
ONE_ANSWER_A_ROW = {"num_beams", "num_return_sequences"}


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen: the rows of one batch share it."""

    fields: str
    seed: int | None = None


def make_sampling(options: Options) -> Sampling:
    """Return how these options choose tokens.

    Raises:
        ProviderError: an option is not supported by this engine.
    """
    unsupported = [name for name in UNSUPPORTED if getattr(options, name) is not None]
    unsupported += sorted(ONE_ANSWER_A_ROW & options.extra.keys())
    if unsupported:
        raise ProviderError(f"a local transformers model has no {', '.join(unsupported)}", code="unsupported_option")
    fields: dict[str, Any] = {"do_sample": options.temperature > 0}
    if options.temperature > 0:
        given = {name: getattr(options, name) for name in ("temperature", "top_p", "top_k")}
        fields |= {name: value for name, value in given.items() if value is not None}
    text = json.dumps({**fields, **options.extra}, sort_keys=True)
    return Sampling(text, options.seed if options.temperature > 0 else None)


@dataclass(eq=False)
class BatchRow:
    """One request in a batch; `future` gets its Response."""

    request: Request
    sampling: Sampling
    loop: asyncio.AbstractEventLoop
    chunks: asyncio.Queue[str | None] | None = None
    logprobs: list[TokenLogprobs] = field(default_factory=list)
    prompt: list[int] = field(default_factory=list)
    limit: int = 0
    ids: list[int] = field(default_factory=list)
    emitted: int = 0
    done: bool = False

    def __post_init__(self) -> None:
        self.future: asyncio.Future[Response] = self.loop.create_future()

    def fail(self, error: BaseException) -> None:
        """Hand over an error, unless there is an answer already."""
        self._call(_settle, self.future, None, error)
        self._end()

    def finish(self, response: Response) -> None:
        """Hand over the answer."""
        self.done = True
        self.emit(response.output or "", whole=True)
        self._call(_settle, self.future, response, None)
        self._end()

    def emit(self, text: str, whole: bool = False) -> None:
        """Emit the new part of a growing text, but for an end that may yet become a stop text."""
        if self.chunks is None:
            return
        held_back = 0 if whole else max((len(stop) - 1 for stop in self.request.options.stop), default=0)
        chunk = text[self.emitted : len(text) - held_back]
        if chunk and (whole or not text.endswith("\ufffd")):
            self.emitted += len(chunk)
            self._call(self.chunks.put_nowait, chunk)

    def _end(self) -> None:
        if self.chunks is not None:
            self._call(self.chunks.put_nowait, None)

    def _call(self, function: Any, *arguments: Any) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(function, *arguments)


def _settle(future: asyncio.Future[Response], response: Response | None, error: BaseException | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    elif response is not None:
        future.set_result(response)


class LoadedModel:
    """A loaded model. All but `size` runs in the engine's one thread."""

    def __init__(self, model: Any, tokenizer: Any, settings: TransformersSettings) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.settings = settings
        self.size = settings.max_batch_size
        own = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self.context: int | None = min(filter(None, (own, settings.max_model_len)), default=None)
        ends = model.generation_config.eos_token_id
        ends = tokenizer.eos_token_id if ends is None else ends
        self.ends = frozenset(ends if isinstance(ends, list) else [ends]) - {None}
        padding = tokenizer.pad_token_id
        self.padding: int = padding if padding is not None else min(self.ends, default=0)

    def run(self, rows: list[BatchRow]) -> None:
        """Answer these rows; each gets its answer as soon as it has ended."""
        import torch

        ready = [row for row in rows if self._prepare(row)]
        if not ready:
            return
        try:
            self._generate(ready)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
            self.size = max(1, len(ready) // 2)
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            message = f"there is not enough memory for {len(ready)} requests at once: {error}"
            for row in ready:
                row.fail(ProviderError(message, code="out_of_memory", retryable=len(ready) > 1))
        except (TypeError, ValueError) as error:
            for row in ready:
                row.fail(ProviderError(f"the model refuses these options: {error}", code="invalid_option"))

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Return the mean of the last layer's vectors for each text."""
        import torch

        prompts = [self.tokenizer(text)["input_ids"] for text in texts]
        for prompt in prompts:
            max_new_tokens(1, len(prompt), self.context)
        ids, mask = self._padded(prompts)
        with torch.inference_mode():
            vectors = self.model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(vectors.dtype)
        means: list[list[float]] = ((vectors * weight).sum(1) / weight.sum(1)).float().tolist()
        return means

    def release(self) -> None:
        """Let go of the weights and the GPU memory they held."""
        import torch

        self.model = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _prepare(self, row: BatchRow) -> bool:
        """Tokenize a row; False if it failed or was cancelled."""
        try:
            messages, limit = row.request.messages, row.request.options.max_tokens or self.settings.max_tokens
            with prompt_errors(messages):
                row.prompt = prompt_tokens(self.tokenizer, messages, self.settings.chat_template_kwargs)
            row.limit = max_new_tokens(limit, len(row.prompt), self.context)
        except ProviderError as error:
            row.fail(error)
            return False
        return not row.future.done()

    def _generate(self, rows: list[BatchRow]) -> None:
        import torch
        from transformers import LogitsProcessorList, StoppingCriteriaList

        recorder = LogprobRecorder(self, rows)
        ids, mask = self._padded([row.prompt for row in rows])
        seed = rows[0].sampling.seed
        with torch.inference_mode(), torch.random.fork_rng(range(torch.cuda.device_count())):
            torch.manual_seed(secrets.randbits(63) if seed is None else seed)
            self.model.generate(
                input_ids=ids,
                attention_mask=mask,
                max_new_tokens=max(row.limit for row in rows),
                logits_processor=LogitsProcessorList([recorder] if recorder.count else []),
                stopping_criteria=StoppingCriteriaList([RowStopping(self, rows, recorder)]),
                pad_token_id=self.padding,
                **json.loads(rows[0].sampling.fields),
            )

    def _padded(self, prompts: list[list[int]]) -> tuple[Any, Any]:
        """Return token ids with padding on the left, and the mask that hides it."""
        import torch

        width = max(map(len, prompts))
        ids = [[self.padding] * (width - len(prompt)) + prompt for prompt in prompts]
        mask = [[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts]
        device = self.model.device
        return torch.tensor(ids, device=device), torch.tensor(mask, device=device)

    def take(self, row: BatchRow, token: int) -> bool:
        """Add a token to a row; True when the row has ended."""
        if row.done or row.future.done():
            return True
        if token in self.ends:
            self._finish(row, self._text(row), "stop")
            return True
        row.ids.append(token)
        stops = row.request.options.stop
        text = self._text(row) if stops or row.chunks is not None else ""
        positions = [position for stop in stops if (position := text.find(stop)) >= 0]
        if positions:
            self._finish(row, text[: min(positions)], "stop")
        elif len(row.ids) >= row.limit:
            self._finish(row, self._text(row), "length")
        else:
            row.emit(text)
        return row.done

    def _text(self, row: BatchRow) -> str:
        text: str = self.tokenizer.decode(row.ids, skip_special_tokens=True)
        return text

    def _finish(self, row: BatchRow, text: str, reason: Any) -> None:
        apart, reasoning = split_reasoning(text)
        output = apart if row.chunks is None else text
        usage = Usage(len(row.prompt), len(row.ids))
        failure = CUT_OFF if reason == "length" else None
        logprobs = tuple(row.logprobs) or None
        row.finish(Response(output, reasoning, failure, finish_reason=reason, usage=usage, logprobs=logprobs))


class LogprobRecorder:
    """Looks at the scores of each step before a token is chosen: of all steps together they would fill the memory."""

    def __init__(self, batches: LoadedModel, rows: list[BatchRow]) -> None:
        self.batches = batches
        self.count = max(row.request.top_logprobs for row in rows)
        self._scores: Any = None
        self._steps = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Hold the scores until the token is known."""
        self._scores = scores if self._steps < MAX_TOKENS else None
        self._steps += 1
        return scores

    def add(self, rows: list[BatchRow], tokens: list[int]) -> None:
        """Give each row that asks for them the probabilities of the token that was chosen and of the likeliest."""
        if self._scores is None:
            return
        logprobs = self._scores.float().log_softmax(-1)
        likeliest = logprobs.topk(min(self.count, logprobs.shape[-1]))
        for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
            if row.request.top_logprobs and not row.done and token not in self.batches.ends:
                others = zip(likeliest.indices[place].tolist(), likeliest.values[place].tolist(), strict=True)
                pairs = [(self._text(other), number) for other, number in others]
                row.logprobs.append(ranked((self._text(token), logprobs[place, token].item()), pairs))

    def _text(self, token: int) -> str:
        text: str = self.batches.tokenizer.decode([token])
        return text


class RowStopping:
    """Reports after each step which rows have ended: by end token, stop text, limit or cancellation."""

    def __init__(self, batches: LoadedModel, rows: list[BatchRow], recorder: LogprobRecorder) -> None:
        self.batches = batches
        self.rows = rows
        self.recorder = recorder

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Return one truth value a row."""
        import torch

        tokens = input_ids[:, -1].tolist()
        self.recorder.add(self.rows, tokens)
        ended = [self.batches.take(row, token) for row, token in zip(self.rows, tokens, strict=True)]
        return torch.tensor(ended, dtype=torch.bool, device=input_ids.device)
