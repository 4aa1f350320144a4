"""Activation maps and features as they are stored, and what a page needs to draw the maps.

A map says for each of six by six places how much it spoke for a class. The five maps came with the
answer, out of the same pass through the network; nothing is computed again. Model versions that saw
larger pictures answered seven by seven places, and what they answered is kept as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.labels import CellClass

SIDES = (6, 7)  # places in a row, and rows
FEATURES = 1280
STORED = np.dtype("<f2")  # half precision, the low byte first
MAP_BYTES = {len(CellClass) * side**2 * STORED.itemsize: side for side in SIDES}
FEATURE_BYTES = FEATURES * STORED.itemsize

Maps = list[list[list[float]]]  # by class, row and column


def pack_maps(maps: NDArray[np.float32]) -> bytes:
    """Five maps, in the order of the classes, as they are stored."""
    side = maps.shape[-1]
    if side not in SIDES:
        raise ValueError(f"maps of {side} places in a row, where {SIDES} are stored")
    return _pack(maps, (len(CellClass), side, side))


def pack_features(features: NDArray[np.float32]) -> bytes:
    """What the last layer saw, as it is stored."""
    return _pack(features, (FEATURES,))


def _pack(numbers: NDArray[np.float32], shape: tuple[int, ...]) -> bytes:
    if numbers.shape != shape:
        raise ValueError(f"{numbers.shape} numbers where {shape} are stored")
    largest = np.finfo(STORED).max  # an outlier stays the largest, and never becomes infinite
    return np.clip(numbers, -largest, largest).astype(STORED).tobytes()


def unpack_maps(stored: bytes) -> Maps:
    """The five maps, by class, row and column."""
    maps: Maps = _unpacked(stored).astype(float).round(4).tolist()
    return maps


def likeness(one: bytes, others: Sequence[bytes]) -> NDArray[np.float32]:
    """The cosine between these features and each of the others, as they are stored."""
    compared = np.frombuffer(b"".join([one, *others]), STORED).astype(np.float32)
    rows = compared.reshape(-1, FEATURES)
    lengths = np.linalg.norm(rows, axis=1)
    scaled = rows / np.where(lengths > 0, lengths, 1)[:, None]
    cosines: NDArray[np.float32] = scaled[1:] @ scaled[0]
    return cosines


def largest(stored: list[bytes]) -> float:
    """The most that any place of these cells spoke for any class; 0 where none did."""
    return max([0.0, *(float(_unpacked(maps).max()) for maps in stored)])


def _unpacked(stored: bytes) -> NDArray[np.float16]:
    side = MAP_BYTES[len(stored)]
    return np.frombuffer(stored, STORED).reshape(len(CellClass), side, side)


@dataclass(frozen=True, slots=True)
class Overlay:
    """The maps of one cell, and the value of full colour: one for the case's cells, to compare."""

    maps: Maps
    strongest: float

    def to_json(self) -> dict[str, object]:
        named = zip(CellClass, self.maps, strict=True)
        return {
            "maps": {cell_class.value: places for cell_class, places in named},
            "strongest": self.strongest,
        }
