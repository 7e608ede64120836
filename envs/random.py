"""Seeded draws that do not depend on the order or the number of other draws."""

import zlib

import numpy as np


def generator(*key: int | str) -> np.random.Generator:
    """A generator named by a key, e.g. `generator("tabletop/push", "train", seed, index)`.

    Equal keys give equal streams in every process; keys that differ anywhere give independent ones.
    """
    words: list[int] | np.ndarray = [zlib.crc32(k.encode()) if isinstance(k, str) else k for k in key]
    if all(0 <= word < 2**32 for word in words):  # the same entropy, read many times faster from an array
        words = np.array(words, np.uint32)
    return np.random.default_rng(np.random.SeedSequence(words))
