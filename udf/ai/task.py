"""The task of a typed function: its question, the shape of its answer, and the request that is sent."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any

from msgspec.structs import replace

from ...workers.errors import RequestError
from ...workers.messages import Message, Request, Response
from ...workers.options import Options
from .constraints import Constraint
from .inputs import Input
from .probabilities import weighed
from .prompts import INSTRUCTIONS, NO, QUOTES, REPEAT, SENTIMENTS, TASKS, YES, is_chinese
from .ranking import Ranking
from .shapes import Answer, FreeText, OneLabel, OneValue, Record, Records, Score, Shape, SomeLabels, YesOrNo, number_in
from .sql_types import EXAMPLE, check_structure

WITHOUT_QUESTION = frozenset({"complete", "fix_grammar", "sentiment"})
"""Functions that need no more than the input."""
DIGITS, COUNT = "_digits", "_count"
"""What no argument of SQL is called: whether the answer is one digit, and how many texts are ranked."""


@dataclass(frozen=True)
class Task:
    """One question about many inputs.

    Args:
        function: what SQL calls it.
        system: the message that comes first, equal for all inputs; empty for none.
        shape: of the answer.
        examples: inputs and answers that are shown before the input.
        chinese: whether it is put in Chinese.
        draw: another number requests a new answer.
    """

    function: str
    system: str
    shape: Shape
    examples: tuple[tuple[str, str], ...]
    chinese: bool
    draw: int

    @cached_property
    def first_messages(self) -> tuple[Message, ...]:
        """What comes before the input."""
        system = [Message("system", self.system)] if self.system else []
        turns = [(Message("user", shown), Message("assistant", answer)) for shown, answer in self.examples]
        return (*system, *chain.from_iterable(turns))

    def request(self, given: Input, options: Options, top_logprobs: int = 0) -> Request:
        """Return the request for one input.

        Args:
            given: the input.
            options: from `options`.
            top_logprobs: how many likely tokens come with each token of the answer.
        """
        messages = (*self.first_messages, Message("user", given.text, given.images))
        return Request(messages, options, top_logprobs=top_logprobs, best_effort=True, function=self.function)

    def options(self, constraint: Constraint) -> Options:
        """Return the options of a model's requests, equal for all inputs."""
        limit, held = constraint.max_tokens, constraint.response_format
        return Options(draw=self.draw, response_format=held, max_tokens=limit)

    def read(self, response: Response, given: Input) -> Answer:
        """Return what a response says, or why it says nothing."""
        if response.error is not None:
            return Answer(None, response.error.code, response.error.message)
        if not response.is_complete:
            return Answer(None, response.finish_reason, "the answer is not whole")
        answer = self.shape.read(response.output or "", given.passages)
        return weighed(self.shape, answer, response.logprobs) if response.logprobs and not answer.code else answer

    def made_up(self, response: Response) -> Answer:
        """Return some answer for an estimate, so that the next call has an input; NULL if no answer can be made up."""
        if isinstance(self.shape, Ranking):
            return Answer([*range(1, self.shape.count + 1)])
        return Answer(self.shape.read((*self.shape.choices, response.output or "")[0], ()).value)

    def repeat(self, request: Request, response: Response, answer: Answer) -> Request | None:
        """Return the second request after an answer that cannot be used; None if a second request would not help.

        The answer goes back with its fault; one that our own limit cut off may be longer the second time.
        """
        is_cut = response.finish_reason == "length" and request.options.max_tokens is not None
        if answer.code is None or not response.output or (response.error is not None and not is_cut):
            return None
        problem = REPEAT.text(self.chinese).format(problem=answer.problem)
        turns = (Message("assistant", response.output), Message("user", problem))
        options = request.options
        if is_cut:
            options = Options(draw=options.draw, response_format=options.response_format)
        return replace(request, messages=(*request.messages, *turns), options=options)


@functools.lru_cache(maxsize=1024)
def read_task(function: str, question: str | None, details: str | None, digits: bool = False) -> Task | None:
    """Return the task that a function's arguments describe; None where the question is NULL.

    Args:
        function: a key of `SHAPES`, and for `top` the number of texts behind it: `top 10`.
        question: the predicate, labels, fields, type or criteria, as JSON.
        details: the named arguments, as a JSON object.
        digits: whether a score is one digit, for a model that generates nothing else.

    Raises:
        RequestError: a wrong type, label list, bound or example; the hint says what to type.
    """
    argument = json.loads(question) if question else None
    if argument is None and function not in WITHOUT_QUESTION:
        return None
    given = (json.loads(details) if details else {}) | {DIGITS: digits}
    chinese = is_chinese(f"{question}{given.get('instructions')}")
    function, _, count = function.partition(" ")
    shape = SHAPES[function](argument, given | {COUNT: count}, chinese)
    name = function + DIGITS if isinstance(shape, Score) and shape.digits else function
    prompt = TASKS[PROMPT_ALIASES.get(name, name)].text(chinese)
    parts = [prompt.format(question=_instruction(argument, shape, given), low=given.get("low"), high=given.get("high"))]
    if given.get("quotes"):
        parts.append(QUOTES.text(chinese))
    if given.get("instructions"):
        parts.append(INSTRUCTIONS.text(chinese).format(instructions=given["instructions"]))
    called, text = f"ai_{function.removesuffix('_answers')}", "\n".join(filter(None, parts))
    return Task(
        called,
        text,
        shape,
        _examples(given, shape),
        chinese,
        check_whole_number(given.get("draw") or 0, "draw", "draw := 1"),
    )


def _instruction(argument: Any, shape: Shape, given: dict[str, Any]) -> str:
    """Return the user's question as the prompt shows it."""
    if isinstance(shape, OneLabel | SomeLabels):
        meanings = _label_meanings(argument) if argument is not None else dict.fromkeys(shape.labels)
        lines = ((_line(label), meaning) for label, meaning in meanings.items())
        return "\n".join(f"{label}: {_shown(meaning)}" if meaning else label for label, meaning in lines)
    if isinstance(argument, dict):
        return "\n".join(f"{_line(name)}: {_line(structure)}" for name, structure in argument.items())
    return ", ".join(map(str, argument)) if isinstance(argument, list) else str(argument or "")


def _line(value: Any) -> str:
    """Return a label or type on one line: a text that holds a line's end as JSON."""
    return value if isinstance(value, str) and "\n" not in value else json.dumps(value, ensure_ascii=False)


def _check_text(argument: Any, what: str, example: str) -> None:
    """Raise if a question is no text.

    Args:
        argument: the question.
        what: it is, for the error.
        example: a call that has one.
    """
    if not isinstance(argument, str) or not argument.strip():
        raise RequestError(f"there is no {what}", hint=f"type {example}")


def check_whole_number(value: Any, name: str, example: str) -> int:
    """Return the value of an argument that is a whole number; raise RequestError if it is none.

    Args:
        value: what the user wrote.
        name: the argument's.
        example: what to type.
    """
    if type(value) is not int:
        raise RequestError(f"{name} is {'NULL' if value is None else value}", hint=f"type a whole number: {example}")
    return value


def _yes_or_no(argument: Any, given: dict[str, Any], chinese: bool) -> Shape:
    _check_text(argument, "question", "ai_filter(body, 'complains about food')")
    return YesOrNo((YES[2], NO[2]) if chinese else (YES[0], NO[0]))


def _label_meanings(argument: Any) -> dict[str, Any]:
    """Return the labels, each with its meaning, which may be None.

    Args:
        argument: a list of labels, or an object with the meaning of each; Snowflake's list of objects with `label` and
            `description`, and BigQuery's list of pairs, are the same.

    Raises:
        RequestError: there are no labels, one is empty, or one is there twice.
    """
    pairs = [*argument.items()] if isinstance(argument, dict) else []
    if isinstance(argument, list):
        pairs = [_label_and_meaning(one) for one in argument]
    hint = "type a list of texts: ['praise', 'complaint'], or MAP {'praise': 'what it means', …}"
    if not pairs or not all(isinstance(label, str) and label.strip() for label, _ in pairs):
        raise RequestError(f"these are not labels: {json.dumps(argument, ensure_ascii=False)}", hint=hint)
    labels = [label for label, _ in pairs]
    if double := next((label for label in labels if labels.count(label) > 1), None):
        raise RequestError(f"the label {double!r} is there twice", hint=hint)
    return dict(pairs)


def _label_and_meaning(one: Any) -> tuple[Any, Any]:
    if isinstance(one, dict):
        return one.get("label"), one.get("description")
    return (one[0], one[1]) if isinstance(one, list) and len(one) == 2 else (one, None)


def _labels(argument: Any) -> tuple[str, ...]:
    return tuple(_label_meanings(argument))


def _structures(argument: Any) -> dict[str, Any]:
    if not isinstance(argument, dict) or not argument:
        raise RequestError(
            f"these are not fields: {json.dumps(argument, ensure_ascii=False)}",
            hint=f"type names and SQL types: {EXAMPLE}",
        )
    for name, structure in argument.items():
        check_structure(structure, name)
    double = [name for name in argument if [other.lower() for other in argument].count(name.lower()) > 1]
    if double:
        raise RequestError(f"two fields have the name {double[0]!r}", hint="SQL ignores upper and lower case in names")
    return argument


def _record(argument: Any, given: dict[str, Any], _: bool) -> Record:
    fields, quotes = _structures(argument), bool(given.get("quotes"))
    if quotes and any(name.lower() == "quotes" for name in fields):
        raise RequestError("with quotes := true no field can be called quotes", hint="type another name for the field")
    return Record(fields, quotes)


def _score(argument: Any, given: dict[str, Any], _: bool) -> Score:
    _check_text(argument, "criterion", "ai_score(body, 'how angry the writer is')")
    low, high = given.get("low"), given.get("high")
    if not (isinstance(low, int | float) and isinstance(high, int | float) and -math.inf < low < high < math.inf):
        raise RequestError(f"no score fits between {low} and {high}", hint="type low := 0, high := 10")
    return Score(float(low), float(high), bool(given.get(DIGITS)))


def _ranking(argument: Any, given: dict[str, Any], _: bool) -> Ranking:
    _check_text(argument, "criterion", "ai_top(list(body), 3, 'how angry the writer is')")
    return Ranking(int(given[COUNT]))


def _one_value(argument: Any, _: dict[str, Any], __: bool) -> OneValue:
    return OneValue(check_structure(argument, "the answer"))


def _translation(argument: Any, *_: Any) -> FreeText:
    _check_text(argument, "language", "ai_translate(body, 'French')")
    return FreeText()


def _masked_text(argument: Any, *_: Any) -> FreeText:
    for kind in argument if isinstance(argument, list) and argument else [argument]:
        _check_text(kind, "kind of text to mask", "ai_mask(body, ['names', 'phone numbers'])")
    return FreeText()


def _aggregate(argument: Any, *_: Any) -> FreeText:
    _check_text(argument, "instruction", "ai_agg(body, 'What do people complain about?')")
    return FreeText()


SHAPES: dict[str, Callable[[Any, dict[str, Any], bool], Shape]] = {
    "filter": _yes_or_no,
    "match": _yes_or_no,
    "classify": lambda argument, *_: OneLabel(_labels(argument)),
    "choose": lambda argument, *_: OneLabel(_labels(argument), fixed_at_bind=False),
    "sentiment": lambda *_: OneLabel(SENTIMENTS),
    "labels": lambda argument, *_: SomeLabels(_labels(argument)),
    "score": _score,
    "top": _ranking,
    "extract": _record,
    "each": lambda *given: Records(_record(*given)),
    "value": _one_value,
    "translate": _translation,
    "mask": _masked_text,
    **dict.fromkeys(("agg", "agg_answers"), _aggregate),
    **dict.fromkeys(("complete", "fix_grammar"), lambda *_: FreeText()),
}
"""The shape of each function's answer."""
PROMPT_ALIASES = {"choose": "classify", "sentiment": "classify"}
"""Functions that use the prompt of another function."""


def _examples(given: dict[str, Any], shape: Shape) -> tuple[tuple[str, str], ...]:
    examples = given.get("examples") or []
    hint = "type examples := [{'input': 'the soup was cold', 'output': 'complaint'}]"
    if not isinstance(examples, list) or not all(
        isinstance(one, dict) and one.keys() == {"input", "output"} for one in examples
    ):
        raise RequestError("these are not examples", hint=hint)
    shown = [(_shown(one["input"]), _example_answer(one["output"], shape)) for one in examples]
    for _, output in shown:
        if (shape.choices or isinstance(shape, Score)) and (wrong := shape.read(output, ())).value is None:
            raise RequestError(f"the output of an example cannot be an answer: {wrong.problem}", hint=hint)
    return tuple(shown)


def _example_answer(value: Any, shape: Shape) -> str:
    """Return an example's output as the model would write it."""
    if isinstance(shape, YesOrNo) and isinstance(value, bool):
        return shape.accepted_words[0 if value else 1]
    if isinstance(shape, Score) and shape.digits and (score := number_in(str(value))) is not None:
        return str(shape.digit(score))
    return _shown(value)


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


def result_json(answer: Answer, responses: Sequence[Response], by: str | None = None) -> str:
    """Return a function's detail as JSON: the answer, what it took, and who gave it if it was not the model."""
    last = responses[-1] if responses else Response(None)
    from_store = [response.from_store for response in responses]
    usage = {
        "input_tokens": sum(response.usage.input_tokens for response in responses),
        "output_tokens": sum(response.usage.output_tokens for response in responses),
    }
    error = {"code": answer.code, "message": answer.problem} if answer.code else None
    detail = {
        "value": answer.value,
        "error": error,
        "probability": answer.probability,
        "explanation": last.reasoning or answer.explanation,
        "by": ("store" if all(from_store) else "model") if from_store else by,
        "usage": usage,
    }
    return json.dumps(detail, ensure_ascii=False)
