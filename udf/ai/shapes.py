"""The shapes of an answer: its SQL type, the schema that holds an engine to it, and how it is read and checked."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from .parse_answers import first_reading, json_objects, loads, visible
from .prompts import NO, YES
from .sql_types import Structure, closed_object, enum_type, fits, json_schema, without_extra_keys

TOP_DIGIT = 9
SHOWN = 100
"""Characters of an answer that its error repeats."""


@dataclass(frozen=True)
class Answer:
    """An answer that was read.

    Args:
        value: as JSON has it; None where there is none.
        code: why there is none, or why a part of it is missing; None where nothing is wrong.
        problem: the same in words, for the model and for the user.
        probability: how sure the model was, where the engine says so.
        explanation: how the value came about, where it is not what the model wrote.
    """

    value: Any
    code: str | None = None
    problem: str = ""
    probability: float | None = None
    explanation: str | None = None


class Shape(Protocol):
    """What an answer looks like."""

    @property
    def sql(self) -> Structure:
        """The type of the value, as `json_transform` takes it."""

    @property
    def choices(self) -> tuple[str, ...]:
        """The answers that there are; none where they cannot be listed."""

    @property
    def schema(self) -> dict[str, Any] | None:
        """The JSON schema of an object that holds the answer; None for a free text."""

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read an answer.

        Args:
            text: what the model wrote.
            passages: the texts of the input, in which quotes must be found.
        """


@dataclass(frozen=True)
class YesOrNo:
    """BOOLEAN: a yes or a no, and nothing that only looks like one."""

    accepted_words: tuple[str, str] = (YES[0], NO[0])
    sql: Structure = "BOOLEAN"
    meanings: ClassVar[Mapping[str, bool]] = {**dict.fromkeys(YES, True), **dict.fromkeys(NO, False)}

    @property
    def choices(self) -> tuple[str, ...]:
        """Yes and no, with a capital too: a model that prefers Yes would be less sure of yes than of no."""
        return tuple(dict.fromkeys(spelling for word in self.accepted_words for spelling in (word, word.capitalize())))

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `answer` is one of the two words."""
        return closed_object({"answer": {"enum": list(self.accepted_words)}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the verdict."""
        value = first_reading(text, lambda word: self.meanings.get(word.lower()))
        return (
            Answer(value)
            if value is not None
            else unreadable(text, f"neither {self.accepted_words[0]} nor {self.accepted_words[1]}")
        )


@dataclass(frozen=True)
class OneLabel:
    """One of the labels: an ENUM of them, or VARCHAR where they are not known at bind."""

    labels: tuple[str, ...]
    fixed_at_bind: bool = True

    @property
    def sql(self) -> Structure:
        """The ENUM."""
        return enum_type(self.labels) if self.fixed_at_bind else "VARCHAR"

    @property
    def choices(self) -> tuple[str, ...]:
        """The labels."""
        return self.labels

    @property
    def meanings(self) -> Mapping[str, str]:
        """The labels by their lower case; none where two differ by case alone."""
        folded = {label.casefold(): label for label in self.labels}
        return folded if len(folded) == len(self.labels) else {}

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `answer` is a label."""
        return closed_object({"answer": {"enum": list(self.labels)}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the label."""
        label = first_reading(text, self.label)
        return Answer(label) if label is not None else unreadable(text, "none of the labels", "not_a_label")

    def label(self, text: str) -> str | None:
        """Return the label that a text is, whatever its case where no two labels differ by case alone."""
        if text in self.labels:
            return text
        alike = [label for label in self.labels if label.casefold() == text.casefold()]
        return alike[0] if len(alike) == 1 else None


@dataclass(frozen=True)
class SomeLabels:
    """A list of the labels' ENUM: those that fit, in the labels' order, each once."""

    labels: tuple[str, ...]
    choices: tuple[str, ...] = ()

    @property
    def sql(self) -> Structure:
        """A list of the ENUM."""
        return [enum_type(self.labels)]

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `labels` are some of them."""
        return closed_object({"labels": {"type": "array", "items": {"enum": list(self.labels)}}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the list; one label that is none refuses the whole."""
        lists = [found["labels"] for found in json_objects(text) if isinstance(found.get("labels"), list)]
        given = lists[0] if lists else loads(visible(text))
        if not isinstance(given, list):
            return unreadable(text, "no list of labels")
        read = [OneLabel(self.labels).label(label) if isinstance(label, str) else None for label in given]
        if None in read:
            return unreadable(text, f"{given[read.index(None)]!r} is none of the labels", "not_a_label")
        return Answer([label for label in self.labels if label in read])


@dataclass(frozen=True)
class Score:
    """DOUBLE between two bounds.

    Args:
        low, high: the bounds.
        digits: whether the model answers with one digit, 0 for the lower bound and 9 for the upper.
    """

    low: float
    high: float
    digits: bool = False
    sql: Structure = "DOUBLE"

    @property
    def choices(self) -> tuple[str, ...]:
        """The digits, if it is one."""
        return tuple(map(str, range(TOP_DIGIT + 1))) if self.digits else ()

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `score` is a number."""
        return closed_object({"score": {"type": "number"}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the number."""
        number = first_reading(text, number_in)
        if number is None:
            return unreadable(text, "no number")
        value = self.scaled(number)
        if value is None:
            low, high = (0, TOP_DIGIT) if self.digits else (self.low, self.high)
            return unreadable(text, f"not from {low:g} to {high:g}", "out_of_range")
        return Answer(value)

    def scaled(self, number: float | None) -> float | None:
        """Return the score that a number stands for; None where it is out of bounds."""
        if number is None or not self.digits:
            return number if number is not None and self.low <= number <= self.high else None
        share = number / TOP_DIGIT
        return self.low * (1 - share) + self.high * share if 0 <= number <= TOP_DIGIT else None

    def digit(self, score: float) -> int:
        """Return the digit that stands for a score."""
        return round(TOP_DIGIT * (score - self.low) / (self.high - self.low))


@dataclass(frozen=True)
class Record:
    """A STRUCT of fields; a field that cannot be is NULL and named. With quotes each value is found in the input.

    Args:
        fields: the names and types.
        quotes: whether each value comes with the passage that it was read from.
    """

    fields: dict[str, Structure]
    quotes: bool = False
    choices: tuple[str, ...] = ()

    @property
    def sql(self) -> Structure:
        """The STRUCT; with quotes it has one more field, of the same names."""
        return {**self.fields, "quotes": dict.fromkeys(self.fields, "VARCHAR")} if self.quotes else self.fields

    @property
    def schema(self) -> dict[str, Any]:
        """An object with the fields."""
        schemas = {name: json_schema(structure) for name, structure in self.fields.items()}
        if self.quotes:
            quote = {"type": ["string", "null"]}
            schemas = {name: closed_object({"value": inner, "quote": quote}) for name, inner in schemas.items()}
        return closed_object(schemas)

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the object, field by field."""
        found = [one for one in json_objects(text) if one.keys() & self.fields.keys()]
        if not found:
            return unreadable(text, f"no JSON object with the keys {', '.join(self.fields)}")
        return self.checked(found[0], passages)

    def checked(self, given: dict[str, Any], passages: Sequence[str]) -> Answer:
        """Return the object with its types, and what is wrong with it."""
        values: dict[str, Any] = {}
        quotes: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, structure in self.fields.items():
            value, quotes[name] = self._value_and_quote(given.get(name))
            if name not in given:
                problems[name] = f"{name} is missing"
            elif not fits(structure, value):
                problems[name] = f"{name} is no {_written(structure)}: {_shown(json.dumps(value, ensure_ascii=False))}"
            elif self.quotes and value is not None and not _is_quote(quotes[name], passages):
                problems[name] = f"the quote of {name} is not in the input"
            usable = name not in problems and value is not None
            values[name] = without_extra_keys(structure, value) if usable else None
            quotes[name] = quotes[name] if usable else None
        code = "invalid_fields" if problems else None
        return Answer({**values, "quotes": quotes} if self.quotes else values, code, "; ".join(problems.values()))

    def _value_and_quote(self, given: Any) -> tuple[Any, Any]:
        if not self.quotes:
            return given, None
        return (given.get("value"), given.get("quote")) if isinstance(given, dict) else (given, None)


@dataclass(frozen=True)
class Records:
    """A list of STRUCTs, one for each thing that was found."""

    record: Record
    choices: tuple[str, ...] = ()

    @property
    def sql(self) -> Structure:
        """The list of STRUCTs."""
        return [self.record.sql]

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `items` are the records."""
        return closed_object({"items": {"type": "array", "items": self.record.schema}})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the list."""
        lists = [found["items"] for found in json_objects(text) if isinstance(found.get("items"), list)]
        items = lists[0] if lists else loads(visible(text))
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            return unreadable(text, "no JSON object with a list of items")
        read = [self.record.checked(item, passages) for item in items]
        problems = [f"item {number}: {one.problem}" for number, one in enumerate(read, 1) if one.code]
        return Answer([one.value for one in read], "invalid_fields" if problems else None, "; ".join(problems))


@dataclass(frozen=True)
class OneValue:
    """A value of one type, which the answer holds as `value`."""

    structure: Structure
    choices: tuple[str, ...] = ()

    @property
    def sql(self) -> Structure:
        """The type."""
        return self.structure

    @property
    def schema(self) -> dict[str, Any]:
        """An object whose `value` is of the type."""
        return closed_object({"value": json_schema(self.structure)})

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the value."""
        read = Record({"value": self.structure}).read(text, passages)
        return Answer(read.value and read.value["value"], read.code, read.problem)


@dataclass(frozen=True)
class FreeText:
    """VARCHAR: what the model wrote, without what it thought before."""

    sql: Structure = "VARCHAR"
    choices: tuple[str, ...] = ()
    schema: dict[str, Any] | None = None

    def read(self, text: str, passages: Sequence[str]) -> Answer:
        """Read the text."""
        return Answer(found) if (found := visible(text)) else unreadable(text, "empty")


def unreadable(text: str, why: str, code: str = "unreadable") -> Answer:
    """Return the answer that is none: a short form of the text, and why."""
    return Answer(None, code, f"{_shown(text)!r} is {why}" if " is none " not in why else why)


def _shown(text: str) -> str:
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"


def _written(structure: Structure) -> str:
    return structure if isinstance(structure, str) else json.dumps(structure, ensure_ascii=False)


def _is_quote(quote: Any, passages: Sequence[str]) -> bool:
    return isinstance(quote, str) and bool(quote.strip()) and any(quote in passage for passage in passages)


def number_in(text: str) -> float | None:
    """Return the finite number that a text is; None where it is none."""
    try:
        number = float(text) if "_" not in text else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) else None
