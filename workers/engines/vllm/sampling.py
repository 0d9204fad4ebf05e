"""Our options as the fields of vLLM's `SamplingParams`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...errors import ProviderError, did_you_mean
from ...options import Options

SAME_NAME_OPTIONS = ("temperature", "top_p", "top_k", "seed", "presence_penalty", "frequency_penalty")
# Keys of a `response_format` that is not JSON, e.g. `{"choice": ["yes", "no"]}`; a grammar is EBNF.
STRUCTURES = ("choice", "regex", "grammar")

LORA = "lora"
# Keys of `extra`: vLLM's sampling parameters that change the text of one answer, and an adapter's name.
EXTRA_OPTIONS = frozenset(
    {
        *("allowed_token_ids", "bad_words", "extra_args", "ignore_eos", "include_stop_str_in_output", "logit_bias"),
        *("min_p", "min_tokens", "repetition_penalty", "skip_special_tokens", "spaces_between_special_tokens"),
        *("stop_token_ids", "structured_outputs", "thinking_token_budget", LORA),
    }
)


def sampling_fields(options: Options) -> dict[str, Any]:
    """Return the sampling parameters that a request sets.

    Raises:
        ProviderError: `extra` has a key that is not passed on.
    """
    unknown = sorted(options.extra.keys() - EXTRA_OPTIONS)
    if unknown:
        message = f"vLLM requests have no option {', '.join(unknown)}: {did_you_mean(unknown[0], EXTRA_OPTIONS)}"
        raise ProviderError(message, code="unsupported_option")
    fields = {name: value for name in SAME_NAME_OPTIONS if (value := getattr(options, name)) is not None}
    if options.stop:
        fields["stop"] = list(options.stop)
    if options.response_format is not None:
        fields["structured_outputs"] = structured_output(options.response_format)
    return fields | {name: value for name, value in options.extra.items() if name != LORA}


def structured_output(response_format: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of vLLM's `StructuredOutputsParams`.

    Args:
        response_format: a JSON schema, OpenAI's `response_format` object, or one of `STRUCTURES`.
    """
    format_type = response_format.get("type")
    if format_type == "json_schema" and "json_schema" in response_format:
        return {"json": response_format["json_schema"].get("schema", {})}
    if format_type == "json_object":
        return {"json": response_format["schema"]} if "schema" in response_format else {"json_object": True}
    if len(response_format) == 1 and not response_format.keys().isdisjoint(STRUCTURES):
        return dict(response_format)
    return {"json": dict(response_format)}
