"""The SQL types of requests and responses, and their conversion from and to Arrow."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import accumulate, chain, pairwise
from typing import Any, TypeAlias

import pyarrow as pa

from ...workers.messages import Failure, Message, Request, Response
from ...workers.options import options_from_json
from ...workers.vectors import NUMBER_BYTES, vector_numbers
from ..value_text import cast_column, column_texts, plain_column
from .params import INSTRUCTION, SYSTEM, read_params

MESSAGES_SQL = "STRUCT(role VARCHAR, content VARCHAR, images VARCHAR[])[]"
ERROR_SQL = "STRUCT(code VARCHAR, message VARCHAR, retryable BOOLEAN)"
USAGE_SQL = "STRUCT(input_tokens BIGINT, output_tokens BIGINT)"
REQUEST_SQL = f"STRUCT(messages {MESSAGES_SQL}, options JSON)"
RESPONSE_SQL = (
    f"STRUCT(output VARCHAR, reasoning VARCHAR, error {ERROR_SQL}, model VARCHAR, history {MESSAGES_SQL}, "
    f"finish_reason VARCHAR, usage {USAGE_SQL}, seconds DOUBLE)"
)

TEXT = pa.string()
MESSAGES = pa.list_(pa.struct({"role": TEXT, "content": TEXT, "images": pa.list_(TEXT)}))
ERROR = pa.struct({"code": TEXT, "message": TEXT, "retryable": pa.bool_()})
USAGE = pa.struct({"input_tokens": pa.int64(), "output_tokens": pa.int64()})
REQUEST = pa.struct({"messages": MESSAGES, "options": TEXT})
RESPONSE = pa.struct(
    {
        "output": TEXT,
        "reasoning": TEXT,
        "error": ERROR,
        "model": TEXT,
        "history": MESSAGES,
        "finish_reason": TEXT,
        "usage": USAGE,
        "seconds": pa.float64(),
    }
)

DUCKDB_REQUEST = (
    "struct<messages: list<l: struct<role: string, content: string, images: list<l: string>>>, options: string>"
)
"""`REQUEST` as DuckDB hands it to a function."""
_Conversation: TypeAlias = tuple[Any, ...]
"""The options of a request, then the role and the content of each message."""

EMPTY_RESPONSE = Response(None)


def requests_from_arrow(column: pa.ChunkedArray) -> list[Request | None]:
    """Return one Request for each row; None for a NULL row and for a NULL prompt.

    Args:
        column: requests (STRUCT), arguments of `llm_param`, or values of any other type, whose text is the prompt.

    Raises:
        RequestError: a request cannot be read.
    """
    data_type = column.type
    names = {field.name for field in data_type} if pa.types.is_struct(data_type) else set()
    if {"messages", "options"} <= names:
        return [None if row is None else _request(row) for row in column.to_pylist()]
    if names & set(INSTRUCTION):
        return params_requests(column)
    texts = prompt_texts(column)
    requests = [None if text is None else Request.of(text) for text in texts]
    if not pa.types.is_map(data_type):
        return requests
    return [
        read_params(row, typed=False) if row and row.keys() & set(INSTRUCTION) else request
        for row, request in zip(_map_rows(column), requests, strict=True)
    ]


def request_keys(column: pa.ChunkedArray) -> tuple[Sequence[Hashable], Callable[[Any], Request]]:
    """Return a key for each row, None for a NULL prompt, and the function that makes a key's request.

    The key of a prompt is its text, so that a Request is made only where no answer is known.

    Raises:
        RequestError: a request cannot be read.
    """
    if _is_text(column.type):
        return column.to_pylist(), Request.of
    if (conversations := _conversations(column)) is not None:
        return conversations, _conversation_request
    return requests_from_arrow(column), _unchanged


def _unchanged(request: Request) -> Request:
    return request


def _conversations(column: pa.ChunkedArray) -> list[_Conversation | None] | None:
    """Return the options and the messages of each request, None for NULL; None if the column holds anything else."""
    if not (pa.types.is_struct(column.type) and str(column.type) == DUCKDB_REQUEST):
        return None
    from pyarrow.compute import list_value_length, struct_field  # As below.

    lists = struct_field(column, "messages").combine_chunks()
    messages = lists.flatten()
    if messages.null_count or len(struct_field(messages, "images").flatten()):
        return None
    fields = (struct_field(messages, name).to_pylist() for name in ("role", "content"))
    turns = list(zip(*fields, strict=True))
    ends = accumulate(list_value_length(lists).fill_null(0).to_pylist(), initial=0)
    options = struct_field(column, "options").to_pylist()
    return [
        (given, *turns[start:end]) if end > start else None
        for given, (start, end) in zip(options, pairwise(ends), strict=True)
    ]


def _conversation_request(conversation: _Conversation) -> Request:
    options, *turns = conversation
    return Request(tuple(Message(role, content or "") for role, content in turns), options_from_json(options))


def prompt_texts(column: pa.ChunkedArray) -> list[str | None]:
    """Return values of any type as texts, as DuckDB casts them to VARCHAR."""
    if _is_text(column.type):
        return list(column.to_pylist())
    return [None] * len(column) if pa.types.is_null(column.type) else column_texts(column)


def params_requests(column: pa.ChunkedArray) -> list[Request | None]:
    """Return the requests in a column of STRUCTs or MAPs, as `llm_param` reads them.

    Raises:
        RequestError: a row cannot be read.
    """
    if pa.types.is_struct(column.type):
        if (requests := _alike_requests(column)) is not None:
            return requests
        return [None if row is None else read_params(row) for row in _struct_rows(column)]
    return [None if row is None else read_params(row, typed=False) for row in _map_rows(column)]


def _alike_requests(column: pa.ChunkedArray) -> list[Request | None] | None:
    """Return the requests if the rows differ in nothing but their texts: the rest is read once. Else return None."""
    names = [field.name for field in column.type]
    instructions = [name for name in names if name in INSTRUCTION]
    if len(instructions) != 1 or column.null_count or not _is_text(column.type.field(instructions[0]).type):
        return None
    from pyarrow.compute import struct_field  # As below.

    texts = struct_field(column, instructions[0]).to_pylist()
    first = next((row for row, text in enumerate(texts) if text is not None), None)
    others = [struct_field(column, name).combine_chunks() for name in names if name not in instructions]
    if first is None or not all(other[1:].equals(other[:-1]) for other in others):
        return None
    (row,) = _struct_rows(column.slice(first, 1))
    model = read_params(row) if row else None
    if model is None:
        return None
    *before, turn = model.messages
    return [
        None if text is None else Request((*before, Message(turn.role, text, turn.images)), model.options)
        for text in texts
    ]


def _map_rows(column: pa.ChunkedArray) -> list[dict[str, str | None] | None]:
    if not (_is_text(column.type.key_type) and _is_text(column.type.item_type)):
        column = cast_column(column, "MAP(VARCHAR, VARCHAR)")
    return [None if row is None else dict(row) for row in column.to_pylist()]


def _struct_rows(column: pa.ChunkedArray) -> list[dict[str, Any] | None]:
    """Return the rows of a STRUCT column, with instruction and system message converted to text."""
    from pyarrow.compute import struct_field  # Imported late: it costs a tenth of connect(), and few prompts need it.

    column = plain_column(column)
    texts = {
        field.name: column_texts(struct_field(column, field.name))
        for field in column.type
        if field.name in (*INSTRUCTION, *SYSTEM) and not _is_text(field.type)
    }
    if not texts:
        return list(column.to_pylist())
    others = {field.name: struct_field(column, field.name) for field in column.type if field.name not in texts}
    rows = pa.table({"place": range(len(column)), **others}).drop_columns("place").to_pylist()
    named = [dict(zip(texts, cells, strict=True)) for cells in zip(*texts.values(), strict=True)]
    there = column.is_valid().to_pylist()
    return [{**row, **cells} if valid else None for row, cells, valid in zip(rows, named, there, strict=True)]


def _is_text(data_type: pa.DataType) -> bool:
    return bool(pa.types.is_string(data_type) or pa.types.is_large_string(data_type))


def _request(row: dict[str, Any]) -> Request | None:
    if not row["messages"]:
        return None
    return Request(messages_from_rows(row["messages"]), options_from_json(row["options"]))


def messages_from_rows(rows: Iterable[dict[str, Any]] | None) -> tuple[Message, ...]:
    """Return the messages of a list of STRUCTs; images may be missing."""
    return tuple(
        Message(row["role"], row["content"] or "", tuple(row.get("images") or ())) for row in rows or () if row
    )


def requests_to_arrow(requests: Iterable[Request | None]) -> pa.Array:
    """Return the requests as a column of `REQUEST_SQL`."""
    rows = list(requests)
    messages = messages_to_arrow([row.messages if row else () for row in rows])
    options = [row.options.canonical_json if row else None for row in rows]
    return _structs(REQUEST, [messages, options], rows)


def responses_to_arrow(responses: Sequence[Response | None]) -> pa.Array:
    """Return the responses as a column of `RESPONSE_SQL`; None is NULL."""
    rows = list(responses)
    there = [row or EMPTY_RESPONSE for row in rows]
    columns = [
        [row.output for row in there],
        [row.reasoning for row in there],
        [failure_to_row(row.error) for row in there],
        [row.model for row in there],
        messages_to_arrow([row.history for row in there]),
        [row.finish_reason for row in there],
        _structs(USAGE, [[row.usage.input_tokens for row in there], [row.usage.output_tokens for row in there]]),
        [row.seconds for row in there],
    ]
    return _structs(RESPONSE, columns, rows)


def vectors_to_arrow(vectors: Sequence[bytes | None]) -> pa.Array:
    """Return vectors as a column of FLOAT[]; None is NULL."""
    numbers = vector_numbers(b"".join(vector for vector in vectors if vector))
    values = pa.Array.from_buffers(pa.float32(), len(numbers), [None, pa.py_buffer(numbers)])
    lengths = (len(vector or b"") // NUMBER_BYTES for vector in vectors)
    offsets = pa.array(accumulate(lengths, initial=0), pa.int32())
    return pa.ListArray.from_arrays(offsets, values, mask=pa.array([vector is None for vector in vectors], pa.bool_()))


def messages_to_arrow(conversations: Sequence[Sequence[Message]]) -> pa.Array:
    """Return conversations as a column of `MESSAGES_SQL`.

    It works column by column, because every row of a table passes here, and dicts would take several times as long.
    """
    messages = [message for conversation in conversations for message in conversation]
    images = [message.images for message in messages]
    parts = [
        [message.role for message in messages],
        [message.content for message in messages],
        _lists(images, pa.array(chain.from_iterable(images), TEXT)),
    ]
    return _lists(conversations, _structs(MESSAGES.value_type, parts))


def _lists(rows: Sequence[Sequence[object]], values: pa.Array) -> pa.Array:
    """Return a column of lists with the lengths of the rows, from their concatenated values."""
    return pa.ListArray.from_arrays(pa.array(accumulate(map(len, rows), initial=0), pa.int32()), values)


def _structs(data_type: pa.StructType, columns: Sequence[Any], rows: Sequence[object] | None = None) -> pa.Array:
    """Return a column of STRUCTs from one column for each field; a row that is None becomes NULL."""
    arrays = [
        column if isinstance(column, pa.Array) else pa.array(column, field.type)
        for column, field in zip(columns, data_type, strict=True)
    ]
    absent = None if rows is None else pa.array([row is None for row in rows], pa.bool_())
    return pa.StructArray.from_arrays(arrays, fields=list(data_type), mask=absent)


def messages_to_rows(messages: Iterable[Message]) -> list[dict[str, Any]]:
    """Return messages as the rows of `MESSAGES_SQL`."""
    return [{"role": m.role, "content": m.content, "images": list(m.images)} for m in messages]


def failure_to_row(failure: Failure | None) -> dict[str, Any] | None:
    """Return a failure as a row of `ERROR_SQL`; None if there is no failure."""
    return {"code": failure.code, "message": failure.message, "retryable": failure.retryable} if failure else None


def take_rows(distinct: pa.Array, indices: list[int | None]) -> pa.Array:
    """Return a column whose row i is `distinct[places[i]]`, or NULL."""
    return distinct.take(pa.array(indices, pa.int32()))


def sql_type_name(data_type: pa.DataType) -> str:
    """Return the SQL name of an Arrow type, close enough for an error message."""
    names = {pa.int32(): "INTEGER", pa.int64(): "BIGINT", pa.binary(): "BLOB", pa.bool_(): "BOOLEAN"}
    if pa.types.is_list(data_type):
        return f"{sql_type_name(data_type.value_type)}[]"
    return names.get(data_type, str(data_type).upper())
