"""The type of each weight in a GGUF: llama.cpp's mixes, and its own quantizer.

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
from gguf import GGMLQuantizationType as GGMLType

from ...errors import ExportError, did_you_mean

if TYPE_CHECKING:
    import numpy

PLAIN = {"F32": GGMLType.F32, "F16": GGMLType.F16, "BF16": GGMLType.BF16}
# Each mix of types and the type of most of its weights, from the largest to the smallest.
MIXES = {
    "Q8_0": GGMLType.Q8_0,
    "Q6_K": GGMLType.Q6_K,
    "Q5_K_M": GGMLType.Q5_K,
    "Q5_K_S": GGMLType.Q5_K,
    "Q5_1": GGMLType.Q5_1,
    "Q5_0": GGMLType.Q5_0,
    "Q4_K_M": GGMLType.Q4_K,
    "Q4_K_S": GGMLType.Q4_K,
    "Q4_1": GGMLType.Q4_1,
    "Q4_0": GGMLType.Q4_0,
    "IQ4_NL": GGMLType.IQ4_NL,
    "IQ4_XS": GGMLType.IQ4_XS,
    "Q3_K_L": GGMLType.Q3_K,
    "Q3_K_M": GGMLType.Q3_K,
    "Q3_K_S": GGMLType.Q3_K,
    "Q2_K": GGMLType.Q2_K,
}
TYPES = {**PLAIN, **MIXES}

# Types with blocks of 32 weights, for rows whose length is no multiple of 256.
FALLBACKS = {
    GGMLType.Q6_K: GGMLType.Q8_0,
    GGMLType.Q5_K: GGMLType.Q5_1,
    GGMLType.Q4_K: GGMLType.Q5_0,
    GGMLType.IQ4_XS: GGMLType.IQ4_NL,
}
PART = re.compile(r"^(?:blk\.(?P<layer>\d+)\.)?(?P<part>\w+)\.(?:weight|bias)$")
CHUNK_WEIGHTS = 2**24  # Weights that are quantized at a time by one thread.


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The properties of a model that the mixes depend on."""

    layers: int
    heads: int
    key_value_heads: int
    tied: bool  # The token embeddings are the output's weights, too.

    def gets_more_bits(self, layer: int) -> bool:
        """Whether this layer is one that gets more bits: the first and last eighth, and every third between."""
        eighth = self.layers // 8
        return layer < eighth or layer >= 7 * self.layers // 8 or (layer - eighth) % 3 == 2

    @property
    def shared(self) -> int:
        """Query heads that share one key and value."""
        return self.heads // self.key_value_heads


Rule = Callable[[int, ModelShape], GGMLType | None]
RULES: dict[tuple[str, str], Rule] = {
    ("attn_v", "Q5_K_M"): lambda layer, shape: GGMLType.Q6_K if shape.gets_more_bits(layer) else None,
    ("attn_v", "Q4_K_M"): lambda layer, shape: GGMLType.Q6_K if shape.gets_more_bits(layer) else None,
    ("attn_v", "Q4_K_S"): lambda layer, shape: GGMLType.Q5_K if layer < 4 else None,
    ("attn_v", "IQ4_NL"): lambda layer, shape: GGMLType.Q5_K if shape.shared >= 4 else None,
    ("attn_v", "IQ4_XS"): lambda layer, shape: GGMLType.Q5_K if shape.shared >= 4 else None,
    ("attn_v", "Q3_K_L"): lambda layer, shape: GGMLType.Q5_K,
    ("attn_v", "Q3_K_M"): lambda layer, shape: GGMLType.Q5_K if layer < 2 else GGMLType.Q4_K,
    ("attn_v", "Q2_K"): lambda layer, shape: GGMLType.Q4_K if shape.shared >= 4 else GGMLType.Q3_K,
    ("ffn_down", "Q5_K_M"): lambda layer, shape: GGMLType.Q6_K if shape.gets_more_bits(layer) else None,
    ("ffn_down", "Q4_K_M"): lambda layer, shape: GGMLType.Q6_K if shape.gets_more_bits(layer) else None,
    ("ffn_down", "Q4_K_S"): lambda layer, shape: GGMLType.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "IQ4_NL"): lambda layer, shape: GGMLType.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "IQ4_XS"): lambda layer, shape: GGMLType.Q5_K if layer < shape.layers // 8 else None,
    ("ffn_down", "Q3_K_L"): lambda layer, shape: GGMLType.Q5_K,
    ("ffn_down", "Q3_K_M"): lambda layer, shape: GGMLType.Q5_K if layer < shape.layers // 16 else GGMLType.Q4_K,
    ("ffn_down", "Q2_K"): lambda layer, shape: GGMLType.Q3_K,
    ("attn_output", "Q3_K_L"): lambda layer, shape: GGMLType.Q5_K,
    ("attn_output", "Q3_K_M"): lambda layer, shape: GGMLType.Q4_K,
    ("attn_output", "Q2_K"): lambda layer, shape: GGMLType.Q3_K,
}


def file_type(name: str) -> LlamaFileType:
    """Return llama.cpp's number for a file of that type."""
    return LlamaFileType["ALL_F32" if name == "F32" else f"MOSTLY_{name}"]


def read_type(name: str) -> str:
    """Return the name of a GGUF type as llama.cpp writes it.

    Raises:
        ExportError: there is no such type.
    """
    types = {ggml_type.lower(): ggml_type for ggml_type in TYPES}
    if name.lower() not in types:
        hint = f"{did_you_mean(name.lower(), types)}\nall there are: {', '.join(TYPES)}"
        raise ExportError(f"there is no GGUF type {name!r}", hint=hint)
    return types[name.lower()]


def tensor_type(name: str, shape: tuple[int, ...], mix: str, model: ModelShape) -> tuple[GGMLType, GGMLType]:
    """Return a weight's type in that mix, and the type that the mix has for it; they differ if its rows are
    not a whole number of blocks.

    Args:
        name: the weight's name in the GGUF, e.g. `blk.0.attn_v.weight`.
        shape: rows and columns.
        mix: one of TYPES.
        model: the properties that the mixes depend on.
    """
    if len(shape) == 1 or name.endswith("_norm.weight"):
        return GGMLType.F32, GGMLType.F32
    if mix in PLAIN:
        return PLAIN[mix], PLAIN[mix]
    preferred = _preferred_type(name, shape[-1], mix, model)
    ggml_type = preferred
    if shape[-1] % block_size(ggml_type):
        ggml_type = FALLBACKS.get(ggml_type, GGMLType.Q4_0)
    if shape[-1] % block_size(ggml_type):
        ggml_type = GGMLType.F16
    return ggml_type, preferred


def _preferred_type(name: str, columns: int, mix: str, model: ModelShape) -> GGMLType:
    match = PART.match(name)
    part, layer = (match["part"], int(match["layer"] or 0)) if match else (name, 0)
    base = MIXES[mix]
    if part == "output" or (part == "token_embd" and model.tied):
        return GGMLType.Q8_0 if base is GGMLType.Q8_0 or columns % block_size(base) else GGMLType.Q6_K
    rule = RULES.get((part, mix))
    preferred = (rule(layer, model) if rule else None) or base
    if part == "attn_v" and model.layers == 80 and model.shared > 1 and preferred in (GGMLType.Q3_K, GGMLType.Q4_K):
        return GGMLType.Q5_K  # Of the 70-billion models: their values are small, and eight heads share them.
    return preferred


def block_size(ggml_type: GGMLType) -> int:
    """Return how many weights share a scale."""
    size: int = GGML_QUANT_SIZES[ggml_type][0]
    return size


def size_in_bytes(shape: tuple[int, ...], ggml_type: GGMLType) -> int:
    """Return how much a weight of that shape takes."""
    count = 1
    for length in shape:
        count *= length
    weights, size = GGML_QUANT_SIZES[ggml_type]
    return count // weights * int(size)


def quantize(weights: numpy.ndarray[Any, Any], ggml_type: GGMLType) -> numpy.ndarray[Any, Any]:
    """Return weights as llama.cpp packs them.

    Args:
        weights: float32, rows and columns; a row's length is divided by the type's block.

    Returns: the bytes, one dimension.
    """
    import numpy as np

    rows, columns = weights.shape
    packed = np.empty(size_in_bytes(weights.shape, ggml_type), np.uint8)
    source = weights.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    target = packed.ctypes.data_as(ctypes.c_void_p)
    quantize = _quantizer()

    def work(part: tuple[int, int]) -> None:
        first, count = part
        quantize(int(ggml_type), source, target, first * columns, count, columns, None)

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
        raise ExportError(f"xllamacpp on this machine has no quantizer: {error}", hint=hint) from error
    function.restype = ctypes.c_size_t
    function.argtypes = [
        *(ctypes.c_int, ctypes.POINTER(ctypes.c_float), ctypes.c_void_p),
        *(ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p),
    ]
    return function
