"""How a request is to be answered: the options of `llm_param`, of the command line and of a notebook cell."""

from __future__ import annotations

import json
from functools import cached_property, lru_cache
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from .errors import RequestError, did_you_mean
from .extra_fields import check_encodable, check_extra

# Byzer's names for the same options.
ALIASES = {
    "max_length": "max_tokens",
    "stopping_sequences": "stop",
    "timeout_s": "timeout_seconds",
    "extra_request_params": "extra",
}


def _from_json(value: Any) -> Any:
    """Read a JSON text as the list or object that it holds; Byzer's maps hold nothing but text."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        return json.loads(value)
    return value


def _strings(value: Any) -> Any:
    value = _from_json(value)
    return (value,) if isinstance(value, str) else value


class Options(BaseModel):
    """The options of one request. What is left out is not sent, except for a temperature of 0."""

    model_config = ConfigDict(frozen=True, extra="forbid", ignored_types=(cached_property,))

    temperature: float = Field(0.0, ge=0, le=2, description="0 for the likeliest answer, higher for more varied ones")
    top_p: float | None = Field(
        None, gt=0, le=1, description="sample among the likeliest tokens up to this probability"
    )
    top_k: int | None = Field(None, ge=1, description="sample among this many tokens")
    max_tokens: int | None = Field(None, ge=1, description="maximum number of tokens of an answer")
    stop: Annotated[tuple[str, ...], BeforeValidator(_strings)] = Field((), description="texts that end the answer")
    seed: int | None = Field(None, description="the service's random seed")
    presence_penalty: float | None = Field(
        None, ge=-2, le=2, description="discourage tokens that the text contains already"
    )
    frequency_penalty: float | None = Field(
        None, ge=-2, le=2, description="discourage tokens that the text contains often"
    )
    response_format: Annotated[dict[str, Any] | None, BeforeValidator(_from_json)] = Field(
        None, description="a JSON schema, or the service's own response_format object"
    )
    draw: int = Field(0, description="another number requests a new answer to the same request")
    timeout_seconds: float | None = Field(None, gt=0, description="time limit of one attempt")
    extra: Annotated[dict[str, Any], BeforeValidator(_from_json)] = Field(
        default_factory=dict, description="fields passed to the service or engine as they are"
    )

    @cached_property
    def canonical_json(self) -> str:
        """The options that were set, as JSON with sorted keys: the value that SQL sees."""
        given = self.model_dump(exclude_defaults=True, mode="json")
        return json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def cache_key_json(self) -> str:
        """The options that can change an answer, as JSON with sorted keys: a part of the call store's key."""
        given = self.model_dump(exclude_defaults=True, exclude={"timeout_seconds"}, mode="json")
        return json.dumps(given, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def with_changes(self, **changes: Any) -> Options:
        """Return these options with some changed. `model_copy` would also copy the cached keys of the old ones."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return Options.model_construct(self.model_fields_set | changes.keys(), **(given | changes))

    def __hash__(self) -> int:
        return hash(self.canonical_json)


OPTION_NAMES = frozenset(Options.model_fields)


def read_options(given: dict[str, Any]) -> Options:
    """Return the options for a user's keys and values.

    Byzer's names are understood; `gen.x` and `generation.x` mean x, passed on as it is where x is
    no option of ours.

    Raises:
        RequestError: an unknown key (with the near ones), a value of the wrong type, or one that cannot be sent.
    """
    known: dict[str, Any] = {}
    passed_on: dict[str, Any] = {}
    for key, value in given.items():
        prefix, _, rest = key.partition(".")
        name = rest if prefix in ("gen", "generation") and rest else key
        name = ALIASES.get(name, name)
        if name in OPTION_NAMES:
            known[name] = value
        elif name != key:
            passed_on[name] = value
        else:
            raise RequestError(f"unknown option {key!r}", hint=did_you_mean(key, OPTION_NAMES | ALIASES.keys()))
    try:
        options = Options(**known)
    except (ValidationError, json.JSONDecodeError) as error:
        raise _wrong_value(error) from error
    if passed_on:
        options = options.with_changes(extra={**options.extra, **passed_on})
    check_extra(options.extra)
    check_encodable(options.response_format, "response_format")
    return options


@lru_cache(maxsize=1024)
def options_from_json(text: str | None) -> Options:
    """Return the options of a JSON text, as SQL holds them; None and '' mean no options.

    Raises:
        RequestError: not a JSON object, an unknown key, or a value of the wrong type.
    """
    if not text:
        return Options()
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise RequestError(f"options are not JSON: {text!r}", hint="write {'temperature': 0.2}") from error
    if not isinstance(given, dict):
        raise RequestError(f"options are not a JSON object: {text!r}", hint="write {'temperature': 0.2}")
    return read_options(given)


def _wrong_value(error: ValidationError | json.JSONDecodeError) -> RequestError:
    if isinstance(error, json.JSONDecodeError):
        return RequestError(f"an option is not JSON: {error}", hint="write a list or a STRUCT in its place")
    first = error.errors(include_url=False)[0]
    name = str(first["loc"][0])
    return RequestError(
        f"the option {name} has a wrong value: {first['msg']} (got {first['input']!r})",
        hint=f"{name}: {Options.model_fields[name].description}",
    )
