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

WEIGHTS = Path(__file__).parents[1] / "weights.npz"
Arrays = dict[str, NDArray[np.float32]]


def save_weights(path: Path, state: Mapping[str, Any], shape: Any) -> None:
    """Write a torch state_dict and its NetworkConfig; the old file is replaced once the new one is complete.

    Args:
        path: of the `.npz` file.
        state: arrays by name.
        shape: the NetworkConfig.
    """
    _write(path, {name: tensor.detach().numpy() for name, tensor in state.items()}, asdict(shape))


def average_weights(path: Path, parts: Sequence[Path]) -> None:
    """Write the mean of several files of one shape; it is often better if they started from the same weights."""
    loaded = [load_weights(part) for part in parts]
    names = loaded[0][0]
    means = {name: np.stack([arrays[name] for arrays, _ in loaded]).mean(0) for name in names}
    _write(path, means, loaded[0][1])


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
        return arrays, json.loads(file["header"].tobytes())


@lru_cache(maxsize=2)
def release_name(path: Path = WEIGHTS) -> str:
    """Return the release name of these weights: the beginning of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
