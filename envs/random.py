"""Seeded draws that do not depend on the order or the number of other draws."""

import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint32]

_HALF = np.uint32(16)  # bits
_MASK = 2**128 - 1
_PCG_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645


def _words(key: tuple[int | str, ...]) -> list[int]:
    return [zlib.crc32(k.encode()) if isinstance(k, str) else k for k in key]


def generator(*key: int | str) -> np.random.Generator:
    """A generator named by a key, e.g. `generator("tabletop/push", "train", seed, index)`.

    Equal keys give equal streams in every process; keys that differ anywhere give independent ones.
    """
    words: list[int] | np.ndarray = _words(key)
    if all(0 <= word < 2**32 for word in words):  # the same entropy, read many times faster from an array
        words = np.array(words, np.uint32)
    return np.random.default_rng(np.random.SeedSequence(words))


def generators(*key: int | str, count: int) -> Iterator[np.random.Generator]:
    """`generator(*key, 0)`, `generator(*key, 1)`, …: the same streams, several times cheaper.

    Each is valid until the next is asked for: one generator object is seeded anew. The seeds of all `count` are hashed
    at once, by the algorithm that NumPy's `SeedSequence` publishes and keeps stable.
    """
    words = _words(key)
    if any(not 0 <= word < 2**32 for word in words):  # a word of more than 32 bits takes more than one place
        yield from (generator(*key, index) for index in range(count))
        return
    rng = np.random.Generator(np.random.PCG64(0))
    state = dict(rng.bit_generator.state)
    for seed_high, seed_low, stream_high, stream_low in _seeds(words, count).tolist():
        increment = ((stream_high << 64 | stream_low) << 1 | 1) & _MASK
        seeded = (increment + (seed_high << 64 | seed_low)) * _PCG_MULTIPLIER + increment
        state["state"] = {"state": seeded & _MASK, "inc": increment}
        rng.bit_generator.state = state
        yield rng


def _seeds(words: list[int], count: int) -> npt.NDArray[np.uint64]:
    """`SeedSequence([*words, index]).generate_state(4, np.uint64)` of every index, (count, 4)."""
    entropy = [np.full(count, word, np.uint32) for word in words] + [np.arange(count, dtype=np.uint32)]
    constant = 0x43B0D7E5

    def scramble(value: Words) -> Words:
        nonlocal constant
        value = value ^ np.uint32(constant)
        constant = constant * 0x931E8875 & 0xFFFFFFFF
        value = value * np.uint32(constant)
        return value ^ (value >> _HALF)

    def mix(x: Words, y: Words) -> Words:
        mixed: Words = np.uint32(0xCA01F9DD) * x - np.uint32(0x4973F715) * y
        return mixed ^ (mixed >> _HALF)

    entropy += [np.zeros(count, np.uint32)] * (4 - len(entropy))
    pool = [scramble(word) for word in entropy[:4]]
    for source in range(4):
        for target in range(4):
            if source != target:
                pool[target] = mix(pool[target], scramble(pool[source]))
    for word in entropy[4:]:
        pool = [mix(slot, scramble(word)) for slot in pool]
    state = np.empty((count, 8), np.uint32)
    constant = 0x8B51F9DD
    for i in range(8):
        value = pool[i % 4] ^ np.uint32(constant)
        constant = constant * 0x58F38DED & 0xFFFFFFFF
        value = value * np.uint32(constant)
        state[:, i] = value ^ (value >> _HALF)
    return state.astype("<u4").view("<u8").astype(np.uint64)
