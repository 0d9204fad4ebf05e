"""What a model says about its own answer: how sure it is, other queries that it considered, and what it doubts.

A model writes each remark on a line of its own, in its reasoning or as a comment beside its SQL:

    -- confidence: 0.83
    -- alternative: SELECT count(*) FROM singer
    -- warning: no column stands for "famous"

A model that needs to know more writes `UNCLEAR: ` and a question to the user, and no SQL; an engine raises
`ProviderError(question, code="unclear")`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REMARK = re.compile(
    r"^[ \t]*(?:--|#)?[ \t]*(confidence|alternative|warning)[ \t]*[:=][ \t]*(.+?)[ \t]*$", re.IGNORECASE | re.MULTILINE
)
NUMBER = re.compile(r"(\d*\.?\d+)\s*(%?)")
MAX_REMARKS = 10  # Of each kind: a model that repeats itself must not fill the result.


@dataclass(frozen=True, slots=True)
class ModelRemarks:
    """What a model says about one answer.

    Args:
        confidence: how probable it holds its answer to be right, 0 to 1; None if it does not say.
        alternatives: other queries that it considered, the likeliest first.
        warnings: what it doubts, in its own words.
    """

    confidence: float | None = None
    alternatives: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


NO_REMARKS = ModelRemarks()


def read_remarks(output: str, reasoning: str | None = None) -> ModelRemarks:
    """Return the remarks in an answer and its reasoning; of several confidences, the last one counts."""
    confidence: float | None = None
    texts: dict[str, dict[str, None]] = {"alternative": {}, "warning": {}}
    for kind, text in REMARK.findall(f"{reasoning or ''}\n{output}"):
        if kind.lower() == "confidence":
            confidence = _probability(text) if _probability(text) is not None else confidence
        else:
            texts[kind.lower()][text.rstrip(";")] = None
    return ModelRemarks(confidence, tuple(texts["alternative"])[:MAX_REMARKS], tuple(texts["warning"])[:MAX_REMARKS])


def _probability(text: str) -> float | None:
    """Return `0.83` and `83 %` as 0.83; None for what is no probability."""
    found = NUMBER.fullmatch(text)
    if found is None:
        return None
    value = float(found[1]) / (100 if found[2] else 1)
    return value if value <= 1 else None
