"""The weights file: named float16 arrays, and the shape of the network that they are for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).parent / "weights.npz"
Arrays = dict[str, NDArray[np.float32]]


def save_weights(path: Path, state: Mapping[str, Any], shape: Any) -> None:
    """Write a torch state_dict and its Shape, in place of what was there only when whole."""
    arrays = {name: tensor.detach().numpy().astype(np.float16) for name, tensor in state.items()}
    header = np.frombuffer(json.dumps(asdict(shape)).encode(), dtype=np.uint8)
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, header=header, **arrays)
    part.replace(path)


def load_weights(path: Path = WEIGHTS) -> tuple[Arrays, dict[str, int]]:
    """Return the arrays as float32, and the shape's fields."""
    with np.load(path) as file:
        arrays = {name: file[name].astype(np.float32) for name in file.files if name != "header"}
        return arrays, json.loads(file["header"].tobytes())


@lru_cache(maxsize=2)
def release_of(path: Path = WEIGHTS) -> str:
    """Return what names these weights: the beginning of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
