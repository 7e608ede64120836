"""Episodes of `tactile/insertion`: what they draw, how they are split, and the sensors of that world alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.spec import SensorSpec
from trunkline.envs.splits import part_of
from trunkline.envs.tactile.insertion_model import SOCKET_HEIGHT

GRASP = np.array([0.005, 0.002, np.radians(12.0)])  # m, m, rad: greatest offsets along x, z and about y
SOCKET_ERROR = 0.001  # m, greatest along x and y
ENCODER_STEP = 0.001  # rad; finer, the wrist would tell by a tenth of this how the plug's weight bends it


@dataclass(frozen=True)
class Context:
    """What a split may draw from: the cells of one part of the offsets, and some connectors."""

    part: str
    pins: tuple[int, ...]


SEEN_PINS, UNSEEN_PINS = (3, 12), (17,)
# Every pair differs in the part or in the connectors, so no two splits can share an episode.
CONTEXTS = {
    "train": Context("train", SEEN_PINS),
    "train/connector": Context("train", UNSEEN_PINS),  # for those who train on all three connectors
    "validation/offset": Context("validation", SEEN_PINS),
    "validation/connector": Context("validation", UNSEEN_PINS),
    "test/offset": Context("test", SEEN_PINS),
    "test/connector": Context("test", UNSEEN_PINS),
}


def offset_parts(grasp: Sequence[float], socket: Sequence[float]) -> tuple[str, str]:
    """The parts that a grasp offset (x, z, turn) and a socket error (x, y) belong to."""
    return (
        part_of(grasp[0] / GRASP[0] * 2, grasp[2] / GRASP[2] * 2, 1.0),
        part_of(socket[0] / SOCKET_ERROR * 2, socket[1] / SOCKET_ERROR * 2, 1.0),
    )


def _draw(rng: np.random.Generator, scale: Sequence[float] | np.ndarray) -> list[float]:
    """Uniform in ±scale, to a micrometre (microradian)."""
    return [round(float(s) * (2.0 * rng.random() - 1.0), 6) for s in scale]


def sample_params(rng: np.random.Generator, context: Context) -> dict[str, Any]:
    """Draw one episode."""
    while True:
        grasp, socket = _draw(rng, GRASP), _draw(rng, (SOCKET_ERROR, SOCKET_ERROR))
        if offset_parts(grasp, socket) == (context.part, context.part):
            break
    nominal = [*_draw(rng, (0.02, 0.02)), SOCKET_HEIGHT]
    start = _draw(rng, (0.004, 0.004, 0.002))
    return {
        "pins": context.pins[int(rng.integers(len(context.pins)))],
        "nominal": nominal,
        "hand": [round(a + b, 6) for a, b in zip(nominal, (start[0], start[1], 0.03 + start[2]), strict=True)],
        "grasp": grasp,
        "socket": socket,
    }


def plug_state_sensor() -> SensorSpec:
    """The truth about plug and socket, (12,).

    The shoulder's underside from its seat (3), the plug's upward axis along x and y (2), the plug from the hand (3),
    the socket from where it ought to be (2), the pins' length (1), and the force on the socket (1).
    """
    return SensorSpec("plug_state", "state", (12,), units="m, 1, N", privileged=True)


def to_goal_sensor() -> SensorSpec:
    """From the hand to where the socket's middle ought to be, (3,).

    The same as `goal` minus the hand's position, but with a scale of its own: what decides is tenths of a millimetre,
    a hundredth of the range over which the two differ from episode to episode.
    """
    return SensorSpec("to_goal", "goal", (3,), units="m")


def wrist_sensor() -> SensorSpec:
    """The hand's turn about y, its rate, and commanded minus actual turn, (3,), in whole steps of its encoder."""
    return SensorSpec("wrist", "proprio", (3,), units="rad, rad/s", form={"resolution": ENCODER_STEP})
