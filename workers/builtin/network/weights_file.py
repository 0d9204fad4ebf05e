"""The weights file: named float16 arrays, and the shape of the network that they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..query.grammar import KEYWORDS, STATE_NUMBERS, STATES

WEIGHTS = Path(__file__).parents[1] / "weights.npz"
Arrays = dict[str, NDArray[np.float32]]
SOURCES = (".py", ".json", ".txt")  # What decides an answer besides weights: rules, coefficients, lists of words.
RARE = -6.0  # The bias of a keyword that was never trained.
# The states of older grammars that are like newer ones.
ALIKE = {"AMOUNT": "ARGUMENT", "FACTOR": "ARGUMENT", "LEFT_SIDE": "ARGUMENT", "RIGHT_SIDE": "ARGUMENT"} | {
    "SHARED": "COUNT_ARGUMENT", "PER_COLUMN": "GROUP_FIRST", "AFTER_PER": "AFTER_LIMIT"
}  # fmt: skip


def save_weights(path: Path, state: Mapping[str, Any], shape: Any) -> None:
    """Write a torch state_dict and its NetworkConfig; the old file is replaced once the new one is complete.

    Args:
        path: of the `.npz` file.
        state: arrays by name.
        shape: the NetworkConfig.
    """
    _write(path, {name: tensor.detach().cpu().numpy() for name, tensor in state.items()}, asdict(shape))


def average_weights(path: Path, parts: Sequence[Path]) -> None:
    """Write the mean of several files of one shape; it is often better if they started from the same weights."""
    loaded = [load_weights(part) for part in parts]
    names = loaded[0][0]
    means = {name: np.stack([arrays[name] for arrays, _ in loaded]).mean(0) for name in names}
    _write(path, means, loaded[0][1])


def extend_keywords(arrays: Arrays) -> Arrays:
    """Return weights of an older grammar for today's: its new keywords are nearly never written, its states are alike.

    The keywords and states of the old grammar are the first ones of today's, in the same order.
    """
    old, more = len(arrays["keyword_out.bias"]), len(KEYWORDS) - len(arrays["keyword_out.bias"])
    if not more:
        return arrays
    width = arrays["keywords.weight"].shape[1]
    noise = np.random.default_rng(0).normal(0, 0.02, (more, width)).astype(np.float32)
    like = [STATE_NUMBERS[ALIKE.get(name, "VALUE")] for name in STATES[len(arrays["states.weight"]) :]]
    embedded, first = arrays["keywords.weight"][:old], arrays["keywords.weight"][old:]
    return {
        **arrays,
        "keywords.weight": np.vstack([embedded, embedded.mean(0) + noise, first]),
        "keyword_out.weight": np.vstack([arrays["keyword_out.weight"], noise]),
        "keyword_out.bias": np.append(arrays["keyword_out.bias"], np.full(more, RARE, dtype=np.float32)),
        "states.weight": np.vstack([arrays["states.weight"], arrays["states.weight"][like]]),
    }


def _write(path: Path, arrays: Mapping[str, NDArray[np.float32]], shape: dict[str, int]) -> None:
    header = np.frombuffer(json.dumps(shape).encode(), dtype=np.uint8)
    halves = {name: array.astype(np.float16) for name, array in arrays.items()}
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, allow_pickle=False, header=header, **halves)
    part.replace(path)


def load_weights(path: Path = WEIGHTS) -> tuple[Arrays, dict[str, int]]:
    """Return the arrays as float32, and the shape's fields."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float32) for name in file.files if name != "header"}
        return extend_keywords(arrays), json.loads(file["header"].tobytes())


@lru_cache(maxsize=2)
def release_name(path: Path = WEIGHTS) -> str:
    """Return the name of this model: the beginning of the SHA-256 of the weights and of the code beside them.

    The code decides as much as the weights do: what an older version answered is not served by a newer one. The tables
    of words are left out, for the weights are trained with them.

    Args:
        path: the weights, in the folder of the code.
    """
    found = hashlib.sha256(path.read_bytes())
    for source in sorted(path.parent.rglob("*")):
        if source.suffix in SOURCES:
            found.update(source.relative_to(path.parent).as_posix().encode())
            found.update(source.read_text(encoding="utf-8").encode())  # The same for all forms of line ends.
    return found.hexdigest()[:12]
