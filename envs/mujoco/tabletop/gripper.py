"""A parallel gripper that moves in Cartesian space, and the table below it.

The hand is one body on three slide joints whose position actuators follow a commanded point; the fingers are two
slide joints along y. Only the fingers and the things they handle collide, in explicitly listed pairs: physics
is most of the cost of a step.
"""

from typing import Any

import mujoco
import numpy as np

STEP = 0.025  # m that the command moves in one control step at action 1
LAG = 0.04  # m that the command may be ahead of the hand, which bounds the force
OPENING = 0.04  # m, greatest distance of a finger from the middle
WORKSPACE_LOW = np.array([-0.24, -0.28, 0.02])  # of the point between the fingertips
WORKSPACE_HIGH = np.array([0.26, 0.28, 0.32])
FINGER_HALF = (0.008, 0.006, 0.035)  # m, half extents of one finger
FINGERS = ("finger_left", "finger_right")
GRAVITY = 9.81
_STIFFNESS, _DAMPING = 1500.0, 55.0  # N/m, N·s/m of the hand's actuators: critical damping of half a kilogram
_FINGER_STIFFNESS, _FINGER_DAMPING = 500.0, 12.0
_PALM_MASS, _FINGER_MASS = 0.4, 0.05

TABLE_COLOUR = (0.86, 0.80, 0.72, 1.0)
PALM_COLOUR = (0.24, 0.27, 0.33, 1.0)
FINGER_COLOUR = (0.52, 0.56, 0.62, 1.0)
OBJECT_COLOUR = (0.86, 0.33, 0.25, 1.0)
MECHANISM_COLOUR = (0.36, 0.52, 0.74, 1.0)
MECHANISM_DARK = (0.25, 0.38, 0.57, 1.0)
HANDLE_COLOUR = (0.96, 0.74, 0.24, 1.0)


def add_geom(body: Any, name: str, kind: str, size: Any, pos: Any, colour: tuple[float, ...], **options: Any) -> Any:
    """Add a geom that collides only in listed pairs; massless unless `mass` is given."""
    geom_type = getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}")
    options = {"mass": 0.0, **options}
    size = [*size, 0.0, 0.0][:3]
    return body.add_geom(
        name=name, type=geom_type, size=size, pos=pos, rgba=colour, contype=0, conaffinity=0, **options
    )


def add_pair(spec: Any, first: str, second: str, friction: float, condim: int = 3) -> None:
    """Let two geoms collide."""
    pair = spec.add_pair(name=f"{first}-{second}", geomname1=first, geomname2=second)
    pair.condim = condim
    pair.friction = [friction, friction, 0.01, 0.0001, 0.0001]


def add_finger_pairs(spec: Any, geom: str, friction: float, condim: int = 3) -> None:
    """Let both fingers collide with a geom."""
    for finger in FINGERS:
        add_pair(spec, finger, geom, friction, condim)


def new_spec(timestep: float) -> Any:
    """An `MjSpec` with the table and the gripper.

    Joint positions are world coordinates: qpos[0:3] is the point between the fingertips, qpos[3:5] are the fingers'
    distances from the middle.
    """
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = timestep
    option.gravity = [0, 0, -GRAVITY]
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.iterations, option.ls_iterations, option.tolerance = 20, 10, 1e-6
    # A diverged simulation must show as NaN, not jump back to its start unnoticed.
    option.disableflags = mujoco.mjtDisableBit.mjDSBL_AUTORESET
    world = spec.worldbody
    world.add_light(pos=[-0.4, -0.3, 1.5], dir=[0.3, 0.2, -1.0], castshadow=False)
    # Group 3 is not drawn: the plane collides, the slab is what one sees.
    add_geom(world, "table", "plane", (0.38, 0.42, 0.01), (0, 0, 0), TABLE_COLOUR, group=3)
    add_geom(world, "slab", "box", (0.38, 0.42, 0.02), (0, 0, -0.02), TABLE_COLOUR)
    hand = world.add_body(name="hand")
    for axis, name in enumerate("xyz"):
        hand.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=np.eye(3)[axis])
    add_geom(hand, "palm", "box", (0.02, 0.055, 0.012), (0, 0, 0.066), PALM_COLOUR, mass=_PALM_MASS)
    add_geom(hand, "arm", "cylinder", (0.016, 0.06), (0, 0, 0.138), FINGER_COLOUR)
    for name, side in zip(FINGERS, (1, -1), strict=True):
        finger = hand.add_body(name=name)
        finger.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, side, 0])
        position = (0, side * FINGER_HALF[1], FINGER_HALF[2] - 0.015)
        add_geom(finger, name, "box", FINGER_HALF, position, FINGER_COLOUR, mass=_FINGER_MASS)
    for name in "xyz":
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=_STIFFNESS, kv=_DAMPING)
        if name == "z":  # holds the hand's own weight, cheaper than gravity compensation
            actuator.biasprm[0] = (_PALM_MASS + 2 * _FINGER_MASS) * GRAVITY
    for name in FINGERS:
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=_FINGER_STIFFNESS, kv=_FINGER_DAMPING)
    return spec


class Gripper:
    """The gripper's part of a batch's state; live views, (E, …).

    Attributes:
        position, velocity: of the point between the fingertips, (E, 3).
        fingers: distances of the fingers from the middle, (E, 2).
        finger_rates: their rates, (E, 2).
        command: commanded position, (E, 3).
    """

    def __init__(self, batch: Any) -> None:
        qpos, qvel, ctrl = batch.bind("qpos"), batch.bind("qvel"), batch.bind("ctrl")
        self.position, self.velocity, self.command = qpos[:, :3], qvel[:, :3], ctrl[:, :3]
        self.fingers, self.finger_rates, self._finger_command = qpos[:, 3:5], qvel[:, 3:5], ctrl[:, 3:5]
        self._low, self._high = (np.tile(bound, (batch.nsim, 1)) for bound in (WORKSPACE_LOW, WORKSPACE_HIGH))

    @property
    def opening(self) -> np.ndarray:
        """Distance between the fingers, (E,)."""
        opening: np.ndarray = self.fingers[:, 0] + self.fingers[:, 1]
        return opening

    def place(self, ids: np.ndarray, positions: np.ndarray, fingers: np.ndarray | float = 0.0) -> None:
        """Put hands `ids` at rest at positions (n, 3), fingers (n, 1) from the middle."""
        self.position[ids] = self.command[ids] = positions
        self.fingers[ids] = fingers
        self._finger_command[ids] = 0.0

    def apply(self, actions: np.ndarray) -> None:
        """Move the commands by actions (E, 4): dx, dy, dz, and grip from open (−1) to closed (1)."""
        actions = actions.astype(np.float64)
        position = self.position.copy()  # views of the batch are strided: contiguous arithmetic is three times faster
        target = STEP * actions[:, :3]
        target += self.command
        np.maximum(target, position - LAG, out=target)
        np.minimum(target, position + LAG, out=target)
        np.maximum(target, self._low, out=target)
        np.minimum(target, self._high, out=target)
        self.command[:] = target
        self._finger_command[:] = (0.5 * OPENING) * (1.0 - actions[:, 3:4])
