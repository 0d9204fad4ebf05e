"""The task of a typed function: what the user asks, in which shape the answer comes, and the request that asks it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ...workers.errors import RequestError
from ...workers.messages import Message, Request, Response
from ...workers.options import Options
from .inputs import Input
from .prompts import INSTRUCTIONS, NO, QUOTES, REPEAT, SENTIMENTS, TASKS, YES, is_chinese
from .shapes import Answer, FreeText, OneLabel, OneValue, Record, Records, Score, Shape, SomeLabels, YesOrNo
from .sql_types import EXAMPLE, check_structure

SPARE_TOKENS = 8
"""Tokens that an answer out of a list of choices may have beside the bytes of the longest."""
WITHOUT_QUESTION = frozenset({"complete", "fix_grammar", "sentiment"})
"""Functions that need no more than the input."""
REFUSED = (400, 422)
"""HTTP statuses of a service that does not take a request as it is."""


@dataclass(frozen=True)
class Task:
    """One question to be asked about many inputs.

    Args:
        system: the message that comes first, equal for all inputs; empty for none.
        shape: of the answer.
        examples: inputs and answers that are shown before the input.
        chinese: whether it is put in Chinese.
        draw: another number asks anew.
    """

    system: str
    shape: Shape
    examples: tuple[tuple[str, str], ...]
    chinese: bool
    draw: int

    def request(self, given: Input, constraint: dict[str, Any] | None) -> Request:
        """Return the request for one input; `constraint` is the engine's own, see `constraint_for`."""
        messages = [Message("system", self.system)] if self.system else []
        for shown, answer in self.examples:
            messages += [Message("user", shown), Message("assistant", answer)]
        return Request((*messages, Message("user", given.text, given.images)), self._options(constraint))

    def _options(self, constraint: dict[str, Any] | None) -> Options:
        limit = None
        if constraint is not None and self.shape.choices:
            limit = max(len(choice.encode()) for choice in self.shape.choices) + SPARE_TOKENS
        return Options(draw=self.draw, response_format=constraint, max_tokens=limit)

    def read(self, response: Response, given: Input) -> Answer:
        """Return what a response says, or why it says nothing."""
        if response.error is not None:
            return Answer(None, response.error.code, response.error.message)
        if not response.is_complete:
            return Answer(None, response.finish_reason, "the answer is not whole")
        return self.shape.read(response.output or "", given.passages)

    def made_up(self, response: Response) -> Answer:
        """Return some answer for an estimate: what is asked next shall have an input; NULL where it cannot be had."""
        return self.shape.read((*self.shape.choices, response.output or "")[0], ())

    def repeat(self, request: Request, response: Response, answer: Answer) -> Request | None:
        """Return what is asked once more where an answer cannot be used; None where that would be in vain.

        A service that refuses the constraint is asked without it; an answer in another form goes back with its fault.
        """
        if answer.code is None:
            return None
        if response.error is not None:
            refused = response.error.status in REFUSED and request.options.response_format is not None
            return Request(request.messages, self._options(None)) if refused else None
        if not response.output:
            return None
        problem = REPEAT.text(self.chinese).format(problem=answer.problem)
        turns = (Message("assistant", response.output), Message("user", problem))
        return Request((*request.messages, *turns), request.options)


@functools.lru_cache(maxsize=1024)
def read_task(function: str, question: str | None, details: str | None) -> Task | None:
    """Return the task that a function's arguments describe; None where the question is NULL.

    Args:
        function: a key of `SHAPES`.
        question: the predicate, labels, fields, type or criteria, as JSON.
        details: the named arguments, as a JSON object.

    Raises:
        RequestError: a wrong type, label list, bound or example; the hint says what to type.
    """
    argument = json.loads(question) if question else None
    if argument is None and function not in WITHOUT_QUESTION:
        return None
    given = json.loads(details) if details else {}
    chinese = is_chinese(f"{question}{given.get('instructions')}")
    shape = SHAPES[function](argument, given, chinese)
    prompt = TASKS[PROMPT_ALIASES.get(function, function)].text(chinese)
    parts = [prompt.format(question=_instruction(argument, shape, given), low=given.get("low"), high=given.get("high"))]
    if given.get("quotes"):
        parts.append(QUOTES.text(chinese))
    if given.get("instructions"):
        parts.append(INSTRUCTIONS.text(chinese).format(instructions=given["instructions"]))
    return Task("\n".join(filter(None, parts)), shape, _examples(given), chinese, int(given.get("draw") or 0))


def _instruction(argument: Any, shape: Shape, given: dict[str, Any]) -> str:
    """Return what the user asks as the prompt shows it."""
    if isinstance(argument, dict) and isinstance(shape, OneLabel | SomeLabels):
        return "\n".join(f"{_line(label)}: {meaning}" for label, meaning in argument.items())
    if isinstance(shape, OneLabel | SomeLabels):
        return "\n".join(_line(label) for label in shape.labels)
    if isinstance(argument, dict):
        return "\n".join(f"{_line(name)}: {_line(structure)}" for name, structure in argument.items())
    return ", ".join(map(str, argument)) if isinstance(argument, list) else str(argument or "")


def _line(value: Any) -> str:
    """Return a label or type on one line: a text that holds a line's end as JSON."""
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)


def _yes_or_no(argument: Any, given: dict[str, Any], chinese: bool) -> Shape:
    if not isinstance(argument, str) or not argument.strip():
        raise RequestError("there is no question", hint="type ai_filter(body, 'complains about food')")
    return YesOrNo((YES[2], NO[2]) if chinese else (YES[0], NO[0]))


def _labels(argument: Any) -> tuple[str, ...]:
    labels = list(argument) if isinstance(argument, list | dict) else []
    hint = "type a list of texts: ['praise', 'complaint'], or MAP {'praise': 'what it means', …}"
    if not labels or not all(isinstance(label, str) and label.strip() for label in labels):
        raise RequestError(f"these are no labels: {json.dumps(argument, ensure_ascii=False)}", hint=hint)
    if double := next((label for label in labels if labels.count(label) > 1), None):
        raise RequestError(f"the label {double!r} is there twice", hint=hint)
    return tuple(labels)


def _structures(argument: Any) -> dict[str, Any]:
    if not isinstance(argument, dict) or not argument:
        raise RequestError(
            f"these are no fields: {json.dumps(argument, ensure_ascii=False)}",
            hint=f"type names and SQL types: {EXAMPLE}",
        )
    for name, structure in argument.items():
        check_structure(structure, name)
    double = [name for name in argument if [other.lower() for other in argument].count(name.lower()) > 1]
    if double:
        raise RequestError(f"two fields have the name {double[0]!r}", hint="SQL does not tell upper from lower case")
    return argument


def _record(argument: Any, given: dict[str, Any], _: bool) -> Record:
    fields, quotes = _structures(argument), bool(given.get("quotes"))
    if quotes and any(name.lower() == "quotes" for name in fields):
        raise RequestError("with quotes := true no field can be called quotes", hint="type another name for the field")
    return Record(fields, quotes)


def _score(argument: Any, given: dict[str, Any], _: bool) -> Score:
    if not isinstance(argument, str) or not argument.strip():
        raise RequestError("there is no criterion", hint="type ai_score(body, 'how angry the writer is')")
    low, high = given.get("low"), given.get("high")
    if not (isinstance(low, int | float) and isinstance(high, int | float) and low < high):
        raise RequestError(f"no score lies from {low} to {high}", hint="type low := 0, high := 10")
    return Score(float(low), float(high))


def _one_value(argument: Any, _: dict[str, Any], __: bool) -> OneValue:
    return OneValue(check_structure(argument, "the answer"))


SHAPES: dict[str, Callable[[Any, dict[str, Any], bool], Shape]] = {
    "filter": _yes_or_no,
    "match": _yes_or_no,
    "classify": lambda argument, *_: OneLabel(_labels(argument)),
    "choose": lambda argument, *_: OneLabel(_labels(argument), fixed_at_bind=False),
    "sentiment": lambda *_: OneLabel(SENTIMENTS),
    "labels": lambda argument, *_: SomeLabels(_labels(argument)),
    "score": _score,
    "extract": _record,
    "each": lambda *given: Records(_record(*given)),
    "value": _one_value,
    **dict.fromkeys(("complete", "translate", "mask", "fix_grammar", "agg", "agg_answers"), lambda *_: FreeText()),
}
"""The shape of each function's answer."""
PROMPT_ALIASES = {"choose": "classify", "sentiment": "classify"}
"""Functions that are asked in the words of another."""


def _examples(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    examples = given.get("examples") or []
    if not isinstance(examples, list) or not all(
        isinstance(one, dict) and one.keys() == {"input", "output"} for one in examples
    ):
        raise RequestError(
            "these are no examples", hint="type examples := [{'input': 'the soup was cold', 'output': 'complaint'}]"
        )
    return tuple((_shown(one["input"]), _shown(one["output"])) for one in examples)


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def result_structure(shape: Shape) -> dict[str, Any]:
    """Return the type of a function's detail, as `json_transform` takes it."""
    return {
        "value": shape.sql,
        "error": {"code": "VARCHAR", "message": "VARCHAR"},
        "probability": "DOUBLE",
        "explanation": "VARCHAR",
        "by": "VARCHAR",
        "usage": {"input_tokens": "BIGINT", "output_tokens": "BIGINT"},
    }


def result_json(answer: Answer, responses: Sequence[Response]) -> str:
    """Return a function's detail as JSON: the answer, and what it took."""
    last = responses[-1]
    usage = {
        "input_tokens": sum(response.usage.input_tokens for response in responses),
        "output_tokens": sum(response.usage.output_tokens for response in responses),
    }
    error = {"code": answer.code, "message": answer.problem} if answer.code else None
    detail = {"value": answer.value, "error": error, "explanation": last.reasoning, "by": "model", "usage": usage}
    return json.dumps(detail, ensure_ascii=False)
