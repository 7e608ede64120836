"""The voxel world on one core: terrain at its default size, agents that walk and dig, after each tick a picture.

Pictures are RGB and segmentation. Reported are frames/s with the tick, rays/s of a 64 × 64 picture and its tick (both
in processor time of the one thread, which is wall-clock on a core of its own), memory a world, and how many times as
fast sight is as a plain ray caster that goes from cell to cell, on the same frames in turns. Asked for: 2,000 frames/s
and 10 million rays/s at 64 × 64, 4 times the plain caster, at most 8 MB a world.
Where Warp finds a CUDA device, thousands of worlds run there too: at least a million frames/s are asked for.

    python perf/voxel.py [worlds] [rounds]
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from trunkline.envs.minecraft.rules import make_rules
from trunkline.envs.minecraft.terrain import BIOMES, generate, surface_heights
from trunkline.envs.warp import start_warp

SIZES = (64, 128, 224)
NOTHING, ATTACK = 0, 3  # MineDojo's functions
TICKS = 10  # of a round


class Walkers:
    """Worlds of all biomes, in which the agents walk about and dig what is in their way.

    Args:
        count: W.
        device: of Warp.
    """

    def __init__(self, count: int, device: str) -> None:
        start_warp()
        from trunkline.envs.minecraft.clear import find_leaps
        from trunkline.envs.minecraft.simulation import Simulation
        from trunkline.envs.minecraft.state import DEFAULT_SIZE, Worlds

        self.rng = np.random.default_rng(0)
        self.worlds, self.device = Worlds(count, DEFAULT_SIZE, device=device), device
        self.rules = make_rules(device)
        rows = np.arange(count)
        land = generate(self.worlds.fields["blocks"], rows, rows, rows % len(BIOMES), DEFAULT_SIZE, device)
        find_leaps(self.worlds, self.rules, rows)
        self.simulation = Simulation(self.worlds, self.rules)
        nx, _, nz = DEFAULT_SIZE
        position, yaw = np.zeros((count, 3)), self.rng.uniform(-180, 180, count).astype(np.float32)
        blocks, tops = self.worlds.view("blocks"), land.tops.numpy().reshape(count, nx, nz)
        for w in rows:
            x, z = int(self.rng.integers(16, nx - 16)), int(self.rng.integers(16, nz - 16))
            # Thousands of worlds make do with the height of their ground, trees and houses left out.
            surface = surface_heights(blocks[w], DEFAULT_SIZE) if device == "cpu" else tops[w]
            position[w] = x + 0.5, surface[x, z] + 1, z + 0.5
        self.worlds.put("position", position)
        self.worlds.put("yaw", yaw)
        self.worlds.put("pitch", self.rng.normal(10, 10, count).astype(np.float32))
        self.worlds.put("active", np.ones(count, np.uint8))
        for _ in range(40):
            self.tick()

    def tick(self) -> None:
        """One tick: all walk, most of them dig, and look about a little; they jump now and then."""
        count = self.worlds.count
        control = np.zeros((count, 8), np.int32)
        control[:, 0], control[:, 3:5] = 1, 12
        control[:, 2] = self.rng.random(count) < 0.2
        control[:, 5] = np.where(self.rng.random(count) < 0.8, ATTACK, NOTHING)
        turn = self.rng.normal(0, (1.0, 4.0), (count, 2)).astype(np.float32)
        # Their gaze returns to a little below the horizon; on CUDA that would be a copy a tick.
        if self.device == "cpu":
            turn[:, 0] += 0.1 * (10 - self.worlds.view("pitch"))
        self.simulation.act(control, turn)
        self.simulation.tick()


def renderer(walkers: Walkers, size: int) -> Any:
    """Draws RGB and segmentation at a size."""
    from trunkline.envs.minecraft.render import Renderer

    return Renderer(walkers.worlds, walkers.rules, size, size, depth=False)


def seconds(work: Callable[[], object]) -> float:
    """Processor time of this thread that some work takes."""
    start = time.thread_time()
    work()
    return time.thread_time() - start


def measure(count: int, rounds: int) -> dict[str, float]:
    """The figures on this core: medians over rounds of TICKS ticks, with a picture of each agent after every one."""
    walkers = Walkers(count, "cpu")
    sights = {size: renderer(walkers, size) for size in SIZES}
    for sight in sights.values():
        sight.draw_agents()
    sights[64].draw_agents(skip=False)
    spent: dict[int, list[tuple[float, float]]] = {size: [] for size in SIZES}
    ratios = []
    for _ in range(rounds):
        for size, sight in sights.items():
            tick, draw = 0.0, 0.0
            for _ in range(TICKS):
                tick += seconds(walkers.tick)
                draw += seconds(sight.draw_agents)
            spent[size].append((tick, draw))
        for _ in range(TICKS // 2):
            walkers.tick()
            leaping = seconds(sights[64].draw_agents)
            ratios.append((seconds(lambda: sights[64].draw_agents(skip=False)), leaping))
    frames = count * TICKS
    figures = {}
    for size in SIZES:
        tick, draw = np.median(spent[size], axis=0)
        figures[f"fps_{size}"] = round(frames / (tick + draw))
        rays = frames * size**2 / draw / 1e6
        print(f"{size:3d}²: {frames / (tick + draw):8,.0f} frames/s with the tick; sight alone {rays:5.1f} Mrays/s")
    slow, fast = np.array(ratios).T
    tick = float(np.median([tick for size in SIZES for tick, _ in spent[size]]))
    plain = count * 64**2 / float(np.median(slow)) / 1e6
    print(f"tick: {frames / tick:,.0f} worlds/s; plain caster {plain:.2f} Mrays/s")
    held = sum(field.capacity for field in walkers.worlds.fields.values())
    return figures | {
        "mrays_per_s": round(figures["fps_64"] * 64**2 / 1e6, 2),
        "mb_per_world": round(held / count / 1e6, 2),
        "ratio_plain": round(float(np.median(slow / fast)), 2),
    }


def measure_cuda(count: int) -> dict[str, float]:
    """Frames/s at 64 × 64 of thousands of worlds on a GPU, with and without the tick, wall-clock."""
    wp = start_warp()
    walkers = Walkers(count, "cuda:0")
    sight = renderer(walkers, 64)
    figures = {}
    parts = {"cuda_fps_64": (walkers.tick, sight.draw_agents), "cuda_sight_fps_64": (sight.draw_agents,)}
    for name, works in parts.items():
        for repeats in (3, 30):
            wp.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                for work in works:
                    work()
            wp.synchronize()
            figures[name] = round(count * repeats / (time.perf_counter() - start))
    return figures


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    wp = start_warp()
    figures = measure(count, rounds)
    if wp.is_cuda_available():
        figures |= measure_cuda(4096)
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
