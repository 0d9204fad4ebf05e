"""What the probabilities of an answer's tokens say of it: how sure a choice is, and the mean of a number.

The mean over a digit's probabilities in place of the likeliest digit: G-Eval (Liu et al., 2023, arXiv 2303.16634).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ...workers.messages import TokenLogprobs
from .parse_answers import AROUND
from .shapes import Answer, OneLabel, Score, Shape, YesOrNo, number_in

SHOWN = 3
"""Numbers that the detail of a score names."""


def weighed(shape: Shape, answer: Answer, tokens: Sequence[TokenLogprobs]) -> Answer:
    """Return an answer with its probability; a score becomes the mean by the probabilities of its digits.

    Args:
        shape: of the answer.
        answer: what was read.
        tokens: of the text that it was read from. Where they are those of another text, the answer stays as it is.
    """
    if isinstance(shape, YesOrNo | OneLabel):
        return replace(answer, probability=choice_probability(tokens, answer.value, shape.meanings))
    if isinstance(shape, Score) and (weights := number_weights(tokens, shape)):
        total = sum(weights.values())
        mean = sum(number * weight for number, weight in weights.items()) / total
        likely = sorted(weights.items(), key=lambda pair: -pair[1])[:SHOWN]
        shown = ", ".join(f"{number:g} ({weight / total:.2f})" for number, weight in likely)
        sure = weights.get(answer.value, 0.0) / total
        return replace(
            answer,
            value=min(max(mean, shape.low), shape.high),
            probability=sure,
            explanation=f"the mean by the probabilities of the digits: {shown}",
        )
    return answer


def choice_probability(tokens: Sequence[TokenLogprobs], value: object, meanings: Mapping[str, object]) -> float | None:
    """Return how probable a choice is among all choices; None where the tokens do not spell it.

    Args:
        tokens: of the answer, each with the likeliest others in its place.
        value: what was chosen.
        meanings: what each text in lower case stands for.
    """
    text, probability = "", 1.0
    for place in tokens:
        same = total = 0.0
        for token, logprob in place:
            if possible := _possible(text + token, meanings):
                total += math.exp(logprob)
                same += math.exp(logprob) if value in possible else 0.0
        text += place[0][0]
        possible = _possible(text, meanings)
        if value not in possible or not total:
            return None
        probability *= same / total
        if len(possible) == 1:
            return probability
    return probability if meanings.get(text.strip(AROUND).casefold()) == value else None


def _possible(text: str, meanings: Mapping[str, object]) -> set[object]:
    """Return what an answer that begins with this text may still mean."""
    begun = text.lstrip(AROUND).casefold()
    return {
        meaning
        for word, meaning in meanings.items()
        if word.startswith(begun) or (begun.startswith(word) and not begun[len(word) :].strip(AROUND))
    }


def number_weights(tokens: Sequence[TokenLogprobs], shape: Score) -> dict[float, float]:
    """Return the numbers that a model may have given, inside the bounds, each with its probability.

    A digit that was not chosen is followed by the digits of the answer, or by zeros where that is out of bounds.
    """
    weights: dict[float, float] = {}
    text, reached = "", 1.0
    rests = ["".join(place[0][0] for place in tokens[after:]).rstrip(AROUND) for after in range(1, len(tokens) + 1)]
    for place, rest in zip(tokens, rests, strict=True):
        (chosen, logprob), *others = place
        for token, other in others:
            if token.strip().isdecimal() and (number := _number_with(text + token, rest, shape)) is not None:
                weights[number] = weights.get(number, 0.0) + reached * math.exp(other)
        text, reached = text + chosen, reached * math.exp(logprob)
    whole = shape.scaled(number_in(text.strip(AROUND)))
    if whole is None:
        return {}
    return {**weights, whole: weights.get(whole, 0.0) + reached}


def _number_with(begun: str, rest: str, shape: Score) -> float | None:
    zeros = "".join("0" if character.isdecimal() else character for character in rest)
    found: Iterator[float | None] = (shape.scaled(number_in((begun + end).strip(AROUND))) for end in (rest, zeros))
    return next((number for number in found if number is not None), None)
