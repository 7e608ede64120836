"""What an inventory holds: items numbered from 0, which is nothing, with Minecraft's names and facts."""

import functools
from dataclasses import dataclass
from typing import Any

from trunkline.envs.minecraft.blocks import block_names, block_state, block_states, load
from trunkline.errors import unknown

NOTHING = 0


@dataclass(frozen=True)
class Item:
    """One item.

    Attributes:
        number: ours.
        name: Minecraft's, such as "iron_pickaxe"; "air" for nothing.
        kind: "none", "block", "material", "food", "tool", "sword", "bow" or "arrow".
        stack: how many fit into a slot: 64, 16 or 1.
        tool: its class ("pickaxe", "sword", …), "" for none.
        tier: 0 wood and gold, 1 stone, 2 iron, 3 diamond; -1 none.
        speed: of digging what its class is for; 1 as by hand.
        damage: half hearts of a full blow; 1 as by hand.
        attack_speed: blows a second; 4 as by hand.
        durability: uses, 0 for ever.
        food: half drumsticks that eating it gives, 0 not food.
        saturation: that eating it gives.
        places: number of the block state that it places, 0 none.
    """

    number: int
    name: str
    kind: str = "material"
    stack: int = 64
    tool: str = ""
    tier: int = -1
    speed: float = 1.0
    damage: float = 1.0
    attack_speed: float = 4.0
    durability: int = 0
    food: int = 0
    saturation: float = 0.0
    places: int = 0


@functools.cache
def items() -> tuple[Item, ...]:
    """All items; the index is the number."""
    facts: dict[str, dict[str, Any]] = {"air": {"kind": "none"}}
    for block in block_names():
        state = block_states()[block_state(block)]
        if state.item:
            facts.setdefault(state.item, {"kind": "block", "places": state.number})
    data = load("items")
    for name, (food, saturation) in data["foods"].items():
        facts[name] = {**facts.get(name, {}), "kind": "food", "food": food, "saturation": float(saturation)}
    facts["mushroom_stew"]["stack"] = 1
    for index, (made_of, tier) in enumerate(data["tiers"].items()):
        for tool, fact in data["tools"].items():
            facts[f"{made_of}_{tool}"] = _tool(tool, tier, fact, index)
    for name, fact in data["others"].items():
        facts[name] = {**fact, "durability": fact.get("uses", 0)}
        facts[name].pop("uses", None)
    for name in data["materials"]:
        facts[name] = {}
    return tuple(Item(number, name, **fact) for number, (name, fact) in enumerate(facts.items()))


def _tool(tool: str, tier: dict[str, Any], fact: dict[str, Any], index: int) -> dict[str, Any]:
    damage, attack_speed = (v[index] if isinstance(v, list) else v for v in (fact["damage"], fact["attack_speed"]))
    return {
        "kind": "sword" if tool == "sword" else "tool",
        "stack": 1,
        "tool": tool,
        "tier": tier["tier"],
        "speed": float(tier["speed"]),
        "damage": float(damage + tier["damage"]),
        "attack_speed": float(attack_speed),
        "durability": tier["uses"],
    }


@functools.cache
def _numbers() -> dict[str, int]:
    return {item.name: item.number for item in items()}


def item(name: str) -> int:
    """Number of an item.

    Raises:
        InputError: no such item, with the nearest match.
    """
    number = _numbers().get(name.removeprefix("minecraft:"))
    if number is None:
        raise unknown("item", name, _numbers())
    return number
