"""A proxy: logistic regression on vectors of the inputs, which learns from some of the model's own answers."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

PENALTY = 1.0
"""Of the squared weights, in rows: a few hundred examples of 512 numbers would else be learned by heart."""
STEPS = 200


@dataclass(frozen=True)
class Proxy:
    """A model of `classes`: scores are `features @ weights`."""

    classes: tuple[Hashable, ...]
    weights: np.ndarray
    center: np.ndarray
    scale: float

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Return for each row how likely each class is."""
        return _softmax(_features(vectors, self.center, self.scale) @ self.weights)


def train_proxy(vectors: np.ndarray, answers: Sequence[Hashable]) -> Proxy | None:
    """Return a proxy; None where the answers are all the same.

    Nesterov's gradient descent on the cross-entropy with a penalty on the weights; it starts at 0, so that equal
    examples give equal weights.

    Args:
        vectors: (rows, numbers).
        answers: of the model, one a row.
    """
    classes = tuple(sorted(set(answers), key=str))
    if len(classes) < 2:
        return None
    center = vectors.mean(axis=0)
    scale = float(np.sqrt(((vectors - center) ** 2).sum(axis=1).mean())) or 1.0
    features = _features(vectors, center, scale)
    wanted = (np.asarray([classes.index(answer) for answer in answers])[:, None] == np.arange(len(classes))).astype(
        float
    )
    weights = ahead = np.zeros((features.shape[1], len(classes)))
    penalty = np.full((features.shape[1], 1), PENALTY / len(features) / 10.0)
    penalty[-1] = 0.0
    rate = 1.0 / (0.5 * np.linalg.norm(features, 2) ** 2 / len(features) + penalty.max())
    for step in range(STEPS):
        gradient = features.T @ (_softmax(features @ ahead) - wanted) / len(features) + penalty * ahead
        later = ahead - rate * gradient
        ahead, weights = later + step / (step + 3) * (later - weights), later
    return Proxy(classes, weights, center, scale)


def _features(vectors: np.ndarray, center: np.ndarray, scale: float) -> np.ndarray:
    return np.hstack([(vectors - center) / scale * 3.0, np.ones((len(vectors), 1))])


def _softmax(scores: np.ndarray) -> np.ndarray:
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(scores / scores.sum(axis=1, keepdims=True))
