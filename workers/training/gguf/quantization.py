"""What a weight becomes in a GGUF of some type: llama.cpp's mixes, and its own quantizer.

A mix such as Q4_K_M gives most weights its base type and those that suffer more a finer one. The rules are those of
llama.cpp (`src/llama-quant.cpp`, b11739) for dense models without an importance matrix.
"""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gguf import GGML_QUANT_SIZES, LlamaFileType
from gguf import GGMLQuantizationType as Kind

from ...errors import ExportError, did_you_mean

if TYPE_CHECKING:
    import numpy

PLAIN = {"F32": Kind.F32, "F16": Kind.F16, "BF16": Kind.BF16}
MIXES = {
    "Q8_0": Kind.Q8_0,
    "Q6_K": Kind.Q6_K,
    "Q5_K_M": Kind.Q5_K,
    "Q5_K_S": Kind.Q5_K,
    "Q5_1": Kind.Q5_1,
    "Q5_0": Kind.Q5_0,
    "Q4_K_M": Kind.Q4_K,
    "Q4_K_S": Kind.Q4_K,
    "Q4_1": Kind.Q4_1,
    "Q4_0": Kind.Q4_0,
    "IQ4_NL": Kind.IQ4_NL,
    "IQ4_XS": Kind.IQ4_XS,
    "Q3_K_L": Kind.Q3_K,
    "Q3_K_M": Kind.Q3_K,
    "Q3_K_S": Kind.Q3_K,
    "Q2_K": Kind.Q2_K,
}
"""Each mix and its base type, from the largest to the smallest."""
TYPES = {**PLAIN, **MIXES}

FALLBACKS = {Kind.Q6_K: Kind.Q8_0, Kind.Q5_K: Kind.Q5_1, Kind.Q4_K: Kind.Q5_0, Kind.IQ4_XS: Kind.IQ4_NL}
"""For rows that no block of 256 weights divides; their own blocks have 32."""
PART = re.compile(r"^(?:blk\.(?P<layer>\d+)\.)?(?P<part>\w+)\.(?:weight|bias)$")
CHUNK_WEIGHTS = 2**24
"""Weights that are quantized at a time by one thread."""


@dataclass(frozen=True, slots=True)
class ModelShape:
    """What the mixes ask of a model."""

    layers: int
    heads: int
    key_value_heads: int
    tied: bool
    """The token embeddings are the output's weights, too."""

    def gets_more_bits(self, layer: int) -> bool:
        """Whether this layer is one that gets more bits: the first and last eighth, and every third between."""
        eighth = self.layers // 8
        return layer < eighth or layer >= 7 * self.layers // 8 or (layer - eighth) % 3 == 2

    @property
    def shared(self) -> int:
        """Query heads that share one key and value."""
        return self.heads // self.key_value_heads


Rule = Callable[[int, ModelShape], Kind | None]
RULES: dict[tuple[str, str], Rule] = {
    ("attn_v", "Q5_K_M"): lambda layer, shape: Kind.Q6_K if shape.gets_more_bits(layer) else None,
    ("attn_v", "Q4_K_M"): lambda layer, shape: Kind.Q6_K if shape.gets_more_bits(layer) else None,
    ("attn_v", "Q4_K_S"): lambda layer, shape: Kind.Q5_K if layer < 4 else None,
    ("attn_v", "IQ4_NL"): lambda layer, shape: Kind.Q5_K if shape.shared >= 4 else None,
    ("attn_v", "IQ4_XS"): lambda layer, shape: Kind.Q5_K if shape.shared >= 4 else None,
    ("attn_v", "Q3_K_L"): lambda layer, shape: Kind.Q5_K,
    ("attn_v", "Q3_K_M"): lambda layer, shape: Kind.Q5_K if layer < 2 else Kind.Q4_K,
    ("attn_v", "Q2_K"): lambda layer, shape: Kind.Q4_K if shape.shared >= 4 else Kind.Q3_K,
    ("ffn_down", "Q5_K_M"): lambda layer, shape: Kind.Q6_K if shape.gets_more_bits(layer) else None,
    ("ffn_down", "Q4_K_M"): lambda layer, shape: Kind.Q6_K if shape.gets_more_bits(layer) else None,
    ("ffn_down", "Q4_K_S"): lambda layer, shape: Kind.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "IQ4_NL"): lambda layer, shape: Kind.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "IQ4_XS"): lambda layer, shape: Kind.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "Q3_K_L"): lambda layer, shape: Kind.Q5_K,
    ("ffn_down", "Q3_K_M"): lambda layer, shape: Kind.Q5_K if layer < shape.layers // 16 else Kind.Q4_K,
    ("ffn_down", "Q2_K"): lambda layer, shape: Kind.Q3_K,
    ("attn_output", "Q3_K_L"): lambda layer, shape: Kind.Q5_K,
    ("attn_output", "Q3_K_M"): lambda layer, shape: Kind.Q4_K,
    ("attn_output", "Q2_K"): lambda layer, shape: Kind.Q3_K,
}


def file_type(name: str) -> LlamaFileType:
    """Return llama.cpp's number for a file of that type."""
    return LlamaFileType["ALL_F32" if name == "F32" else f"MOSTLY_{name}"]


def read_type(name: str) -> str:
    """Return the name of a GGUF type as llama.cpp writes it.

    Raises:
        ExportError: there is no such type.
    """
    known = {kind.lower(): kind for kind in TYPES}
    if name.lower() not in known:
        hint = f"{did_you_mean(name.lower(), known)}\nall there are: {', '.join(TYPES)}"
        raise ExportError(f"there is no GGUF type {name!r}", hint=hint)
    return known[name.lower()]


def tensor_type(name: str, shape: tuple[int, ...], mix: str, model: ModelShape) -> tuple[Kind, Kind]:
    """Return a weight's type in that mix, and the type that the mix wants for it: they differ where its rows
    have no whole number of blocks.

    Args:
        name: the weight's name in the GGUF, e.g. `blk.0.attn_v.weight`.
        shape: rows and columns.
        mix: one of TYPES.
        model: what the mixes ask of the model.
    """
    if len(shape) == 1 or name.endswith("_norm.weight"):
        return Kind.F32, Kind.F32
    if mix in PLAIN:
        return PLAIN[mix], PLAIN[mix]
    wanted = _wanted(name, shape[-1], mix, model)
    kind = wanted
    if shape[-1] % block_size(kind):
        kind = FALLBACKS.get(kind, Kind.Q4_0)
    if shape[-1] % block_size(kind):
        kind = Kind.F16
    return kind, wanted


def _wanted(name: str, columns: int, mix: str, model: ModelShape) -> Kind:
    match = PART.match(name)
    part, layer = (match["part"], int(match["layer"] or 0)) if match else (name, 0)
    base = MIXES[mix]
    if part == "output" or (part == "token_embd" and model.tied):
        return Kind.Q8_0 if base is Kind.Q8_0 or columns % block_size(base) else Kind.Q6_K
    rule = RULES.get((part, mix))
    wanted = (rule(layer, model) if rule else None) or base
    if part == "attn_v" and model.layers == 80 and model.shared > 1 and wanted in (Kind.Q3_K, Kind.Q4_K):
        return Kind.Q5_K  # Of the 70-billion models: their values are small, and eight heads share them.
    return wanted


def block_size(kind: Kind) -> int:
    """Return how many weights share a scale."""
    size: int = GGML_QUANT_SIZES[kind][0]
    return size


def size_in_bytes(shape: tuple[int, ...], kind: Kind) -> int:
    """Return how much a weight of that shape takes."""
    count = 1
    for length in shape:
        count *= length
    weights, size = GGML_QUANT_SIZES[kind]
    return count // weights * int(size)


def quantize(weights: numpy.ndarray[Any, Any], kind: Kind) -> numpy.ndarray[Any, Any]:
    """Return weights as llama.cpp packs them.

    Args:
        weights: float32, rows and columns; a row's length is divided by the type's block.

    Returns: the bytes, one dimension.
    """
    import numpy as np

    rows, columns = weights.shape
    packed = np.empty(size_in_bytes(weights.shape, kind), np.uint8)
    source = weights.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    target = packed.ctypes.data_as(ctypes.c_void_p)
    quantize = _quantizer()

    def work(part: tuple[int, int]) -> None:
        first, count = part
        quantize(int(kind), source, target, first * columns, count, columns, None)

    with ThreadPoolExecutor() as threads:
        list(threads.map(work, _chunks(rows, columns)))
    return packed


def _chunks(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    step = max(1, CHUNK_WEIGHTS // columns)
    for first in range(0, rows, step):
        yield first, min(step, rows - first)


@cache
def _quantizer() -> Any:
    """Return ggml's `ggml_quantize_chunk` (`ggml/include/ggml.h`) out of the library that the engine runs on.

    Raises:
        ExportError: this build of xllamacpp does not show it.
    """
    from xllamacpp import xllamacpp

    try:
        function = ctypes.CDLL(xllamacpp.__file__).ggml_quantize_chunk
    except (AttributeError, OSError) as error:
        hint = "export as F16, then: llama-quantize FROM.gguf TO.gguf Q4_K_M   (a program of llama.cpp)"
        raise ExportError(f"xllamacpp on this machine shows no quantizer: {error}", hint=hint) from error
    function.restype = ctypes.c_size_t
    function.argtypes = [
        *(ctypes.c_int, ctypes.POINTER(ctypes.c_float), ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    ]
    return function
