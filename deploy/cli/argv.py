"""Command-line arguments: Byzer's spelling, several parameters behind one flag, and typed values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ...workers.errors import RequestError

PARAMETER = re.compile(r"[A-Za-z_][\w.]*=")
PARAMETER_FLAGS = ("--infer-params", "-p", "--option", "-o")
FLAG = re.compile(r"-{1,2}[A-Za-z][\w-]*(=|$)")
VALUE_TYPES = (bool, int, float, list, dict)


def normalize_argv(argv: Sequence[str]) -> list[str]:
    """Return the arguments with hyphens in the flags' names, and with a flag before each parameter.

    Byzer writes `--infer_params a=1 b=2`; typer reads `--infer-params a=1 --infer-params b=2`.
    """
    end = argv.index("--") if "--" in argv else len(argv)
    return [*_normalize(argv[:end]), *argv[end:]]


def _normalize(argv: Iterable[str]) -> Iterator[str]:
    flag, follows_flag = "", False
    for argument in argv:
        if FLAG.match(argument):
            argument = _with_hyphens(argument)
            flag, follows_flag = (argument if argument in PARAMETER_FLAGS else ""), True
        elif flag and PARAMETER.match(argument):
            if not follows_flag:
                yield flag
            follows_flag = False
        yield argument


def _with_hyphens(flag: str) -> str:
    name, equals, value = flag.partition("=")
    return name.replace("_", "-") + equals + value


def parse_params(arguments: Iterable[str]) -> dict[str, Any]:
    """Return the parameters of `key=value` arguments; a value is a number, true, false, null, a list or a text.

    Raises:
        RequestError: an argument without `=`, or an API key without a value.
    """
    return dict(_parse_param(argument) for argument in arguments)


def _parse_param(argument: str) -> tuple[str, Any]:
    from ...workers.secret_refs import is_secret

    key, equals, text = argument.partition("=")
    if not equals:
        raise RequestError(f"a parameter has no value: {key!r}", hint="write key=value, e.g. saas.model=qwen-max")
    if is_secret(key):
        if not text:
            hint = f"is the shell's variable set? Or write {key}=env:NAME: NAME is then read where the model runs"
            raise RequestError(f"{key} has no value", hint=hint)
        value = _parse_value(text)
        return key, value if isinstance(value, dict) else text
    return key, _parse_value(text)


def _parse_value(text: str) -> Any:
    import yaml

    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    if value is None and text in ("null", "~"):
        return None
    return value if isinstance(value, VALUE_TYPES) else text


def secret_value(argument: str) -> str | None:
    """Return the API key in an argument like `saas.api_key=…`; None: there is none, or only a reference to it."""
    names, equals, value = argument.partition("=")
    if not equals:
        return None
    from ...workers.secret_refs import holds_secret, is_secret

    while equals:
        key = names.removeprefix("-p").lstrip("-")
        if is_secret(key):
            return value if value.strip() and not value.startswith(("env:", "file:")) else None
        if holds_secret(key, _parse_value(value)):
            return value
        names, equals, value = value.partition("=")
    return None


def without_secrets(text: str, argv: Iterable[str]) -> str:
    """Return the text with the API keys of the command line hidden."""
    from ...workers.secret_refs import HIDDEN

    for argument in argv:
        if secret := secret_value(argument):
            text = text.replace(secret, HIDDEN)
    return text
