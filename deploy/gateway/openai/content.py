"""The content of a message: text, images, and parts that only some services support.

Sources: OpenAI's API reference (chat completions: content parts; responses: `input_text`, `input_image`), DashScope's
(`{"text": …}`, `{"image": …}`) and Anthropic's (`cache_control`, which routers in front of it take in OpenAI's parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....workers.errors import RequestError

TEXT_TYPES = ("text", "input_text", "output_text", "refusal")
IMAGE_TYPES = ("image_url", "input_image", "image")


@dataclass(frozen=True)
class Content:
    """The content of one message.

    Args:
        text: its texts, one per line.
        images: addresses, or `data:` URLs.
        parts: the parts for a service that accepts parts; None if text and images are everything.
        unknown_types: the types of the parts that are neither text nor image.
    """

    text: str
    images: tuple[str, ...] = ()
    parts: tuple[dict[str, Any], ...] | None = None
    unknown_types: tuple[str, ...] = ()


def read_content(content: str | Sequence[str | dict[str, Any]] | None) -> Content:
    """Parse the content of a message.

    Raises:
        RequestError: a part has no type, or not the fields of its type.
    """
    if not isinstance(content, Sequence) or isinstance(content, str):
        return Content(content or "")
    read = [_read_part({"type": "text", "text": part} if isinstance(part, str) else part) for part in content]
    parts = tuple({**plain, **further} for plain, further in read)
    return Content(
        "\n".join(part["text"] for part in parts if part["type"] == "text"),
        tuple(part["image_url"]["url"] for part in parts if part["type"] == "image_url"),
        parts if any(further for _, further in read) else None,
        tuple(dict.fromkeys(part["type"] for part in parts if part["type"] not in ("text", "image_url"))),
    )


def _read_part(part: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the part in OpenAI's form, and its remaining fields."""
    part_type = part.get("type") or next((name for name in (*TEXT_TYPES, *IMAGE_TYPES) if name in part), None)
    if not isinstance(part_type, str):
        raise RequestError("a part of a message has no type", hint='write {"type": "text", "text": "…"}')
    further = {name: value for name, value in part.items() if name != "type" and value is not None}
    if part_type in TEXT_TYPES:
        text = further.pop("refusal" if part_type == "refusal" else "text", None)
        if not isinstance(text, str):
            raise RequestError(f"a part of type {part_type} has no text", hint='write {"type": "text", "text": "…"}')
        return {"type": "text", "text": text}, further
    if part_type in IMAGE_TYPES:
        image = further.pop("image" if part_type == "image" else "image_url", None)
        address = {"url": image} if isinstance(image, str) else image
        if not isinstance(address, dict) or not isinstance(address.get("url"), str):
            hint = 'write {"type": "image_url", "image_url": {"url": "https://… or data:image/png;base64,…"}}'
            raise RequestError(f"a part of type {part_type} has no address", hint=hint)
        address = {name: value for name, value in address.items() if value is not None}
        if "detail" in further:  # As in OpenAI's newer API (responses).
            address["detail"] = further.pop("detail")
        more = {"image_url": address} if len(address) > 1 else {}
        return {"type": "image_url", "image_url": {"url": address["url"]}}, further | more
    return {"type": part_type}, further or {"type": part_type}
