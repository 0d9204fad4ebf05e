"""The constraint that an engine can hold an answer to: a choice, or a JSON schema."""

from __future__ import annotations

from typing import Any

from ...workers.deployments.spec import ModelSpec
from .shapes import Score, Shape

SCHEMA = frozenset({"saas/openai", "saas/gemini", "saas/openrouter", "saas/vllm", "saas/ollama", "saas/lmstudio"})
"""Services whose `response_format` takes a JSON schema."""
ANY_JSON = frozenset({"saas/deepseek", "saas/qianwen", "saas/qianwen_compatible", "saas/zhipu", "saas/zai"})
"""Services whose `response_format` takes no more than `json_object`."""
CONSTRAINT_KEYS = {"vllm": "choice", "llama_cpp": "enum"}
"""Engines of our own that generate nothing else, and what they call a list of choices."""


def constraint_for(spec: ModelSpec, shape: Shape) -> dict[str, Any] | None:
    """Return the `response_format` that holds a model's answer to its shape; None where the prompt's words must do.

    A service is not held to a choice: the object that its schema asks for around a word costs more tokens than the
    word, and a word that is no choice is seen and asked for once more.
    """
    backend = spec.infer_params.get("backend") if spec.type.startswith("custom/") else spec.type
    if shape.schema is None:
        return None
    if backend in CONSTRAINT_KEYS:
        return _choice_constraint(CONSTRAINT_KEYS[backend], shape)
    if shape.choices or isinstance(shape, Score):
        return None
    if spec.type in SCHEMA:
        return shape.schema
    return {"type": "json_object"} if spec.type in ANY_JSON else None


def _choice_constraint(choice: str, shape: Shape) -> dict[str, Any] | None:
    """Return what an engine of our own takes: it needs no object around a word or a number."""
    if shape.choices:
        return {choice: list(shape.choices)}
    if isinstance(shape, Score):
        return {"type": "number", "minimum": shape.low, "maximum": shape.high}
    return shape.schema
