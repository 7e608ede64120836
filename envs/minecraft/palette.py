"""Block states of the protocol of 1.16.5, and what we show for each."""

import functools
from collections import Counter
from dataclasses import dataclass

import numpy as np

from trunkline.envs.minecraft.blocks import AIR, block_names, block_state, block_states, load, states_of
from trunkline.errors import InputError


@dataclass(frozen=True)
class Palette:
    """Tables by the protocol's id.

    Attributes:
        state: (N,) uint8, our state.
        exact: (N,) bool, whether it is that very state.
        known: (N,) bool, whether it is at least a state of that very block.
        block: (N,) int16, index of the block's name in `names`.
        names: of all blocks of 1.16.5.
    """

    state: np.ndarray
    exact: np.ndarray
    known: np.ndarray
    block: np.ndarray
    names: tuple[str, ...]


@functools.cache
def palette() -> Palette:
    """The table of all ids: our state where we have it, the nearest of the block's states, or of a like block."""
    data = load("palette")
    ours = {entry.palette_id: entry.number for entry in block_states()}
    counts = {}
    for word in data["blocks"].split():
        name, _, count = word.rstrip("~").partition(":")
        counts[name] = int(count or 1)
    starts = dict(zip(counts, np.cumsum([0, *counts.values()]).tolist(), strict=False))
    state: list[int] = []
    for word in data["blocks"].split():
        name = word.rstrip("~").partition(":")[0]
        like = name if name in block_names() else _like(name, data["nearest"])
        for offset in range(counts[name]):
            if like is None:
                state.append(AIR if word.endswith("~") else block_state("stone"))
            elif counts[like] == counts[name]:  # they have the same properties
                state.append(ours.get(starts[like] + offset, _closest(like, starts[like] + offset)))
            else:
                state.append(block_state(like))
    block = np.repeat(np.arange(len(counts)), list(counts.values()))
    exact = np.isin(np.arange(len(state)), list(ours))
    known = np.asarray([name in block_names() for name in counts])[block]
    return Palette(np.asarray(state, np.uint8), exact, known, block.astype(np.int16), tuple(counts))


def _closest(name: str, palette_id: int) -> int:
    # The first properties count most in an id, so the nearest id differs in the last ones.
    return min(states_of(name), key=lambda state: abs(state.palette_id - palette_id)).number


def _like(name: str, patterns: list[tuple[str, str]]) -> str | None:
    """The block of ours that stands in for another."""
    for pattern, target in patterns:
        head, star, tail = pattern.partition("*")
        fits = name.startswith(head) and name.endswith(tail) and len(name) > len(head) + len(tail)
        if name == pattern or (star and fits):
            found = target.format(name[len(head) : len(name) - len(tail)])
            if found in block_names():
                return found
    return None


def palette_to_state(palette_id: int) -> int:
    """Our state for an id of the protocol.

    Raises:
        InputError: no block of 1.16.5 has that id.
    """
    table = palette().state
    if not 0 <= palette_id < len(table):
        raise InputError(f"block-state id {palette_id}: those of Minecraft 1.16.5 are 0 to {len(table) - 1}")
    return int(table[palette_id])


def palette_to_states(ids: np.ndarray, replaced: Counter[str] | None = None) -> np.ndarray:
    """Our states (uint8) for ids of the protocol, of any shape.

    Args:
        ids: integers.
        replaced: counts, by name, the cells whose block is not one of ours and is shown as another.

    Raises:
        InputError: no block of 1.16.5 has one of the ids.
    """
    table = palette()
    if ids.size and not 0 <= int(ids.min()) <= int(ids.max()) < len(table.state):
        raise InputError(f"block-state ids {ids.min()} to {ids.max()}: those of 1.16.5 are 0 to {len(table.state) - 1}")
    if replaced is not None:
        others = table.block[ids[~table.known[ids]]]
        for index, count in zip(*np.unique(others, return_counts=True), strict=True):
            replaced[table.names[int(index)]] += int(count)
    states: np.ndarray = table.state[ids]
    return states


@functools.cache
def state_to_palette() -> np.ndarray:
    """(S,) int32: the protocol's id of each of our states."""
    return np.asarray([state.palette_id for state in block_states()], np.int32)
