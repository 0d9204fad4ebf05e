"""The call store's key: a hash of all that decides an answer."""

from __future__ import annotations

import json
from functools import lru_cache
from hashlib import blake2b
from json.encoder import encode_basestring as as_json_text
from typing import Any, TypeAlias

from ...workers.messages import Request

Key: TypeAlias = bytes
KEY_BYTES = 20
KEY_VERSION = 1
"""Which way to compute a key this is. Version 1 is that of the first stores, and mixes no version in; a way that hashes
anything else has the next number, and mixes it in, so that no answer is ever found under another version's key."""

AS_JSON = json.JSONEncoder(ensure_ascii=False).encode
"""As `json.dumps`, which would make an encoder for each text."""
PERSON = b"" if KEY_VERSION == 1 else b"key version %d" % KEY_VERSION


def request_key(identity: str, request: Request) -> Key:
    """Return the hash of the model's identity, the messages and the options, as 20 bytes."""
    first, options = request.messages[0], request.options.cache_key_json
    if len(request.messages) == 1 and not first.images and not first.extra:
        # Nearly all requests of a table, so only what differs between its rows is hashed for each of them.
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
