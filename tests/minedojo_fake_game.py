"""Run by MineDojo's own Python: the bridge's server, with a fake of the game below MineDojo's `step`.

All of MineDojo runs but for its connection to Java. The game is a plain of grass at y = 4 with water to the west and a
trunk ahead; the agent walks, turns, and holds an axe.

    python minedojo_fake_game.py SERVER --socket PATH
"""

import importlib.util
import logging
import sys

import numpy as np

logging.disable(logging.CRITICAL)  # MineDojo writes a line for each of the statistics that the fake leaves out

from minedojo.sim.bridge import BridgeEnv  # noqa: E402
from minedojo.sim.bridge.bridge_env.bridge_env import StepTuple  # noqa: E402

# Name, meta, and MineDojo's flags, in the order in which Java sends them.
AIR = ("air", 0, True, True, False, False, False, False, False)
GRASS = ("grass block", 0, True, True, True, False, True, False, True)
WATER = ("water", 0, True, True, False, True, False, False, True)
LOG = ("wood", 2, True, True, True, False, True, True, True)
ALIEN = ("purpur block", 0, True, False, True, False, True, False, True)


def block(x, y, z):
    if y < 4:
        return GRASS
    if x < 8:
        return WATER
    return LOG if z >= 12 else ALIEN if z <= 6 else AIR


class Fake:
    """The state of the game, and what Java would say of it."""

    def __init__(self, xml):
        video, grid = xml[0].find(".//{*}VideoProducer"), xml[0].find(".//{*}Grid")
        self.rows, self.cols = (int(video.find(f"{{*}}{name}").text) for name in ("Height", "Width"))
        self.low, self.high = ([int(grid.find(f"{{*}}{end}").get(axis)) for axis in "xyz"] for end in ("min", "max"))
        self.x, self.y, self.z, self.yaw, self.pitch, self.life, self.axe = 8.5, 4.0, 9.5, 0.0, 0.0, 20.0, 1

    def act(self, commands):
        for line in commands.splitlines():
            word, *rest = line.split()
            if word == "forward" and rest == ["1"]:
                self.z += 0.2
            elif word == "camera":
                self.pitch, self.yaw = self.pitch + float(rest[0]), self.yaw + float(rest[1])
            elif word == "attack" and rest == ["1"]:
                self.life -= 1
            elif word == "place" and rest != ["none"]:
                self.axe = 0

    def observation(self):
        nothing = {"name": "air", "variant": 0, "quantity": 0, "max_durability": -1, "cur_durability": -1}
        slots = [dict(nothing, inventory="inventory") for _ in range(41)]
        if self.axe:
            slots[0].update(name="diamond_axe", quantity=1, max_durability=1561, cur_durability=1500)
        cell = [int(np.floor(v)) for v in (self.x, self.y, self.z)]
        voxels = []
        for z in range(self.low[2], self.high[2] + 1):
            for y in range(self.low[1], self.high[1] + 1):
                for x in range(self.low[0], self.high[0] + 1):
                    voxels += [*block(cell[0] + x, cell[1] + y, cell[2] + z), 0.5]
        picture = np.zeros((self.rows, self.cols, 3), np.uint8)
        picture[: self.rows // 2] = (0, 128, 0)  # Java sends the lowest row first
        picture[self.rows // 2 :] = (100, 150, 255)
        return {
            "pov": picture.tobytes(),
            "inventory": slots,
            "voxels": voxels,
            "xpos": self.x,
            "ypos": self.y,
            "zpos": self.z,
            "yaw": self.yaw,
            "pitch": self.pitch,
            "life": self.life,
            "food": 18,
            "saturation": 5.0,
            "air": 300,
            "armor": 0,
            "xp": 0,
            "is_sleeping": False,
            "is_alive": self.life > 0,
            "nearby_crafting_table": False,
            "nearby_furnace": False,
            "stat": {},
        }


def reset(self, episode, xml):
    self.fake, self._terminated = Fake(xml), False
    return {0: self.fake.observation()}


def step(self, commands):
    self.fake.act(commands[0])
    return StepTuple(step_success=True, raw_obs={0: self.fake.observation()})


BridgeEnv.reset, BridgeEnv.step = reset, step
spec = importlib.util.spec_from_file_location("minedojo_server", sys.argv[1])
server = importlib.util.module_from_spec(spec)
spec.loader.exec_module(server)
server.main()
