"""The two vendors' wires: how a request is read, and how an answer, a piece of it or an error is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from standin_answers import text_of, tokens_in, vector_of

CREATED = 1_700_000_000


@dataclass
class Answer:
    """What is said, and how it ended."""

    text: str | None
    finish_reason: str = "stop"
    reasoning: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    logprobs: list[list[tuple[str, float]]] | None = None
    input_tokens: int = 0
    output_tokens: int = field(init=False)

    def __post_init__(self) -> None:
        self.output_tokens = tokens_in(self.text or "")

    def pieces(self) -> list[str]:
        """The text in runs of six characters, as a stream hands it over."""
        text = self.text or ""
        return [text[start : start + 6] for start in range(0, len(text), 6)]

    def logprobs_field(self) -> dict[str, Any] | None:
        """The probabilities of the tokens, as both vendors write them."""
        if self.logprobs is None:
            return None
        places = [[{"token": token, "logprob": number} for token, number in place] for place in self.logprobs]
        return {"content": [{**place[0], "top_logprobs": place} for place in places]}

    def pieces_of_tool_calls(self) -> list[dict[str, Any]]:
        """The tool calls as a stream hands them over: first without arguments, then these in runs."""
        pieces: list[dict[str, Any]] = []
        for index, call in enumerate(self.tool_calls or ()):
            arguments = call["function"]["arguments"]
            pieces.append({**call, "index": index, "function": {**call["function"], "arguments": ""}})
            runs = [arguments[start : start + 6] for start in range(0, len(arguments), 6)]
            pieces += [{"index": index, "function": {"arguments": run}} for run in runs]
        return pieces


class OpenAIWire:
    """`/v1/chat/completions` as OpenAI and its many followers speak it."""

    name = "openai"

    def messages(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The conversation that was sent."""
        messages: list[dict[str, Any]] = body["messages"]
        return messages

    def options(self, body: dict[str, Any]) -> dict[str, Any]:
        """The sampling options that were sent."""
        return body

    def texts(self, body: dict[str, Any]) -> list[str]:
        """The texts of an embedding request."""
        return [body["input"]] if isinstance(body["input"], str) else body["input"]

    def whole(self, answer: Answer, model: str, request_id: str, choices: bool = True) -> dict[str, Any]:
        """The reply to a request that did not ask for a stream."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        if answer.tool_calls:
            message["tool_calls"] = answer.tool_calls
        choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason}
        choice["logprobs"] = answer.logprobs_field()
        return {
            "id": request_id,
            "object": "chat.completion",
            "created": CREATED,
            "model": model,
            "choices": [choice] if choices else [],
            "usage": self._usage(answer),
        }

    def _usage(self, answer: Answer) -> dict[str, int]:
        total = answer.input_tokens + answer.output_tokens
        return {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": total,
        }

    def events(self, answer: Answer, model: str, request_id: str, body: dict[str, Any]) -> list[bytes]:
        """The events of a stream."""
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
        if answer.reasoning:
            deltas.append({"reasoning_content": answer.reasoning})
        deltas += [{"content": piece} for piece in answer.pieces()]
        deltas += [{"tool_calls": [piece]} for piece in answer.pieces_of_tool_calls()]
        chunks = [self._chunk(model, request_id, [{"index": 0, "delta": d, "finish_reason": None}]) for d in deltas]
        end = {"index": 0, "delta": {}, "finish_reason": answer.finish_reason}
        chunks.append(self._chunk(model, request_id, [end]))
        if (body.get("stream_options") or {}).get("include_usage"):
            chunks.append({**self._chunk(model, request_id, []), "usage": self._usage(answer)})
        written = [f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n".encode() for chunk in chunks]
        return [*written, b"data: [DONE]\n\n"]

    def _chunk(self, model: str, request_id: str, choices: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": request_id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": model,
            "choices": choices,
        }

    def error(self, code: str, message: str, request_id: str) -> dict[str, Any]:
        """The body of a reply that refuses."""
        kind = code if code in ("insufficient_quota", "server_error") else "invalid_request_error"
        return {"error": {"message": message, "type": kind, "param": None, "code": code}}

    def vectors(self, texts: list[str], model: str, request_id: str) -> dict[str, Any]:
        """The reply to an embedding request; plain lists whatever encoding was asked for."""
        data = [{"object": "embedding", "index": i, "embedding": vector_of(t)} for i, t in enumerate(texts)]
        count = sum(tokens_in(text) for text in texts)
        usage = {"prompt_tokens": count, "total_tokens": count}
        return {"object": "list", "data": data, "model": model, "usage": usage}


class DashscopeWire:
    """DashScope's native protocol: `input`, `parameters`, `output`."""

    name = "dashscope"

    def messages(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """The conversation that was sent."""
        messages: list[dict[str, Any]] = body["input"]["messages"]
        return messages

    def options(self, body: dict[str, Any]) -> dict[str, Any]:
        """The sampling options that were sent."""
        return body.get("parameters") or {}

    def texts(self, body: dict[str, Any]) -> list[str]:
        """The texts of an embedding request."""
        texts: list[str] = body["input"]["texts"]
        return texts

    def whole(self, answer: Answer, model: str, request_id: str, choices: bool = True) -> dict[str, Any]:
        """The reply to a request that did not ask for a stream."""
        message: dict[str, Any] = {"role": "assistant", "content": answer.text}
        if answer.reasoning:
            message["reasoning_content"] = answer.reasoning
        choice = {"finish_reason": answer.finish_reason, "message": message}
        if answer.logprobs is not None:
            choice["logprobs"] = answer.logprobs_field()
        usage = {
            "input_tokens": answer.input_tokens,
            "output_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
        }
        return {"output": {"choices": [choice] if choices else []}, "usage": usage, "request_id": request_id}

    def events(self, answer: Answer, model: str, request_id: str, body: dict[str, Any]) -> list[bytes]:
        """The events of a stream; each holds the whole text so far unless `incremental_output` is asked for."""
        incremental = self.options(body).get("incremental_output")
        steps = [Answer("", "null", answer.reasoning)] if answer.reasoning else []
        so_far = ""
        for piece in answer.pieces():
            so_far += piece
            steps.append(Answer(piece if incremental else so_far, "null"))
        steps.append(Answer("" if incremental else answer.text, answer.finish_reason))
        steps[-1].input_tokens, steps[-1].output_tokens = answer.input_tokens, answer.output_tokens
        return [
            self.event(number, "result", 200, self.whole(step, model, request_id))
            for number, step in enumerate(steps, 1)
        ]

    def event(self, number: int, kind: str, status: int, body: dict[str, Any]) -> bytes:
        """One server-sent event, spaced as the vendor spaces it."""
        text = json.dumps(body, ensure_ascii=False)
        return f"id:{number}\nevent:{kind}\n:HTTP_STATUS/{status}\ndata:{text}\n\n".encode()

    def error(self, code: str, message: str, request_id: str) -> dict[str, Any]:
        """The body of a reply that refuses."""
        return {"code": code, "message": message, "request_id": request_id}

    def vectors(self, texts: list[str], model: str, request_id: str) -> dict[str, Any]:
        """The reply to an embedding request."""
        embeddings = [{"text_index": index, "embedding": vector_of(text)} for index, text in enumerate(texts)]
        usage = {"total_tokens": sum(tokens_in(text) for text in texts)}
        return {"output": {"embeddings": embeddings}, "usage": usage, "request_id": request_id}


def prompt_tokens(messages: list[dict[str, Any]]) -> int:
    """Count the tokens of a conversation."""
    return sum(tokens_in(text_of(message["content"])) for message in messages)
