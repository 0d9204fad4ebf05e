"""An engine that knows one thing of a text: whether it is wonderful. Pairs, labels, vectors and criteria go by that."""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from typing import ClassVar

from pydantic import BaseModel
from quackllm.workers.messages import Request, Response

PLAN = {"labels": {"good": "praise", "bad": "blame"}, "pairs": [["good", "bad"], ["bad", "good"]]}
NO_PLAN = {"labels": {}, "pairs": []}


class JudgeSettings(BaseModel):
    """None."""


class JudgeEngine:
    """Answers the prompts of the typed functions. `tasks` are the first messages of all requests that came in."""

    Settings: ClassVar[type[BaseModel]] = JudgeSettings
    concurrency: ClassVar[int] = 256
    embed_batch: ClassVar[int] = 256
    tasks: ClassVar[list[str]] = []
    plan: ClassVar[object] = PLAN

    def __init__(self, settings: JudgeSettings) -> None:
        pass

    async def start(self) -> None:
        """There is nothing to load."""

    async def answer(self, request: Request) -> Response:
        """Return the answer that the task calls for."""
        task, given = request.messages[0].content, request.messages[-1].content
        self.tasks.append(task)
        if "one label of each input" in task:
            return Response(json.dumps(self.plan))
        if "JSON with left and right" in task:
            pair = json.loads(given)
            return Response("yes" if ("wonderful" in pair["left"]) != ("wonderful" in pair["right"]) else "no")
        if "Choose every" in task:
            return Response(json.dumps({"labels": ["a terrible day"] if "wonderful" in given else ["a wonderful day"]}))
        if "Choose the one label" in task:
            return Response("good" if "wonderful" in given else "bad")
        return Response("yes" if "wonderful" in given else "no")

    async def embed(self, texts: Sequence[str]) -> list[list[float]]:
        """Return vectors that tell wonderful texts from others, with a little noise."""
        noise = [[byte / 2000 for byte in sha256(text.encode()).digest()[:8]] for text in texts]
        return [[float("wonderful" in text), *each] for text, each in zip(texts, noise, strict=True)]

    async def close(self) -> None:
        """There is nothing to give back."""
