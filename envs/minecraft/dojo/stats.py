"""What Minecraft counts of an agent's doings, as far as tasks of MineDojo's ask for it."""

from collections import Counter
from typing import Any

import numpy as np

from trunkline.envs.minecraft.blocks import block_states
from trunkline.envs.minecraft.dojo.game import Game
from trunkline.envs.minecraft.dojo.masks import CRAFT, PLACE, USE
from trunkline.envs.minecraft.dojo.names import craft_names, item_names
from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.items import Item, items
from trunkline.envs.minecraft.recipes import minedojo_name

_WIELDED = ("tool", "sword")


class Stats:
    """Counters by MineDojo's names; they go on until the world is made anew.

    Attributes:
        counts: "kill_entity", "use_item", "mine_block" and "craft_item" by name, and "time_since_death" in ticks.
    """

    def __init__(self, game: Game) -> None:
        self.game = game
        self.counts: dict[str, Any] = {}
        self._before: dict[str, np.ndarray] = {}
        self.clear()

    def clear(self) -> None:
        """Begin at nothing."""
        self.counts = {"kill_entity": Counter(), "time_since_death": 0}
        self.counts |= {name: {"minecraft": Counter()} for name in ("use_item", "mine_block", "craft_item")}

    def begin_tick(self) -> None:
        """Remember how things are."""
        self._before = {name: np.array(self.game.read(name)) for name in ("item", "count", "kind", "draw")}

    def end_tick(self, action: np.ndarray, changed: Counter[str]) -> None:
        """Count what has happened.

        Args:
            action: MineDojo's, of this tick.
            changed: by how much the pieces of every item have changed, by MineDojo's names.
        """
        game, before = self.game, self._before
        self.counts["time_since_death"] += 1
        if (place := int(game.read("killed"))) >= 0:
            self.counts["kill_entity"][ENTITIES[int(before["kind"][place])].name] += 1
        if int(game.read("broken")) >= 0:
            block = block_states()[int(game.read("broken_state"))]
            self._add("mine_block", _block_name(block.item, block.name))
        for number in self._used(int(action[5]), int(action[7])):
            self._add("use_item", item_names()[number][0])
        if int(action[5]) == CRAFT and changed[name := craft_names()[int(action[6])]] > 0:
            self._add("craft_item", name, changed[name])

    def die(self) -> None:
        """The agent has died."""
        self.counts["time_since_death"] = 0

    def _used(self, function: int, slot: int) -> list[int]:
        """Items that were used: tools that broke or struck something, what was placed or eaten, a bow that shot."""
        game, before = self.game, self._before
        hand = int(before["item"][0])
        thing: Item = items()[hand]
        used: list[int] = []
        if thing.kind in _WIELDED and (int(game.read("broken")) >= 0 or int(game.read("struck")) >= 0):
            used.append(hand)
        if int(game.read("placed")) >= 0:
            used.append(int(before["item"][slot if function == PLACE else 0]))
        elif function == USE and thing.food and int(game.read("count")[0]) < int(before["count"][0]):
            used.append(hand)
        if thing.kind == "bow" and int(before["draw"]) > 0 and function != USE:
            arrow = int(np.asarray(self.game.rules.arrow.numpy())[0])
            pieces = [int(counts[kinds == arrow].sum()) for kinds, counts in self._quivers()]
            used += [hand] if pieces[1] < pieces[0] else []
        return used

    def _quivers(self) -> list[tuple[np.ndarray, np.ndarray]]:
        now = (np.asarray(self.game.read("item")), np.asarray(self.game.read("count")))
        return [(self._before["item"], self._before["count"]), now]

    def _add(self, kind: str, name: str, pieces: int = 1) -> None:
        self.counts[kind]["minecraft"][name] += pieces


def _block_name(item_name: str, block: str) -> str:
    for thing in items():
        if thing.name == item_name:
            return minedojo_name(thing.number)[0]
    return block
