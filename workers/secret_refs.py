"""Secrets are references: `env:NAME` is read on the worker, and no secret is ever printed, stored or sent elsewhere."""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import getproxies

from pydantic import BaseModel, SecretStr

from .errors import QuackLLMError, SetupError

HIDDEN = "(hidden)"
REFERENCES = ("env:", "file:")
SECRET_SETTINGS = frozenset({"api_key", "token", "hf_token", "password", "secret", "headers", "query"})
"""Settings that hold a secret, or secrets by name."""
SECRET_NAME = re.compile(
    r"(^|[._-])(api[._-]?key|key|secret|password|passwd|pwd|credentials?|authori[sz]ation|auth|cookie|signature|sign)$"
    r"|(^|[._-])(access|auth|api|bearer|refresh|session|user|hf|security|id)[._-]?token$|^token$|(?i:apikey|secretkey)$",
    re.IGNORECASE,
)
"""Names of body fields and of parameters of an address that hold a secret."""
TOKEN_LIKE = re.compile(r"(?=.*[A-Za-z])(?=.*[0-9])[^\s]{16,}")
DEFAULT_PORTS = {"http": 80, "https": 443}
SHORT = 6
"""A secret of fewer characters is hidden where it stands as a word of its own."""
KEY_LENGTH = 12
"""A secret of fewer characters stays in an answer: it may be a word of it, as is the key `EMPTY` of a local server."""


def resolve_secret(secret: SecretStr, purpose: str) -> str:
    """Return the secret that a reference names: `env:NAME`, `file:PATH`, or the text itself.

    Args:
        secret: the reference.
        purpose: what it opens, for the error: e.g. 'the API key of saas/qianwen'.

    Raises:
        SetupError: the variable or the file is not there, or is empty.
    """
    scheme, _, name = secret.get_secret_value().partition(":")
    if scheme == "env":
        value = os.environ.get(name, "").strip()
        where = f"the environment variable {name} is not set where the model runs"
        hint = f"type: export {name}=…   (then start quackllm again)"
    elif scheme == "file":
        value = _read(Path(name).expanduser())
        where, hint = f"the file {name} is not there, or empty", "deploy the model again with its key"
    else:
        return secret.get_secret_value()
    if not value:
        raise SetupError(f"{purpose} is missing: {where}", hint=hint)
    return value


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8").strip()
    except (OSError, ValueError):
        return ""


def resolve_all(value: Any, purpose: str) -> Any:
    """Return a value with every secret in it, however deep, as its text.

    Raises:
        SetupError: one of them is not there.
    """
    return map_secrets(value, lambda name, secret: resolve_secret(secret, f"{purpose}{name}"))


def is_secret(key: str) -> bool:
    """Whether the parameter of that name holds a secret, or secrets by name."""
    return key.rpartition(".")[2] in SECRET_SETTINGS


def hide(key: str, value: Any) -> Any:
    """Return a parameter with everything in it that is a secret as one: by its name, or because it is a reference."""
    name = key.rpartition(".")[2]
    if name in SECRET_SETTINGS:
        return _hidden(value, lambda _, __: True)
    if name == "proxy" and isinstance(value, str):
        return SecretStr(value) if has_password(value) or _is_reference(value) else value
    if name == "extra":
        return _hidden(value, _is_secret_field)
    return value


def holds_secret(key: str, value: Any) -> bool:
    """Whether a parameter holds a key itself, as its value, somewhere in it, or in an address."""
    secrets: list[str] = []
    map_secrets(hide(key, value), lambda _, secret: secrets.append(redact(secret)))
    is_address = isinstance(value, str) and key.rpartition(".")[2] in ("base_url", "proxy")
    return HIDDEN in secrets or (is_address and bool(secrets_in_address(value)))


def _is_secret_field(name: str, text: str) -> bool:
    """Whether a field of a body holds a secret: by its name, as a reference, or as a token that looks like one."""
    is_token = name.lower().endswith("token") and bool(TOKEN_LIKE.fullmatch(text))  # No eos_token: "</s>".
    return is_token or bool(SECRET_NAME.search(name)) or _is_reference(text)


def _is_reference(text: str) -> bool:
    return text.startswith(REFERENCES)


def _hidden(value: Any, is_one: Callable[[str, str], bool], field: str = "") -> Any:
    if isinstance(value, Mapping):
        return {name: _hidden(inner, is_one, str(name)) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_hidden(inner, is_one, field) for inner in value]
    return SecretStr(value) if isinstance(value, str) and is_one(field, value) else value


def map_secrets(value: Any, replace: Callable[[str, SecretStr], Any], name: str = "") -> Any:
    """Return a value with `replace(name, secret)` in place of each secret in it; inner names follow a dot."""
    if isinstance(value, SecretStr):
        return replace(name, value)
    if isinstance(value, Mapping):
        return {key: map_secrets(inner, replace, f"{name}.{key}" if name else str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [map_secrets(inner, replace, f"{name}.{index}") for index, inner in enumerate(value)]
    return value


def redact(secret: SecretStr) -> str:
    """Return what may be shown of a secret: a reference as it is, a key itself never."""
    text = secret.get_secret_value()
    return text if _is_reference(text) else HIDDEN


def has_password(address: str) -> bool:
    """Whether an address holds a password."""
    return "@" in address.partition("//")[2].partition("/")[0]


def secrets_in_address(address: str) -> list[str]:
    """Return the secrets that an address holds: its user and password, and the keys among its parameters."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return []
    found = [value for name, value in parse_qsl(parts.query) if _is_secret_parameter(name, value)]
    if parts.username is not None:
        password = parts.password or parts.username
        found += [password, unquote(password), basic_auth(parts).removeprefix("Basic ")]
    return [secret for secret in found if secret]


def _is_secret_parameter(name: str, value: str) -> bool:
    return bool(SECRET_NAME.search(name) or TOKEN_LIKE.fullmatch(value))


def with_bare_address(params: dict[str, Any]) -> dict[str, Any]:
    """Return a service's parameters with the secrets in its address moved to its headers and its query."""
    for key in ("saas.base_url", "base_url"):
        address = params.get(key)
        if isinstance(address, str) and secrets_in_address(address):
            return _moved(params, key.removesuffix("base_url"), urlsplit(address))
    return params


def _moved(params: dict[str, Any], prefix: str, parts: SplitResult) -> dict[str, Any]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    secret = {name: value for name, value in pairs if _is_secret_parameter(name, value)}
    rest = urlencode([(name, value) for name, value in pairs if name not in secret])
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=rest)
    more: dict[str, Any] = {f"{prefix}base_url": urlunsplit(bare)}
    if secret:
        more[f"{prefix}query"] = {**secret, **params.get(f"{prefix}query", {})}
    if parts.username is not None:
        more[f"{prefix}headers"] = {"Authorization": basic_auth(parts), **params.get(f"{prefix}headers", {})}
    return {**params, **more}


def basic_auth(parts: SplitResult) -> str:
    """Return the Authorization that an address's user and password stand for. Source: RFC 7617."""
    plain = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(plain.encode()).decode()}"


def url_origin(address: str) -> str | None:
    """Return `scheme://host:port` of an address; None where it has none."""
    try:
        parts = urlsplit(address)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    return f"{parts.scheme}://{host}:{port}" if host and port else None


class Redactor:
    """Hides secrets wherever they stand in a text.

    Args:
        secrets: what to hide; empty ones are left out.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        patterns = [_pattern(form) for form in sorted(forms, key=len, reverse=True)]
        self._pattern = re.compile("|".join(patterns), re.IGNORECASE)
        self._forms = [form.casefold() for form in forms]
        self._first_letters = {form[0] for form in self._forms}
        self._longest = max(map(len, self._forms), default=0)

    def text(self, text: str) -> str:
        """Return the text with every secret hidden."""
        return self._pattern.sub(HIDDEN, text) if self.finds(text) else text

    def finds(self, text: str) -> bool:
        """Whether the text holds a secret."""
        folded = text.casefold() if self._forms else ""
        return any(form in folded for form in self._forms) and bool(self._pattern.search(text))

    def find_partial(self, text: str) -> int:
        """Return where a secret begins of which the text ends with a part; the text's length where there is none."""
        for start in range(max(0, len(text) - self._longest), len(text)):
            if text[start].casefold()[0] in self._first_letters:
                tail = text[start:].casefold()
                if any(form.startswith(tail) for form in self._forms):
                    return start
        return len(text)

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Hide the secrets in an error of ours that passes, and leave out its cause where that would show one."""
        try:
            yield
        except QuackLLMError as error:
            self.clean(error)
            raise

    def clean(self, error: QuackLLMError) -> None:
        """Hide the secrets in an error, its fields and its causes."""
        for name, value in vars(error).items():
            if isinstance(value, str):
                setattr(error, name, self.text(value))
        error.args = tuple(self.text(part) if isinstance(part, str) else part for part in error.args)
        if any(self.finds(f"{link} {link!r}") for link in _links(error)):
            error.__cause__ = error.__context__ = None


class ChunkRedactor:
    """Hides secrets in a text that arrives in chunks, also a secret that is split between chunks.

    Args:
        redactor: hides them in a whole text.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Return the text so far that holds no beginning of a secret; the rest waits for the next chunk."""
        text = self._redactor.text(self._held + chunk)
        end = self._redactor.find_partial(text)
        self._held = text[end:]
        return text[:end]

    def whole(self, text: str) -> str:
        """Return the last text with what was held back; of a key that was cut off, no more than a word is shown."""
        shown, held = self.feed(text), self._held
        self._held = ""
        return shown + (held if len(held) < KEY_LENGTH else HIDDEN)


def _links(error: BaseException) -> Iterator[BaseException]:
    seen = {id(error)}
    link = error.__cause__ or error.__context__
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it may be written: itself, in an address, in JSON, in HTML, in base64.

    A header's scheme is no part of it; the user and password of `Basic …` are.
    """
    texts = {secret, secret.strip(), *(word for word in secret.split() if len(word) >= 2 * SHORT)}
    for text in filter(None, {*texts, *_user_and_password(secret)}):
        base64_text = base64.b64encode(text.encode("utf-8", "replace")).decode().rstrip("=")
        yield from (text, quote(text, safe=""), json.dumps(text)[1:-1], repr(text)[1:-1], html.escape(text))
        yield from (base64_text, base64_text.replace("+", "-").replace("/", "_"))


def _user_and_password(header: str) -> list[str]:
    """Return the pair and the password that an Authorization of the scheme Basic holds. Source: RFC 7617."""
    scheme, _, pair = header.strip().partition(" ")
    if scheme.lower() != "basic":
        return []
    with suppress(ValueError):
        plain = base64.b64decode(pair).decode()
        return [plain, plain.partition(":")[2]]
    return []


def _pattern(form: str) -> str:
    return re.escape(form) if len(form) >= SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"


def secrets_of_settings(settings: BaseModel) -> list[str]:
    """Return what no error about a model may show: its secrets that can be read here, and what looks like one."""
    fields = settings.model_dump()
    found = [text for _, _, text in _readable_secrets(fields)]
    addresses = [fields.get("base_url"), *found, *getproxies().values()]
    found += [text for address in addresses if isinstance(address, str) for text in secrets_in_address(address)]
    return found + _token_like(fields.get("extra"))


def keys_of_settings(settings: BaseModel) -> list[str]:
    """Return what no answer of a model may show: its secrets that are no word of any answer.

    Headers and parameters are secrets, but an answer may speak of their values: a version, the address of a site.
    They count where their name says that they hold a key, or where they are given as a reference.
    """
    found = []
    for name, secret, text in _readable_secrets(settings.model_dump()):
        parent, _, field = name.rpartition(".")
        if not parent or _is_secret_field(field, secret.get_secret_value()):
            found += [text, *secrets_in_address(text)]
    return [text for text in found if len(text) >= KEY_LENGTH]


def _readable_secrets(fields: Mapping[str, Any]) -> list[tuple[str, SecretStr, str]]:
    """Return the name, the reference and the text of each secret that can be read here."""
    found: list[tuple[str, SecretStr, str]] = []

    def note(name: str, secret: SecretStr) -> None:
        with suppress(SetupError):  # It is not there, so that nothing can show it.
            found.append((name, secret, resolve_secret(secret, "")))

    map_secrets(fields, note)
    return found


def _token_like(value: Any) -> list[str]:
    """Return the texts in a value that look like keys though nothing says so."""
    if isinstance(value, Mapping):
        return [text for inner in value.values() for text in _token_like(inner)]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _token_like(inner)]
    return [value] if isinstance(value, str) and TOKEN_LIKE.fullmatch(value) else []
