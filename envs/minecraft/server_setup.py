"""Installing the protocol server's packages, and trying it."""

import time
from collections.abc import Callable

import numpy as np

from trunkline.envs.minecraft.packages import find_node, find_npm
from trunkline.envs.minecraft.server import MINECRAFT, MinecraftServer, ServerConfig
from trunkline.envs.minecraft.server_observation import control_bits
from trunkline.envs.minecraft.server_process import PACKAGES

_STEPS = 200


def install(say: Callable[[str], None]) -> None:
    """Install the server's Node packages into the user's cache, unless they are there.

    Raises:
        InputError: Node.js or npm is missing or too old, or npm failed.
    """
    if PACKAGES.installed:
        say(f"{PACKAGES.name} is installed in {PACKAGES.folder}")
        return
    node, npm = find_node(), find_npm()
    say(f"installing {PACKAGES.name} with npm {npm.version} and Node.js {node.version} (about 500 MB) …")
    say(f"{PACKAGES.name} is installed in {PACKAGES.install()}")


def check() -> str:
    """Start a server and walk on it; one line of what was found.

    Raises:
        InputError: Node.js is missing or too old, or the packages are not installed.
        RemoteError: the server does not work.
    """
    node = find_node()
    began = time.perf_counter()
    with MinecraftServer(ServerConfig()) as server:
        started = time.perf_counter() - began
        observation = server.reset(pose=(0.5, 5, 0.5, 0, 0))
        began = time.perf_counter()
        for _ in range(_STEPS):
            observation = server.step(control_bits("forward"), (0, 0))
        rate = _STEPS / (time.perf_counter() - began)
        far = float(np.hypot(*(observation.pose[0, [0, 2]] - 0.5)))
        memory = server.memory_mb()
    return (
        f"{PACKAGES.name}: Minecraft {MINECRAFT} on Node.js {node.version}, ready in {started:.1f} s, "
        f"walked {far:.1f} blocks in {_STEPS} steps, {rate:.0f} steps/s, {memory:.0f} MB"
    )
