"""What the option `extra` may contain: a service's fields, except those that decide the model, the count and the cost.

A key, a price and a budget speak of a model, of calls and of tokens. A field of `extra` overrides the one of that name
in the body that is sent, so that `extra: {"model": "dear"}` would ask another model than the one that is paid for.
"""

from __future__ import annotations

import json
from typing import Any

from .errors import RequestError

MAX_DEPTH = 100
"""Lists and objects inside each other. Some parsers and writers of JSON fail from a few hundred on."""

_MODEL = "name the model in its own place, and deploy it if it is another one"
_MESSAGES = "write it among the messages"
_COUNT = "the options `draw` and, over HTTP, `n` ask for several answers"
_TOKENS = "write the option max_tokens"
_TOOLS = "write tools and tool_choice, which are their newer names"
_FLAT = "write the fields that it holds one by one"
_STREAM = "how an answer is read is not the service's to say"
_ACCOUNT = "whoever deploys the model says it there: saas.extra"
_REQUEST = "whoever deploys the model says where and how its service is reached"

RESERVED_FIELDS: dict[str, str] = {
    **dict.fromkeys(("model", "models", "model_name", "model_id", "engine", "deployment", "deployment_id"), _MODEL),
    **dict.fromkeys(("fallback", "fallbacks", "route", "provider", "preset"), _MODEL),
    **dict.fromkeys(("messages", "prompt", "input", "inputs", "contents", "system", "instructions"), _MESSAGES),
    **dict.fromkeys(("system_instruction", "conversation", "previous_response_id"), _MESSAGES),
    **dict.fromkeys(("n", "best_of", "candidate_count", "num_return_sequences", "num_completions"), _COUNT),
    **dict.fromkeys(("max_tokens", "max_completion_tokens", "max_output_tokens", "max_new_tokens"), _TOKENS),
    **dict.fromkeys(("max_length", "max_gen_len", "max_tokens_to_sample", "n_predict", "num_predict"), _TOKENS),
    **dict.fromkeys(("generation_config", "options", "parameters", "extra", "extra_body"), _FLAT),
    **dict.fromkeys(("stream", "stream_options", "incremental_output", "result_format", "background"), _STREAM),
    **dict.fromkeys(
        ("user", "user_id", "end_user", "safety_identifier", "metadata", "store", "service_tier"), _ACCOUNT
    ),
    **dict.fromkeys(("functions", "function_call"), _TOOLS),
    # Arguments of the vendors' clients, through which a body's fields pass on their way.
    **dict.fromkeys(
        ("api_key", "api_base", "base_url", "base_address", "api_version", "workspace", "session"), _REQUEST
    ),
    **dict.fromkeys(
        ("headers", "extra_headers", "extra_query", "extra_url_parameters", "user_agent", "query"), _REQUEST
    ),
    **dict.fromkeys(("timeout", "request_timeout", "api_protocol", "http_method", "ws_stream_mode", "form"), _REQUEST),
    **dict.fromkeys(("task", "task_id", "task_group", "function", "pre_task_id", "is_service", "resources"), _REQUEST),
    **dict.fromkeys(("is_binary_input", "async_request", "flattened_output", "enable_encryption"), _REQUEST),
    **dict.fromkeys(("sdk_module", "proxy", "mock_response"), _REQUEST),
}
"""Names that are not passed on, with what to do in their place."""


def normalize_field(name: str) -> str:
    """Return a field's name as the most lenient service reads it.

    Go's `encoding/json` finds a field whatever its letters' case, Unicode's folding included; protobuf's JSON form
    takes `maxTokens` for `max_tokens`.
    """
    return name.casefold().replace("_", "").replace("-", "")


_RESERVED = {normalize_field(name): (name, hint) for name, hint in RESERVED_FIELDS.items()}


def check_extra(extra: dict[str, Any]) -> None:
    """Refuse fields that are not passed on, and values that no service could be sent.

    Args:
        extra: the fields, by name.

    Raises:
        RequestError: a name is reserved, or a value is none that JSON has.
    """
    for name in extra:
        if found := _RESERVED.get(normalize_field(name)):
            raise RequestError(f"the field {name!r} cannot be sent to a service", hint=found[1])
    check_encodable(extra, "extra")


def check_encodable(value: Any, name: str) -> None:
    """Refuse what cannot be written as JSON: a request that holds it could never be sent.

    Args:
        value: what `json.loads` may return.
        name: what to call it in the error.

    Raises:
        RequestError: NaN, Infinity, half of a surrogate pair, or more than `MAX_DEPTH` levels.
    """
    check_depth(value, name)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise RequestError(f"{name} contains half of a surrogate pair, which is not valid text") from error
    except (ValueError, TypeError) as error:
        raise RequestError(
            f"{name} cannot be written as JSON: {error}", hint="NaN and Infinity are not JSON"
        ) from error


def check_depth(value: Any, name: str) -> None:
    """Refuse lists and objects that stand too deep inside each other.

    Args:
        value: what `json.loads` may return.
        name: what to call it in the error.

    Raises:
        RequestError: there are more than `MAX_DEPTH` levels.
    """
    level = [value]
    for _ in range(MAX_DEPTH):
        inside = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        if not (level := [value for values in inside for value in values if isinstance(value, dict | list)]):
            return
    raise RequestError(f"{name} has more than {MAX_DEPTH} levels")
