"""The probabilities of a transformers answer: those of the library's own scores, for the rows that ask for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from quackllm.workers.engines.transformers.engine import TransformersEngine
from quackllm.workers.engines.transformers.settings import TransformersSettings
from quackllm.workers.messages import Request, Response
from quackllm.workers.options import Options

from support.tiny_models import TALKS

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
Run = Callable[..., Any]
FIRST, SECOND = list(TALKS)[:2]


@pytest.fixture
def make_engine() -> Callable[..., TransformersEngine]:
    def make(path: str, **settings: Any) -> TransformersEngine:
        return TransformersEngine(TransformersSettings(model_path=path, **{"device": "cpu", **settings}))

    return make


def test_the_probabilities_are_the_models_own(tiny_llama: Path, run: Run) -> None:
    """Beside a row that wants none: each token's is the softmax of the library's scores."""
    asked = [Request(Request.of(text).messages, Options(max_tokens=9)) for text in (FIRST, SECOND)]
    asked[0] = replace(asked[0], top_logprobs=3)

    async def work(engine: TransformersEngine) -> list[Response]:
        return await asyncio.gather(*map(engine.answer, asked))

    wanted, unwanted = run(tiny_llama, work)
    assert unwanted.logprobs is None
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_llama)
    model = transformers.AutoModelForCausalLM.from_pretrained(tiny_llama)
    turns = [{"role": "user", "content": FIRST}]
    ids = torch.tensor([tokenizer.apply_chat_template(turns, add_generation_prompt=True)["input_ids"]])
    assert len(wanted.logprobs) == 8
    for place in wanted.logprobs:
        scores = model(ids).logits[0, -1].log_softmax(-1)
        best = int(scores.argmax())
        assert place[0][0] == tokenizer.decode([best])
        assert [number for _, number in place] == pytest.approx(scores.topk(3).values.tolist(), abs=1e-3)
        ids = torch.cat([ids, torch.tensor([[best]])], dim=1)
