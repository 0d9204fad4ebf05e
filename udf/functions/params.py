"""Read the keys of `llm_param`: the new message, the earlier messages, and the options."""

from __future__ import annotations

import json
from typing import Any, get_args

from ...workers.errors import RequestError, did_you_mean
from ...workers.messages import Message, Request, Role
from ...workers.options import ALIASES, OPTION_NAMES, Options, read_options

INSTRUCTION = ("instruction", "query", "prompt")
SYSTEM = ("system", "system_msg")
IMAGES = ("images", "image")
PASSTHROUGH_PREFIXES = ("gen", "generation")
TURN_KEYS = (*INSTRUCTION, *SYSTEM, *IMAGES, "history")
DESCRIPTIONS = {
    "system": "the system message",
    "image": "an image's URL or data: URL that belongs to the turn; a JSON list of several",
    "history": "the turns before, as JSON",
}


def param_descriptions() -> dict[str, str]:
    """Return the keys of `llm_param` with their meaning, except the instruction and the aliases."""
    return DESCRIPTIONS | {name: field.description or "" for name, field in Options.model_fields.items()}


def param_aliases() -> dict[str, str]:
    """Return the aliases of keys, including Byzer's, with the key that each one means."""
    return {"system_msg": "system", "images": "image", **ALIASES}


def read_params(given: dict[str, Any], *, typed: bool = True) -> Request | None:
    """Return the request that a STRUCT or MAP describes; None if the instruction is NULL.

    Args:
        given: the keys. `history` is a list of `{role, content}` or a JSON text of such a list. A key whose value is
            NULL is ignored.
        typed: False for a MAP, whose values are all texts: a value of a `gen.` key is then read as JSON if it is JSON.

    Raises:
        RequestError: an unknown key (the error suggests similar ones), a value of the wrong type, or no instruction.
    """
    if not any(key in given for key in INSTRUCTION):
        raise RequestError("llm_param has no instruction", hint="write llm_param({'instruction': 'your prompt'})")
    params = {key: value for key, value in given.items() if value is not None}
    instruction = _first(params, INSTRUCTION)
    if instruction is None:
        return None
    _refuse_unknown(params)
    options = read_options(
        {key: value if typed else _untyped(key, value) for key, value in params.items() if key not in TURN_KEYS}
    )
    turn = Message("user", _text("instruction", instruction), _images(_first(params, IMAGES)))
    return Request(build_messages(_history(params.get("history")), turn, _first(params, SYSTEM)), options)


def continue_conversation(earlier: tuple[Message, ...], request: Request) -> Request:
    """Return the request with the earlier messages before its own; the options are those of the request."""
    turns = [message for message in request.messages if message.role != "system"]
    return Request(build_messages((*earlier, *turns[:-1]), turns[-1], request.system), request.options)


def build_messages(
    history: tuple[Message, ...], turn: Message | None, system: str | None = None
) -> tuple[Message, ...]:
    """Return the history, then the new message. `system` replaces an earlier system message, which comes first."""
    earlier = [message.content for message in history if message.role == "system"]
    system = system if system is not None else next(iter(earlier[-1:]), None)
    spoken = [message for message in history if message.role != "system"]
    first = [Message("system", system)] if system else []
    return (*first, *spoken, *([turn] if turn else []))


def _untyped(key: str, text: Any) -> Any:
    """Convert a MAP's text for a service's own option, whose type is unknown: 'true' becomes true."""
    if key.partition(".")[0] not in PASSTHROUGH_PREFIXES:
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def _first(params: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((params[key] for key in keys if key in params), None)


def _refuse_unknown(params: dict[str, Any]) -> None:
    everything = OPTION_NAMES | ALIASES.keys() | set(TURN_KEYS)
    for key in params:
        if key not in everything and key.partition(".")[0] not in PASSTHROUGH_PREFIXES:
            raise RequestError(f"llm_param has no key {key!r}", hint=did_you_mean(key, everything))


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise RequestError(
            f"llm_param: {key} is a text, not {type(value).__name__}", hint=f"write CAST(… AS VARCHAR) as {key}"
        )
    return value


def _images(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    if isinstance(value, str) and value.startswith("["):
        value = _json("images", value)
    values = [value] if isinstance(value, str) else value
    return tuple(_text("image", image) for image in values)


def _history(value: Any) -> tuple[Message, ...]:
    turns = _json("history", value) if isinstance(value, str) else value
    if turns is None:
        return ()
    if not isinstance(turns, list):
        raise RequestError("llm_param: history is a list of turns", hint="write [{'role': 'user', 'content': '…'}]")
    return tuple(_turn(turn) for turn in turns)


def _turn(turn: Any) -> Message:
    roles = get_args(Role)
    if not isinstance(turn, dict) or turn.get("role") not in roles or not isinstance(turn.get("content"), str):
        raise RequestError(
            f"llm_param: history holds a turn that cannot be read: {turn!r:.200}",
            hint=f"a turn is {{'role': one of {', '.join(roles)}, 'content': a text}}",
        )
    return Message(turn["role"], turn["content"], tuple(turn.get("images") or ()))


def _json(key: str, text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError as error:
        raise RequestError(f"llm_param: {key} is not JSON: {error}", hint="write a list of STRUCTs instead") from error
