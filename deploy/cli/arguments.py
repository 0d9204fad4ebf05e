"""The words of a command line: Byzer's spellings, several parameters behind one flag, and typed values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...workers.errors import RequestError

PARAMETER = re.compile(r"[A-Za-z_][\w.]*=")
PARAMETER_FLAGS = ("--infer-params", "-p", "--option", "-o")
FLAG = re.compile(r"-{1,2}[A-Za-z][\w-]*(=|$)")
TYPED = (bool, int, float, list, dict)


def normalize_argv(words: Sequence[str]) -> list[str]:
    """Return the words with hyphens in the flags' names, and with a flag of its own before each parameter.

    Byzer writes `--infer_params a=1 b=2`; typer reads `--infer-params a=1 --infer-params b=2`.
    """
    end = words.index("--") if "--" in words else len(words)
    return [*_plain(words[:end]), *words[end:]]


def _plain(words: Iterable[str]) -> Iterator[str]:
    flag, fresh = "", False
    for word in words:
        if FLAG.match(word):
            word = _with_hyphens(word)
            flag, fresh = (word if word in PARAMETER_FLAGS else ""), True
        elif flag and PARAMETER.match(word):
            if not fresh:
                yield flag
            fresh = False
        yield word


def _with_hyphens(word: str) -> str:
    name, equals, value = word.partition("=")
    return name.replace("_", "-") + equals + value


def parse_params(words: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `key=value` words; a value is a number, true, false, null, a list or a text.

    Raises:
        RequestError: a word without `=`, or a key of a service without a value.
    """
    return dict(_param(word) for word in words)


def _param(word: str) -> tuple[str, Any]:
    from ...workers.secret_refs import is_secret

    key, equals, text = word.partition("=")
    if not equals:
        raise RequestError(f"a parameter has no value: {key!r}", hint="write key=value, e.g. saas.model=qwen-max")
    if is_secret(key):
        if not text:
            hint = f"is the shell's variable set? Or write {key}=env:NAME: NAME is then read where the model runs"
            raise RequestError(f"{key} has no value", hint=hint)
        value = _typed(text)
        return key, value if isinstance(value, dict) else text
    return key, _typed(text)


def _typed(text: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if value is None and text in ("null", "~"):
        return None
    return value if isinstance(value, TYPED) else text


def secret_value(word: str) -> str | None:
    """Return the key itself that a word like `saas.api_key=…` gives; None where it gives none, or a reference."""
    names, equals, value = word.partition("=")
    if not equals:
        return None
    from ...workers.secret_refs import holds_secret, is_secret

    while equals:
        key = names.removeprefix("-p").lstrip("-")
        if is_secret(key):
            return value if value.strip() and not value.startswith(("env:", "file:")) else None
        if holds_secret(key, _typed(value)):
            return value
        names, equals, value = value.partition("=")
    return None


def without_secrets(text: str, words: Iterable[str]) -> str:
    """Return the text with the keys that stand among the words of the command line hidden."""
    from ...workers.secret_refs import HIDDEN

    for word in words:
        if secret := secret_value(word):
            text = text.replace(secret, HIDDEN)
    return text
