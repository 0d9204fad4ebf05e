"""The input of a typed function: a text, or any value as JSON with its field names; images are sent as images."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

IMAGES = ("image", "images")


@dataclass(frozen=True)
class Input:
    """What one row shows to the model."""

    text: str
    images: tuple[str, ...] = ()

    @cached_property
    def passages(self) -> tuple[str, ...]:
        """The texts in it, in which a quote may stand: the text itself, or every value of the JSON."""
        if self.text[:1] not in ("{", "["):
            return (self.text,)
        try:
            return (self.text, *_texts(json.loads(self.text)))
        except ValueError:
            return (self.text,)


def input_of_json(text: str) -> Input:
    """Return the input of a STRUCT, LIST or MAP that DuckDB wrote as JSON."""
    value = json.loads(text)
    if not isinstance(value, dict) or not value.keys() & set(IMAGES):
        return Input(text)
    given = [value.pop(name) for name in IMAGES if value.get(name)]
    images = [image for one in given for image in (one if isinstance(one, list) else [one]) if isinstance(image, str)]
    return Input(json.dumps(value, ensure_ascii=False) if value else "", tuple(images))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)
