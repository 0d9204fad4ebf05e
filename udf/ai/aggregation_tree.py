"""An aggregate as a tree of calls: content decides where texts are cut; each part is a call, then the answers are.

Where a part ends is decided by a text's own hash, as in content-defined chunking (Muthitacharoen et al., LBFS, 2001): a
row that changes moves the ends next to it and no others, so that one call a level is asked again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import blake2b

BYTES_PER_TOKEN = 4
"""Of English; Chinese has fewer, so that a part is never longer than was meant."""
HASHES = 1 << 64


def pieces(texts: Sequence[str], limit: int) -> list[str]:
    """Return the texts, those that are longer than so many bytes in pieces; nothing is left out."""
    found = []
    for text in texts:
        step = len(text) if size(text) <= limit else max(1, limit // 4)  # No character has more than 4 bytes.
        found += [text[start : start + step] for start in range(0, len(text), step)] if text else [""]
    return found


def cut(texts: Sequence[str], limit: int, least: int = 1) -> list[list[str]]:
    """Return the texts in parts.

    Args:
        texts: in the order that they have.
        limit: bytes of a part, about half of which it has on average.
        least: texts that a part has, however long, but for the last; 2 where each level must be shorter than the one
            before.
    """
    parts: list[list[str]] = []
    part: list[str] = []
    filled = 0
    for text in texts:
        if len(part) >= least and filled + size(text) > limit:
            parts.append(part)
            part, filled = [], 0
        part.append(text)
        filled += size(text)
        if len(part) >= least and _is_end(text, limit):
            parts.append(part)
            part, filled = [], 0
    return [*parts, part] if part else parts


def written(part: Sequence[str]) -> str:
    """Return a part as the model reads it."""
    return json.dumps(list(part), ensure_ascii=False, indent=0)


def size(text: str) -> int:
    """Return the bytes of a text with what JSON puts around it."""
    return len(text.encode("utf-8", "surrogatepass")) + 4


def _is_end(text: str, limit: int) -> bool:
    drawn = int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
    return drawn * limit < 2 * size(text) * HASHES
