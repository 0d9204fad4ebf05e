"""The call store's key: a hash of everything that determines an answer."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring as as_json_text
from typing import Any, TypeAlias

from ...workers.messages import Request

Key: TypeAlias = bytes
KEY_BYTES = 20
# Version of the formula. Version 1 is the formula of the first stores; its hash does not contain the version. A formula
# that hashes anything else needs the next number; its hash contains it, so keys of two versions are never equal.
KEY_VERSION = 1

# Like `json.dumps`, which would create an encoder for each text.
AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
PERSON = b"" if KEY_VERSION == 1 else b"key version %d" % KEY_VERSION


def request_key(identity: str, request: Request) -> Key:
    """Return the hash of the model's identity, the messages and the options, as 20 bytes."""
    first, options = request.messages[0], request.options.cache_key_json
    if len(request.messages) == 1 and not first.images and not first.extra:
        # Nearly all requests of a table are like this, so hash for each row only what differs between rows.
        hashed = _begun(identity, request.kind, first.role).copy()
        hashed.update(_bytes(as_json_text(first.content) + _ending(options)))
        return hashed.digest()
    messages: list[list[Any]] = [[each.role, each.content, *each.images] for each in request.messages]
    if any(each.extra for each in request.messages):
        messages.append([each.extra for each in request.messages])
    return _hash(AS_JSON([identity, request.kind, messages, options])).digest()


@lru_cache(maxsize=64)
def _begun(identity: str, kind: str, role: str) -> blake2b:
    return _hash(f"[{as_json_text(identity)}, {as_json_text(kind)}, [[{as_json_text(role)}, ")


@lru_cache(maxsize=1024)
def _ending(options: str) -> str:
    return f"]], {as_json_text(options)}]"


def _hash(text: str) -> blake2b:
    return blake2b(_bytes(text), digest_size=KEY_BYTES, person=PERSON)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
