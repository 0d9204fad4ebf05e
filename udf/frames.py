"""`quackllm.ai(frame)`: the typed functions over a frame of pandas, polars or Arrow, as methods; each is one SELECT."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from importlib import import_module
from typing import Any

from ..workers.errors import RequestError, did_you_mean
from ..workers.sql_text import quote_identifier
from .ai.task import check_whole_number
from .connection import Connection, connect

NAME = "quackllm_frame"
ROW = "quackllm_row"
Labels = Sequence[str] | Mapping[str, str]


def ai(frame: Any, column: str | None = None, *, model: str | None = None) -> FrameFunctions:
    """Return the typed functions over a frame; each returns a frame of the same library.

    Args:
        frame: of pandas, polars or Arrow.
        column: the column that the functions read; left out, they read the whole row, as JSON with its column names.
        model: the deployed model; left out, the only one that is deployed.

    Raises:
        RequestError: it is no frame, or has no such column.
    """
    return FrameFunctions(frame, column, model)


class FrameFunctions:
    """The typed functions over a frame.

    Every method takes the named arguments that all typed functions have: `model`, `instructions`, `examples`, `draw`
    and `store`. Where a column is added, `into` is its name, and `detail=True` adds the function's detail in place of
    the value.
    """

    def __init__(self, frame: Any, column: str | None, model: str | None) -> None:
        self._frame, self._model = frame, model
        names = [str(name) for name in _column_names(frame)]
        if column is not None and column not in names:
            raise RequestError(f"the frame has no column {column!r}", hint=did_you_mean(column, names))
        self._names = names
        self._input = ROW if column is None else f"{ROW}.{quote_identifier(column)}"

    def filter(self, predicate: str, **named: Any) -> Any:
        """Return the rows of which the predicate is true."""
        call, values = self._call("ai_filter", [predicate], named)
        return self._query(f"SELECT * FROM {NAME} AS {ROW} WHERE {call}", values)

    def join(self, other: Any, criteria: str, **named: Any) -> Any:
        """Return the pairs of a row of this frame and one of the other of which the criteria are true."""
        right, named = f"{ROW}_right", self._with_model(named)
        values = [criteria, *named.values()]
        call = f"ai_match({self._input}, {right}, {_places([criteria], named)})"
        return self._query(f"SELECT * FROM {NAME} AS {ROW} JOIN quackllm_other AS {right} ON {call}", values, other)

    def classify(self, labels: Labels, *, into: str = "label", detail: bool = False, **named: Any) -> Any:
        """Add the label that fits; labels are a list, or a dict with the meaning of each."""
        return self._add("ai_classify", [_ordered(labels)], into, detail, named)

    def labels(self, labels: Labels, *, into: str = "labels", detail: bool = False, **named: Any) -> Any:
        """Add all labels that fit, as a list."""
        return self._add("ai_labels", [_ordered(labels)], into, detail, named)

    def sentiment(self, *, into: str = "sentiment", detail: bool = False, **named: Any) -> Any:
        """Add 'positive', 'negative', 'neutral' or 'mixed'."""
        return self._add("ai_sentiment", [], into, detail, named)

    def score(self, criteria: str, *, into: str = "score", detail: bool = False, **named: Any) -> Any:
        """Add a number between `low` (0) and `high` (1)."""
        return self._add("ai_score", [criteria], into, detail, named)

    def extract(self, fields: Mapping[str, Any], **named: Any) -> Any:
        """Add a column for each field: `{'name': 'VARCHAR', 'age': 'INTEGER'}`."""
        self._check_new(*fields)
        call, values = self._call("ai_extract", [dict(fields)], named)
        return self._query(f"SELECT {ROW}.*, unnest({call}) FROM {NAME} AS {ROW}", values)

    def each(self, fields: Mapping[str, Any], **named: Any) -> Any:
        """Return a row for each thing found in a row, with the row's columns before it."""
        self._check_new(*fields)
        call, values = self._call("ai_each", [dict(fields)], named)
        return self._query(f"SELECT * FROM {NAME} AS {ROW}, {call}", values)

    def translate(self, language: str, *, into: str = "translation", detail: bool = False, **named: Any) -> Any:
        """Add the translation."""
        return self._add("ai_translate", [language], into, detail, named)

    def mask(self, kinds: Sequence[str], *, into: str = "masked", detail: bool = False, **named: Any) -> Any:
        """Add the text with masks in place of what is of these kinds."""
        return self._add("ai_mask", [list(kinds)], into, detail, named)

    def fix_grammar(self, *, into: str = "corrected", detail: bool = False, **named: Any) -> Any:
        """Add the corrected text."""
        return self._add("ai_fix_grammar", [], into, detail, named)

    def complete(self, *, into: str = "answer", detail: bool = False, **named: Any) -> Any:
        """Add the model's answer to the text as a prompt."""
        return self._add("ai_complete", [], into, detail, named)

    def embed(self, *, into: str = "embedding", **named: Any) -> Any:
        """Add the text's vector, by the built-in encoder unless `model` names another."""
        self._check_new(into)
        values = list(named.values())
        call = f"ai_embed({self._input}{_named(named, 1)})"
        return self._query(f"SELECT *, {call} AS {quote_identifier(into)} FROM {NAME} AS {ROW}", values)

    def top(self, k: int, criteria: str, **named: Any) -> Any:
        """Return the best k rows, the best first."""
        check_whole_number(k, "k", "top(3, 'how angry the writer is')")
        named = self._with_model(named)
        best = f"ai_top(list(DISTINCT {self._input}), {_places([k, criteria], named)})"
        return self._query(
            f"WITH found AS (SELECT {best} AS best FROM {NAME} AS {ROW}), ranked AS (SELECT unnest(best) AS element, "
            f"generate_subscripts(best, 1) AS place FROM found) SELECT {ROW}.* FROM {NAME} AS {ROW} JOIN ranked "
            f"ON ranked.element = {self._input} ORDER BY ranked.place LIMIT {k}",
            [k, criteria, *named.values()],
        )

    def agg(self, instruction: str, **named: Any) -> str | None:
        """Return one answer from all rows."""
        return self._value("ai_agg", [instruction], named)

    def summarize(self, **named: Any) -> str | None:
        """Return a summary of all rows."""
        return self._value("ai_summarize", [], named)

    def _add(self, function: str, arguments: list[Any], into: str, detail: bool, named: dict[str, Any]) -> Any:
        self._check_new(into)
        call, values = self._call(function + "_detail" * detail, arguments, named)
        return self._query(f"SELECT *, {call} AS {quote_identifier(into)} FROM {NAME} AS {ROW}", values)

    def _value(self, function: str, arguments: list[Any], named: dict[str, Any]) -> str | None:
        call, values = self._call(function, arguments, named)
        with self._connection() as connection:
            (found,) = connection.execute(f"SELECT {call} FROM {NAME} AS {ROW}", values).fetchone() or (None,)
        return found  # type: ignore[no-any-return]

    def _call(self, function: str, arguments: list[Any], named: dict[str, Any]) -> tuple[str, list[Any]]:
        named = self._with_model(named)
        places = _places(arguments, named)
        text = f"{function}({self._input}{', ' * bool(places)}{places})"
        return text, [*arguments, *named.values()]

    def _with_model(self, named: dict[str, Any]) -> dict[str, Any]:
        return {"model": self._model, **named} if self._model else named

    def _check_new(self, *names: str) -> None:
        if taken := [name for name in names if name.lower() in [other.lower() for other in self._names]]:
            raise RequestError(f"the frame has a column {taken[0]!r} already", hint="type into='another_name'")

    def _connection(self, other: Any = None) -> Connection:
        connection = connect()
        connection.register(NAME, self._frame)
        if other is not None:
            connection.register("quackllm_other", other)
        return connection

    def _query(self, sql: str, values: list[Any], other: Any = None) -> Any:
        """Return the rows as a frame of the same library."""
        library = type(self._frame).__module__.partition(".")[0]
        with self._connection(other) as connection:
            relation = connection.sql(sql, params=values or None)
            if library == "pandas":
                return relation.df()
            table = relation.to_arrow_table()
            return table if library == "pyarrow" else import_module(library).from_arrow(table)


def _column_names(frame: Any) -> Sequence[Any]:
    names = getattr(frame, "column_names", None) or getattr(frame, "columns", None)
    if names is None or not len(names):
        what = "a frame without columns" if names is not None else f"{type(frame).__name__}, which is no frame"
        raise RequestError(
            f"this is {what}",
            hint="type quackllm.ai(frame, 'body') with a DataFrame of pandas or polars, or a Table of Arrow",
        )
    return names  # type: ignore[no-any-return]


def _ordered(labels: Labels) -> Labels:
    """Return labels that stand in the same order in each run: they are a part of the prompt."""
    if isinstance(labels, Mapping | str):
        return labels
    return sorted(labels) if isinstance(labels, Set) else list(labels)


def _places(arguments: Sequence[Any], named: Mapping[str, Any]) -> str:
    """Return the parameters of a call: `$1, $2, model := $3`."""
    plain = ", ".join(f"${place}" for place in range(1, len(arguments) + 1))
    return (plain + _named(named, len(arguments) + 1)).removeprefix(", ")


def _named(named: Mapping[str, Any], first: int) -> str:
    return "".join(f", {quote_identifier(name)} := ${place}" for place, name in enumerate(named, first))
