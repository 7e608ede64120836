"""What the agent carries, seen from outside of a running world: giving, taking away, and listing."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.minecraft.items import item, items
from trunkline.errors import InputError


@dataclass(frozen=True)
class Stack:
    """What a slot holds."""

    slot: int
    name: str
    count: int
    uses: int  # left; 0 for what lasts for ever


def _number(name: str | int) -> int:
    number = item(name) if isinstance(name, str) else int(name)
    if not 0 < number < len(items()):
        raise InputError(f"item {name!r}: numbers are 1 to {len(items()) - 1}")
    return number


def _write(worlds: Any, **changed: np.ndarray) -> None:
    if worlds.device != "cpu":
        for name, values in changed.items():
            worlds.put(name, values)


def clear(worlds: Any, row: int) -> None:
    """Empty all slots of a world's agent."""
    fields = {name: worlds.view(name) for name in ("item", "count", "durability")}
    for values in fields.values():
        values[row] = 0
    _write(worlds, **fields)


def give(worlds: Any, row: int, name: str | int, count: int = 1, slot: int | None = None) -> None:
    """Put some of an item into the inventory.

    Args:
        worlds: `state.Worlds`.
        row: of the world.
        name: of the item, or its number.
        count: how many pieces.
        slot: 0 is the hand, and what was there is gone; left out, its kind is filled up first, then free slots.

    Raises:
        InputError: no such item or slot, or the inventory has no room for it.
    """
    number = _number(name)
    stack, uses = items()[number].stack, items()[number].durability
    held, counts, left = worlds.view("item"), worlds.view("count"), worlds.view("durability")
    if slot is not None:
        if not 0 <= slot < held.shape[1] or not 0 < count <= stack:
            raise InputError(f"{count} {items()[number].name} in slot {slot}: slots are 0 to 35 and hold {stack} of it")
        held[row, slot], counts[row, slot], left[row, slot] = number, count, uses
        _write(worlds, item=held, count=counts, durability=left)
        return
    same = np.flatnonzero((held[row] == number) & (counts[row] > 0) & (counts[row] < stack))
    free = np.flatnonzero(counts[row] == 0)
    if count < 1 or count > int((stack - counts[row, same]).sum()) + stack * len(free):
        raise InputError(f"{count} {items()[number].name}: world {row} has no room for it; clear slots")
    for place in (*same, *free):
        moved = min(count, stack - int(counts[row, place]))
        if moved:
            held[row, place], left[row, place] = number, uses
            counts[row, place] += moved
            count -= moved
    _write(worlds, item=held, count=counts, durability=left)


def stacks(worlds: Any, row: int) -> tuple[Stack, ...]:
    """What the slots hold that are not empty."""
    held, counts, left = (worlds.view(name)[row] for name in ("item", "count", "durability"))
    return tuple(
        Stack(int(slot), items()[int(held[slot])].name, int(counts[slot]), int(left[slot]))
        for slot in np.flatnonzero(counts)
    )


def amount(worlds: Any, row: int, name: str | int) -> int:
    """How many pieces of an item the agent carries."""
    return int(worlds.view("count")[row][worlds.view("item")[row] == _number(name)].sum())
