"""About how many tokens a text has, without the tokenizer of the model that will read it."""

from __future__ import annotations

import math
import re

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_CHARACTER = 0.7
"""Of Chinese, Japanese and Korean. Both measured with the tokenizer of Qwen2.5 on our pages, see docs/decisions.md."""
EAST_ASIAN = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


def count_tokens(text: str) -> int:
    """Return about how many tokens a text has."""
    east_asian = len(EAST_ASIAN.findall(text))
    return math.ceil(east_asian * TOKENS_PER_CHARACTER + (len(text) - east_asian) / CHARACTERS_PER_TOKEN)
