"""The words of the OpenAPI page in Chinese, by the English ones; a test asks that none is missing."""

from __future__ import annotations

CHINESE: dict[str, str] = {}
