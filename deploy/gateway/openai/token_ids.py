"""Texts that arrive as token ids: LangChain's OpenAIEmbeddings sends those of OpenAI's encoding by default.

Source of the encoding: https://github.com/openai/tiktoken (cl100k_base, the encoding of text-embedding-3 and of every
model name that tiktoken does not know, as LangChain reads it).
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ....workers.errors import RequestError

if TYPE_CHECKING:
    from tiktoken import Encoding

ENCODING = "cl100k_base"
ENCODING_URL = "https://openaipublic.blob.core.windows.net/encodings/cl100k_base.tiktoken"
HINT = (
    "send texts; LangChain: OpenAIEmbeddings(…, check_embedding_ctx_length=False); or type once on the gateway's "
    f"machine: pip install tiktoken; python -c \"import tiktoken; tiktoken.get_encoding('{ENCODING}')\""
)


def text_from_token_ids(token_ids: Sequence[int]) -> str:
    """Return the text that token ids of OpenAI's encoding stand for.

    Raises:
        RequestError: the encoding is not on this machine, or an id is none of its tokens.
    """
    if not _encoding_file().is_file():  # tiktoken would load it from the network, while the request waits.
        raise RequestError("token ids cannot be decoded here", hint=HINT)
    try:
        return _encoding().decode(list(token_ids))
    except ImportError as error:
        raise RequestError("token ids cannot be decoded here", hint=HINT) from error
    except (KeyError, OverflowError, TypeError) as error:
        raise RequestError(f"not every number is a token of {ENCODING}", hint=HINT) from error


@lru_cache(maxsize=1)
def _encoding() -> Encoding:
    import tiktoken  # Not a requirement: only those whose clients send token ids need it.

    return tiktoken.get_encoding(ENCODING)


def _encoding_file() -> Path:
    """Return where tiktoken keeps the encoding once it has loaded it."""
    named = os.environ.get("TIKTOKEN_CACHE_DIR") or os.environ.get("DATA_GYM_CACHE_DIR")
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "data-gym-cache"
    return folder / hashlib.sha1(ENCODING_URL.encode(), usedforsecurity=False).hexdigest()
