"""The Node process that a protocol server and its players run in, and mineflayer's physics without a server.

Legend: T ticks.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trunkline.envs.minecraft.packages import NodePackages, find_node
from trunkline.envs.remote.process import RemoteProcess

PACKAGES = NodePackages("minecraft-server", Path(__file__).with_name("server"))


def require() -> None:
    """Pass if servers can be started here.

    Raises:
        InputError: the packages are not installed, or Node.js is missing or too old.
    """
    PACKAGES.require()
    find_node()


def start_process(folder: Path, timeout_s: float = 30.0) -> RemoteProcess:
    """The Node process of a server that is yet to be configured; it also answers `simulate`.

    Args:
        folder: of the installed packages.
        timeout_s: the deadline of a call.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("DEBUG", "NODE_OPTIONS")}
    environment["NODE_PATH"] = str(folder / "node_modules")
    return RemoteProcess(
        [find_node().path, str(PACKAGES.source / "index.js")],
        environment,
        name=PACKAGES.name,
        timeout_s=timeout_s,
        start_timeout_s=4 * timeout_s,
    )


def simulate(
    process: RemoteProcess,
    blocks: NDArray[np.uint16],
    pose: Sequence[float],
    controls: ArrayLike,
    look: ArrayLike | None = None,
) -> dict[str, NDArray[Any]]:
    """mineflayer's player physics over an array of blocks, without a world: what ours is compared with.

    Beyond the sides of the array is barrier, below it bedrock, above it air. A player starts at rest, not yet on the
    ground.

    Args:
        process: of `start_process`.
        blocks: (nx, ny, nz) uint16 palette numbers, the corner at 0.
        pose: x y z of the feet, yaw, pitch.
        controls: (T,) control bytes.
        look: (T, 2) yaw and pitch before each tick; None for the pose's.

    Returns:
        pose (T, 5) and velocity (T, 3) in blocks a tick, float64, and on_ground (T,) bool, after each tick.
    """
    bits = np.ascontiguousarray(controls, np.uint8)
    args: dict[str, Any] = {"blocks": np.ascontiguousarray(blocks), "controls": bits, "pose": [float(v) for v in pose]}
    if look is not None:
        args["look"] = np.ascontiguousarray(look, np.float64)
    answer = process.call("simulate", **args)
    return {**answer, "on_ground": answer["on_ground"] != 0}
