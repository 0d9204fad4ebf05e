"""The page of the interface: in two languages, and nothing of it is loaded from elsewhere."""

from __future__ import annotations

import re
import unicodedata
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from quackllm.deploy.gateway.app import create_app
from quackllm.deploy.gateway.docs_pages import in_chinese
from quackllm.deploy.gateway.settings import GatewaySettings


def read(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=20) as reply:
        content: bytes = reply.read()
        return content


def words(node: Any, name: str = "") -> Iterator[str]:
    """Yield what a reader of the OpenAPI document sees in words."""
    if isinstance(node, dict):
        for inner, value in node.items():
            yield from words(value, inner)
    elif isinstance(node, list):
        for value in node:
            yield from words(value, name)
    elif name in ("summary", "description") and isinstance(node, str):
        yield node


@pytest.mark.parametrize("page", ["/docs", "/docs/zh"])
def test_a_page_needs_nothing_from_elsewhere(gateway: str, page: str) -> None:
    html = read(gateway + page).decode()
    assert not re.findall(r"(?:src|href)=\"(?:https?:)?//[^\"]*", html)
    for address in re.findall(r"(?:src|href)=\"(/[^\"]+)", html):
        assert len(read(gateway + address)) > 1000
    assert re.search(r"url: '(/openapi\S*\.json)'", html)


def test_every_word_of_the_interface_is_translated() -> None:
    document = create_app(GatewaySettings()).openapi()
    plain = [
        text
        for text in words(in_chinese(document))
        if not any(unicodedata.name(letter, "").startswith("CJK") for letter in text)
    ]
    assert not plain
    assert in_chinese(document)["paths"].keys() == document["paths"].keys()
