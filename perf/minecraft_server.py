"""The protocol server in lockstep: steps/s with 32³ voxels for one and for four agents, and memory over 20,000 steps.

Agents walk at random over hills (128 x 64 x 128 blocks) and dig half of the time. Rates are environment steps (ticks
times agents), the median over stretches of 500 ticks, after a warm-up in which Node compiles what is hot. Memory is the
server's resident set after the warm-up and 20,000 ticks later. Limits: 900 and 1,200 steps/s, flat memory. Beside it:
the game's own pace, 20 ticks/s.
"""

import argparse
import json
import time

import numpy as np

from trunkline.envs.minecraft.server import MinecraftServer, ServerConfig, Terrain
from trunkline.envs.minecraft.server_observation import ACTIONS, CONTROLS, control_bits

GAME_TICKS_PER_S = 20
STONE, GRASS, DIRT, BEDROCK = 1, 9, 10, 33  # states of Minecraft 1.16.5's palette
STRETCH = 500
WARM_UP = 2000


def hills() -> Terrain:
    x, y, z = np.ogrid[:128, :64, :128]
    top = 24 + np.round(4 * np.sin(x / 9) + 4 * np.sin(z / 7)).astype(int)
    blocks = np.where(y < top - 3, STONE, np.where(y < top, DIRT, np.where(y == top, GRASS, 0))).astype(np.uint16)
    blocks[:, 0] = BEDROCK
    return Terrain(blocks)


def walk(server: MinecraftServer, rng: np.random.Generator, ticks: int) -> None:
    agents = server.config.agents
    for tick in range(ticks):
        if tick % 20 == 0:
            held = rng.integers(0, 1 << CONTROLS.index("sneak"), agents) | control_bits("forward")
            attack = rng.random(agents) < 0.5
        turn = np.stack([rng.normal(0, 5, agents), rng.normal(0, 3, agents)], 1)
        server.step(held, turn, np.where(attack, ACTIONS.index("attack"), 0), relative=True)


def measure(agents: int, ticks: int) -> dict[str, float]:
    """Environment steps/s, and MiB at the warm-up's end and at the end."""
    rng = np.random.default_rng(agents)
    with MinecraftServer(ServerConfig(agents=agents, generator="blocks"), hills()) as server:
        for agent in range(agents):
            server.reset(agent, pose=(40.5 + 16 * agent, 34, 64.5, 0, 0))
        walk(server, rng, WARM_UP)
        before, seconds = server.memory_mb(), []
        for _ in range(ticks // STRETCH):
            start = time.perf_counter()
            walk(server, rng, STRETCH)
            seconds.append(time.perf_counter() - start)
        return {"rate": agents * STRETCH / float(np.median(seconds)), "before": before, "after": server.memory_mb()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ticks", type=int, default=20_000, help="measured, of one agent; of four a quarter")
    ticks = parser.parse_args().ticks
    one, four = measure(1, ticks), measure(4, ticks // 4)
    print(f"one agent: {one['before']:.0f} MB, after {ticks} ticks {one['after']:.0f} MB; four: {four['after']:.0f} MB")
    figures = {
        "steps_per_s_1": round(one["rate"]),
        "steps_per_s_4": round(four["rate"]),
        "rss_growth_mb": round(one["after"] - one["before"], 1),
        "rss_mb": round(one["after"]),
        "over_game_1": round(one["rate"] / GAME_TICKS_PER_S, 1),
        "over_game_4": round(four["rate"] / GAME_TICKS_PER_S, 1),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
