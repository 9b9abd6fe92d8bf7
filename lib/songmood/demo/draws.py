"""Random numbers that depend on the seed, the draw's name and the row's number, and on nothing else.

So a row is the same whichever partition, batch or machine makes it. The generator is the finalizer of
SplitMix64 (Steele, Lea, Flood 2014), a bijection of 64-bit integers, applied to whole arrays.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_STEP = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio: neighbors end up far apart


class Draws:
    """Named draws. `numbers` are the rows' numbers; with `count` each row gets that many columns."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def bits(self, name: str, numbers: Array, count: int | None = None) -> Array:
        """64 random bits for each number. Without `count`, different numbers get different bits."""
        digest = hashlib.blake2b(f"{self.seed}/{name}".encode(), digest_size=8).digest()
        salt = np.frombuffer(digest, dtype="<u8")
        mixed = _mix(numbers.astype(np.uint64) * _STEP + salt)
        if count is None:
            return _mix(mixed)
        return _mix(mixed[:, None] + np.arange(1, count + 1, dtype=np.uint64) * _STEP)

    def uniform(self, name: str, numbers: Array, count: int | None = None) -> Array:
        """Numbers between 0 and 1, both excluded."""
        return np.asarray(((self.bits(name, numbers, count) >> np.uint64(12)) + 0.5) * 2.0**-52)

    def chance(self, name: str, numbers: Array, rate: float) -> Array:
        """True for a share `rate` of the numbers."""
        return np.asarray(self.uniform(name, numbers) < rate)

    def below(self, name: str, numbers: Array, bound: int | Array, count: int | None = None) -> Array:
        """Integers from 0 to bound - 1."""
        return (self.uniform(name, numbers, count) * bound).astype(np.int64)

    def normal(self, name: str, numbers: Array, count: int) -> Array:
        """Standard normal numbers, by Box and Muller."""
        radius = np.sqrt(-2 * np.log(self.uniform(f"{name}/radius", numbers, count)))
        return np.asarray(radius * np.cos(2 * np.pi * self.uniform(f"{name}/angle", numbers, count)))

    def code(self, name: str, numbers: Array, alphabet: str, length: int) -> Array:
        """Strings of `length` letters of the alphabet, all letters equally likely."""
        letters = np.frombuffer(alphabet.encode("ascii"), dtype=np.uint8)
        picked = letters[self.below(name, numbers, len(letters), length)]
        return np.ascontiguousarray(picked).view(f"S{length}")[:, 0].astype(str).astype(object)


def pick(which: Array, ways: Sequence[Array | str]) -> Array:
    """For each row the string of one of the ways: an array, or a string that is the same for all rows."""
    columns = [np.broadcast_to(np.asarray(way, dtype=object), which.shape) for way in ways]
    return np.asarray(np.choose(which, columns), dtype=object)


def strings(values: Iterable[str]) -> Array:
    """The strings as an array of objects."""
    return np.array([*values], dtype=object)


def _mix(bits: Array) -> Array:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))
