"""The agent's action: six choices, as MineDojo's controls and a turn of the head.

The camera's bins follow the μ-law, fine in the middle and coarse at the ends, as in Baker et al., "Video PreTraining"
(2022): bin b of −5 … 5 turns by sign(b) · TURN · ((1 + μ)^(|b|/5) − 1) / μ degrees.
"""

import numpy as np

from trunkline.envs.spec import ActionSpec

# forward: none, forward, back; sideways: none, left, right; body: none, jump, sneak, sprint; pitch; yaw; hands
CHOICES = (3, 3, 4, 11, 11, 4)
FORWARD, STRAFE, BODY, PITCH, YAW, HANDS = range(6)
NOTHING, ATTACK, USE, PLACE = range(4)  # of HANDS
STILL = 5  # the bin of the camera that does not turn
IDLE = (0, 0, 0, STILL, STILL, NOTHING)
TURN, MU = 15.0, 10.0  # degrees a step at most, 1
# HANDS as values of MineDojo's factor 5; its factors 3 and 4 stay at their middle, and the slot at the hand.
_FUNCTIONS = np.array([0, 3, 1, 6], np.int32)
_MINEDOJO_STILL = 12


def action_spec() -> ActionSpec:
    """The body "minecraft"."""
    return ActionSpec("minecraft", (len(CHOICES),), choices=CHOICES)


def bin_degrees() -> np.ndarray:
    """Degrees by which each bin of the camera turns, (11,) float32."""
    b = np.arange(-STILL, STILL + 1) / STILL
    return (np.sign(b) * TURN * ((1 + MU) ** np.abs(b) - 1) / MU).astype(np.float32)


def nearest_bin(degrees: np.ndarray | float) -> np.ndarray:
    """The bin that turns by the nearest angle; an exact half goes to the smaller turn."""
    table = bin_degrees()
    by_size = np.argsort(np.abs(table), kind="stable")
    gap = np.abs(np.asarray(degrees, np.float64)[..., None] - table[by_size])
    bins: np.ndarray = by_size[np.argmin(gap, axis=-1)]
    return bins


def write_controls(actions: np.ndarray, control: np.ndarray, turn: np.ndarray) -> None:
    """Fill `Game.control` (W, 8) and `Game.turn` (W, 2: pitch, yaw) from actions (W, 6)."""
    degrees = bin_degrees()
    control[:, :3] = actions[:, :3]
    control[:, 3:5] = _MINEDOJO_STILL
    control[:, 5] = _FUNCTIONS[actions[:, HANDS]]
    control[:, 6:] = 0
    turn[:, 0] = degrees[actions[:, PITCH]]
    turn[:, 1] = degrees[actions[:, YAW]]
