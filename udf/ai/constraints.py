"""How an engine is held to a shape: a choice, a JSON schema, few tokens; and how many likely tokens it returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...workers.deployments.spec import ModelSpec
from .shapes import Score, Shape

SCHEMA = frozenset({"saas/openai", "saas/gemini", "saas/openrouter", "saas/vllm", "saas/ollama", "saas/lmstudio"})
"""Services whose `response_format` takes a JSON schema."""
ANY_JSON = frozenset({"saas/deepseek", "saas/qianwen", "saas/qianwen_compatible", "saas/zhipu", "saas/zai"})
"""Services whose `response_format` takes no more than `json_object`."""
CHOICE = frozenset({"vllm", "llama_cpp", "saas/vllm"})
"""Engines that generate nothing but one of a list of texts."""
OWN = frozenset({"vllm", "llama_cpp"})
"""Engines that hold every answer to a JSON schema."""
SERVICES = ("saas/", "openai", "dashscope")
SPARE_TOKENS = 8
"""Tokens that a short answer may have beside the bytes of the longest."""
NUMBER_BYTES = 8
ALTERNATIVES, DIGITS = 5, 10
"""Likely tokens for each token of a short answer. DashScope returns no more than 5; of digits there are 10."""


@dataclass(frozen=True)
class Constraint:
    """What a request has beside its messages.

    Args:
        response_format: holds the answer to its shape; None where the prompt's words must do.
        max_tokens: of a short answer; None: as many as the model likes.
        top_logprobs: likely tokens that are returned for each token; 0 for a long answer.
    """

    response_format: dict[str, Any] | None = None
    max_tokens: int | None = None
    top_logprobs: int = 0


def constraint_for(spec: ModelSpec, shape: Shape) -> Constraint:
    """Return how a model is held to a shape.

    A service is not held to a choice: the object that its schema asks for around a word costs more tokens than the
    word, and a word that is no choice is seen and asked for once more. An engine that is held to nothing and may think
    aloud, transformers say, has no limit of tokens.
    """
    engine = _engine(spec)
    held = _response_format(engine, shape)
    is_short = bool(shape.choices) or isinstance(shape, Score)
    if not is_short:
        return Constraint(held)
    longest = max((len(choice.encode()) for choice in shape.choices), default=NUMBER_BYTES)
    limit = longest + SPARE_TOKENS if held is not None or engine.startswith(SERVICES) else None
    return Constraint(held, limit, DIGITS if isinstance(shape, Score) and shape.digits else ALTERNATIVES)


def holds_choices(spec: ModelSpec) -> bool:
    """Whether a model generates nothing but one of a list of texts."""
    return _engine(spec) in CHOICE


def _engine(spec: ModelSpec) -> str:
    return str(spec.infer_params.get("backend")) if spec.type.startswith("custom/") else spec.type


def _response_format(engine: str, shape: Shape) -> dict[str, Any] | None:
    if engine in CHOICE and shape.choices:
        return {"choice": list(shape.choices)}
    if shape.schema is None or shape.choices or isinstance(shape, Score):
        return None
    if engine in OWN or engine in SCHEMA:
        return shape.schema
    return {"type": "json_object"} if engine in ANY_JSON else None
