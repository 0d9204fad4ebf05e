"""Examples for training: conversations, read from the formats in common use.

Each row's form is recognised by its keys:

- messages: `{"messages": [{"role": …, "content": …}, …]}`
- ShareGPT: `{"conversations": [{"from": "human", "value": …}, …], "system": …}`
- Alpaca: `{"instruction": …, "input": …, "output": …, "history": [[question, answer], …], "system": …}`
- Moss: `{"chat": {"turn_1": {"Human": …, "MOSS": …}}, "meta_instruction": …}`, or `{"conversation": [{…}, …]}`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ...errors import TrainingError
from ...messages import Message, Role
from .data_files import BadRow, Row, read_data_rows

ROLES: Mapping[str, Role] = {
    **{"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"},
    **{"bot": "assistant", "chatgpt": "assistant", "moss": "assistant", "model": "assistant"},
}
MOSS_MARKS = re.compile(r"^\s*<\|(Human|MOSS|Inner Thoughts|Commands|Results)\|>:\s*|\s*<eo[a-z]>\s*$")
FORMATS_HINT = "a row has the keys messages, conversations (ShareGPT), instruction and output (Alpaca), or chat (Moss)"
MAX_SHOWN = 5  # Bad rows that are named in a message.

Messages = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class TrainingExample:
    """A conversation that ends with an answer, and the line it came from."""

    line: int
    messages: Messages


@dataclass(frozen=True, slots=True)
class TrainingExamples:
    """What can be learnt from, and the rows that cannot."""

    rows: list[TrainingExample]
    bad: list[BadRow]


class BadRowError(ValueError):
    """A row is no example; the message says why."""


def read_examples(file: str | None, *, query: str | None = None, database: str | None = None) -> TrainingExamples:
    """Return the conversations of a file, or of a DuckDB query.

    Args:
        file: JSON, JSON lines or Parquet; None: a query is given.
        query: a DuckDB SELECT whose rows are the examples.
        database: the DuckDB file that it reads; None: an empty one.

    Raises:
        TrainingError: the file cannot be read, or holds no example; the first bad rows are named.
    """
    return make_examples(read_data_rows(file, query, database), file or "the query")


def make_examples(rows: Iterable[Row | BadRow], source: str) -> TrainingExamples:
    """Return the conversations of these rows.

    Raises:
        TrainingError: there is none; the first bad rows are named.
    """
    examples = TrainingExamples([], [])
    for row in rows:
        if isinstance(row, BadRow):
            examples.bad.append(row)
            continue
        line, fields = row
        try:
            examples.rows.append(TrainingExample(line, parse_conversation(fields)))
        except BadRowError as error:
            examples.bad.append(BadRow(line, str(error)))
    if not examples.rows:
        raise nothing_usable(source, examples.bad)
    return examples


def nothing_usable(source: str, bad: list[BadRow], hint: str = FORMATS_HINT) -> TrainingError:
    """Return the error for data without one usable row.

    Args:
        source: the data's name.
        bad: the rows that cannot be used, of which the first are named.
        hint: what to do.
    """
    if not bad:
        return TrainingError(f"{source} is empty", hint=hint)
    named = "\n".join(map(str, bad[:MAX_SHOWN]))
    return TrainingError(f"{source} has no row to train on, and {len(bad)} bad ones:\n{named}", hint=hint)


def parse_conversation(row: Any) -> Messages:
    """Return the turns of a row in any of the forms.

    Raises:
        BadRowError: it is in none of them, or says nothing to learn from.
    """
    if not isinstance(row, dict):
        raise BadRowError(f"{_type_name(row)} instead of an object")
    given = {key for key, value in row.items() if value is not None}
    for keys, turns in FORMS:
        if keys & given:
            return _checked(tuple(turns(row)))
    if ends_with_answer(row):
        raise BadRowError("a question with its SQL, and no prompt yet: type quackllm prepare first")
    raise BadRowError(f"unknown format: its keys are {', '.join(sorted(map(str, row))) or 'none'}")


def ends_with_answer(row: Any) -> bool:
    """Whether a row is a question with its SQL, which `quackllm prepare` puts into a prompt."""
    return isinstance(row, dict) and "question" in row and bool({"sql", "query", "answer"} & row.keys())


def _from_messages(row: dict[str, Any]) -> Iterator[Message]:
    yield from _turns(row, "messages", "role", "content")


def _from_sharegpt(row: dict[str, Any]) -> Iterator[Message]:
    yield from _system(row, "system")
    names = ("role", "content") if "role" in _first(row["conversations"]) else ("from", "value")
    yield from _turns(row, "conversations", *names)


def _from_alpaca(row: dict[str, Any]) -> Iterator[Message]:
    yield from _system(row, "system")
    for turn in _list(row, "history") if row.get("history") else []:
        if not isinstance(turn, list) or len(turn) != 2:
            raise BadRowError(f"a turn of history is {_type_name(turn)}, not [question, answer]")
        yield from _pair(*turn)
    asked = [_text(row, "instruction")] + ([_text(row, "input")] if row.get("input") else [])
    yield from _pair("\n".join(asked), _text(row, "output"))


def _from_moss(row: dict[str, Any]) -> Iterator[Message]:
    yield from _system(row, "meta_instruction")
    name = "chat" if row.get("chat") is not None else "conversation"
    turns = row[name]
    if isinstance(turns, dict):
        turns = [turns[key] for key in sorted(turns, key=_turn_number) if turns[key] is not None]
    for turn in _list({name: turns}, name):
        if not isinstance(turn, dict):
            raise BadRowError(f"a turn of {name} is {_type_name(turn)}")
        text = {key.lower(): value for key, value in turn.items()}
        answer = "moss" if "moss" in text else "assistant"
        yield from _pair(*(MOSS_MARKS.sub("", _text(text, who)) for who in ("human", answer)))


FORMS: tuple[tuple[set[str], Callable[[dict[str, Any]], Iterator[Message]]], ...] = (
    ({"messages"}, _from_messages),
    ({"conversations"}, _from_sharegpt),
    ({"chat", "conversation"}, _from_moss),
    ({"instruction", "output"}, _from_alpaca),
)


def _turn_number(key: str) -> int:
    number = re.search(r"\d+", key)
    return int(number.group()) if number else 0


def _first(turns: Any) -> dict[str, Any]:
    return turns[0] if isinstance(turns, list) and turns and isinstance(turns[0], dict) else {}


def _turns(row: dict[str, Any], name: str, role: str, content: str) -> Iterator[Message]:
    for number, turn in enumerate(_list(row, name), 1):
        if not isinstance(turn, dict):
            raise BadRowError(f"turn {number} is {_type_name(turn)} instead of an object")
        who = _text(turn, role)
        if who.lower() not in ROLES:
            raise BadRowError(f"turn {number} has the unknown {role} {who!r}")
        if turn.get("images"):
            raise BadRowError(f"turn {number} has images, which are not trained on")
        yield Message(ROLES[who.lower()], _text(turn, content))


def _system(row: dict[str, Any], name: str) -> Iterator[Message]:
    if row.get(name):
        yield Message("system", _text(row, name))


def _pair(question: Any, answer: Any) -> Iterator[Message]:
    text = {"question": question, "answer": answer}
    yield Message("user", _text(text, "question"))
    yield Message("assistant", _text(text, "answer"))


def _text(row: Mapping[str, Any], name: str) -> str:
    if row.get(name) is None:
        raise BadRowError(f"{name} is missing")
    if not isinstance(row[name], str):
        raise BadRowError(f"{name} is {_type_name(row[name])} instead of a text")
    return cast(str, row[name])


def _list(row: Mapping[str, Any], name: str) -> list[Any]:
    if not isinstance(row[name], list):
        raise BadRowError(f"{name} is {_type_name(row[name])} instead of a list")
    return cast(list[Any], row[name])


def _type_name(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _checked(turns: Messages) -> Messages:
    """Return the turns, if they can be learnt from: a question, then an answer, to the end."""
    if not turns:
        raise BadRowError("no turn at all")
    if turns[-1].role != "assistant":
        raise BadRowError(f"its last turn is the {turns[-1].role}'s, so there is no answer to learn")
    for number, turn in enumerate(turns, 1):
        if turn.role == "system" and number > 1:
            raise BadRowError(f"turn {number} is a system message; a system message may only be the first turn")
        if not turn.content.strip():
            raise BadRowError(f"turn {number}, the {turn.role}'s, is empty")
    if next(turn.role for turn in turns if turn.role != "system") == "assistant":
        raise BadRowError("an answer comes first, before any question")
    return turns
