"""The probabilities of an answer's first tokens: read out of a reply in OpenAI's form, and checked.

Source of the form: OpenAI's API reference, chat completions, `logprobs.content`, as public in November 2026. DashScope
(Model Studio, `logprobs` and `top_logprobs`) and llama.cpp's server (`completion_probabilities`) have the same items.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ..messages import TokenLogprobs
from .reply_fields import valid_text

MAX_TOKENS = 8
"""Tokens of an answer whose probabilities are returned: a number, or a label of some words."""
MAX_ALTERNATIVES = 20
MAX_CHARACTERS = 100


def logprobs_of(items: object) -> list[TokenLogprobs]:
    """Return the probabilities of the first tokens; they end before an item that cannot be read.

    Args:
        items: a list of `{token, logprob, top_logprobs: [{token, logprob}, …]}`.
    """
    found: list[TokenLogprobs] = []
    for item in items[:MAX_TOKENS] if isinstance(items, list) else ():
        if not isinstance(item, Mapping) or (chosen := _pair(item)) is None:
            break
        others = item.get("top_logprobs")
        pairs = [_pair(other) for other in others if isinstance(other, Mapping)] if isinstance(others, list) else []
        found.append(ranked(chosen, [pair for pair in pairs if pair is not None]))
    return found


def ranked(chosen: tuple[str, float], others: Sequence[tuple[str, float]]) -> TokenLogprobs:
    """Return a token before the others, each once, the likeliest first."""
    rest = sorted((pair for pair in others if pair != chosen), key=lambda pair: -pair[1])
    return (chosen, *rest[:MAX_ALTERNATIVES])


def checked_logprobs(given: object) -> tuple[TokenLogprobs, ...] | None:
    """Return the probabilities that an engine gives, or None where any of them is none."""
    try:
        found = tuple(tuple((str(token), float(number)) for token, number in one) for one in given or ())  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return None
    pairs = [pair for one in found for pair in one]
    usable = all(found) and all(number <= 0 and not math.isnan(number) for _, number in pairs)
    if not found or not usable:
        return None
    return tuple(
        tuple((valid_text(token)[:MAX_CHARACTERS], number) for token, number in one) for one in found[:MAX_TOKENS]
    )


def _pair(item: Mapping[str, object]) -> tuple[str, float] | None:
    token, number = item.get("token"), item.get("logprob")
    if not isinstance(token, str) or isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return (valid_text(token)[:MAX_CHARACTERS], float(number)) if number <= 0 else None
