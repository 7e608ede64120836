"""Minecraft's commands, as far as MineDojo takes them and the voxel worlds can follow."""

import logging
import re
from collections.abc import Callable, Sequence

import numpy as np

from trunkline.envs.minecraft import inventory
from trunkline.envs.minecraft.dojo.game import Game
from trunkline.envs.minecraft.dojo.names import NotSimulatedError, item_number, not_simulated, placed_state
from trunkline.envs.minecraft.dojo.options import DAY
from trunkline.envs.minecraft.entities import ENTITIES, entity_kind, spawn
from trunkline.envs.minecraft.items import items
from trunkline.errors import InputError

_TIMES = {"day": 1000, "noon": 6000, "night": 13000, "midnight": 18000}
_SELF = ("@p", "@s", "@a", "")
_CHOSEN = re.compile(r"@e\[type=(?:minecraft:)?(!?)(\w+)\]")
_SLOT = re.compile(r"slot\.(weapon|hotbar|inventory|armor)\.?(\w*)")
_logger = logging.getLogger(__name__)


def mob_kind(name: str) -> int:
    """Number of a mob of MineDojo's name.

    Raises:
        NotSimulatedError: there is none.
    """
    mobs = [entity.name for entity in ENTITIES if entity.health]
    if (plain := name.removeprefix("minecraft:").lower()) not in mobs:
        raise not_simulated("mob", name, mobs)
    return entity_kind(plain)


class Commands:
    """Follows commands in a game.

    Args:
        game: the world.
        rng: for `/spreadplayers`.
    """

    def __init__(self, game: Game, rng: np.random.Generator) -> None:
        self.game, self.rng = game, rng
        self._known: dict[str, Callable[[list[str], str], None]] = {
            "summon": self._summon,
            "kill": self._kill,
            "time": self._time,
            "weather": self._weather,
            "replaceitem": self._replace_item,
            "tp": self._teleport,
            "clear": self._clear,
            "setblock": self._set_block,
            "spreadplayers": self._spread,
            "give": self._give,
        }

    def follow(self, command: str) -> None:
        """Do what a command says, before the next tick. One that MineDojo does not know is skipped with a warning.

        Raises:
            InputError: arguments that make no sense, or with `raise_error_on_invalid_cmds` an unknown command.
            NotSimulatedError: something that the voxel worlds have not.
        """
        words = command.split()
        name = words[0].removeprefix("/") if words else ""
        if not command.startswith("/") or name not in self._known:
            if self.game.options.raise_error_on_invalid_cmds:
                known = ", ".join(f"/{name}" for name in sorted(self._known))
                raise InputError(f"unknown command {command!r}; known: {known}")
            _logger.warning("unknown command %r is skipped", command)
            return
        try:
            self._known[name](words[1:], command)
        except (IndexError, ValueError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"command {command!r}: its arguments are incomplete or no numbers") from None
        self.game.simulation.look()

    def _place(self, words: Sequence[str]) -> np.ndarray:
        """(3,) a position, where ~ stands for the agent's."""
        here = np.asarray(self.game.read("position"), np.float64)
        found = [here[k] + float(w[1:] or 0) if w.startswith("~") else float(w) for k, w in enumerate(words[:3])]
        return np.asarray([found[0], found[1], found[2]])

    def _summon(self, words: list[str], command: str) -> None:
        kind = mob_kind(words[0])
        where = self._place(words[1:4]) if len(words) > 1 else np.asarray(self.game.read("position"))
        spawn(self.game.worlds, 0, kind, where)

    def _kill(self, words: list[str], command: str) -> None:
        who = words[0] if words else ""
        if who in _SELF:
            self.game.write("health", 0.0)
            return
        chosen = _CHOSEN.fullmatch(who)
        if chosen is None or chosen[2] == "player":
            raise NotSimulatedError(f"command {command!r}: only @p, @s, @a and @e[type=…] are simulated")
        kinds = np.array(self.game.read("kind"))
        same = np.array([ENTITIES[kind].name == chosen[2] for kind in kinds])
        kinds[~same if chosen[1] else same] = 0
        self.game.write("kind", kinds)

    def _time(self, words: list[str], command: str) -> None:
        if words[0] not in ("set", "add"):
            raise NotSimulatedError(f"command {command!r}: only /time set and /time add are simulated")
        ticks = _TIMES[words[1]] if words[1] in _TIMES else int(words[1])
        first = int(self.game.read("day")) if words[0] == "add" else 0
        self.game.write("day", (first + ticks) % DAY)

    def _weather(self, words: list[str], command: str) -> None:
        if words[0] not in ("clear", "normal"):
            raise NotSimulatedError(f"weather {words[0]!r} is not simulated; the sky is always clear")

    def _replace_item(self, words: list[str], command: str) -> None:
        found = _SLOT.fullmatch(words[2])
        if words[0] != "entity" or words[1] not in _SELF or found is None:
            raise NotSimulatedError(f"command {command!r}: only the agent's slots are simulated")
        where, which = found.groups()
        if where == "armor" or which == "offhand":
            raise NotSimulatedError(f"command {command!r}: neither armour nor the off hand is simulated")
        slot = 0 if where == "weapon" else int(which) + (9 if where == "inventory" else 0)
        self.set_slot(slot, words[3], int(words[4]) if len(words) > 4 else 1, int(words[5]) if len(words) > 5 else 0)

    def set_slot(self, slot: int, name: str, count: int = 1, variant: int = 0) -> None:
        """Put items of MineDojo's name into a slot, instead of what is there; "air" empties it."""
        number = 0 if name.removeprefix("minecraft:") == "air" else item_number(name, variant)
        for field in ("item", "count", "durability"):
            values = np.array(self.game.read(field))
            values[slot] = 0
            self.game.write(field, values)
        if number:
            inventory.give(self.game.worlds, 0, number, count, slot)

    def _teleport(self, words: list[str], command: str) -> None:
        words = words[1:] if words[0] in _SELF else words
        where = self._place(words)
        turned = [float(word) for word in words[3:5]]
        now = [float(self.game.read("yaw")), float(self.game.read("pitch"))]
        yaw, pitch = turned if len(turned) == 2 else now
        self.game.simulation.place_agent(0, where.tolist(), yaw, pitch)

    def _clear(self, words: list[str], command: str) -> None:
        if (words[0] if words else "") not in _SELF or len(words) > 1:
            raise NotSimulatedError(f"command {command!r}: only /clear of everything is simulated")
        inventory.clear(self.game.worlds, 0)

    def _set_block(self, words: list[str], command: str) -> None:
        cell = np.floor(self._place(words[:3])).astype(np.int64)
        state = placed_state(words[3], int(words[4]) if len(words) > 4 else 0)
        self.game.simulation.set_blocks(0, cell[None], state)

    def _spread(self, words: list[str], command: str) -> None:
        x, z = (self._place([words[0], "~", words[1]]))[[0, 2]]
        most = float(words[3])
        self.game.simulation.place_agent(0, self.game.standing(*(np.array([x, z]) + self.rng.uniform(-most, most, 2))))

    def _give(self, words: list[str], command: str) -> None:
        if words[0] not in _SELF:
            raise NotSimulatedError(f"command {command!r}: there is one agent only, @p")
        number = item_number(words[1], int(words[3]) if len(words) > 3 else 0)
        count = int(words[2]) if len(words) > 2 else 1
        if not 1 <= count <= items()[number].stack * inventory_slots(self.game):
            raise InputError(f"command {command!r}: choose 1 or more pieces that fit into the inventory")
        inventory.give(self.game.worlds, 0, number, count)


def inventory_slots(game: Game) -> int:
    """How many slots there are."""
    return int(np.asarray(game.read("item")).shape[0])
