"""A parallel gripper with a soft touch pad on each finger: one for insertion (on an arm) and for holding (fixed).

The fingers slide along y, coupled so that they stay symmetric, and close with a commanded force. The pads' surfaces
face each other: +z of a pad points out of its gel, y up along the finger.
"""

from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.tabletop.gripper import FINGER_COLOUR, GRAVITY, PALM_COLOUR, add_geom
from trunkline.envs.tactile.pads import PadConfig, add_pad

PAD = PadConfig(stiffness=1.0e4, damping=150.0)
SIDES = ("left", "right")  # at +y and at −y
TIMESTEP = 0.0025  # s
SUBSTEPS = 10
FRAME_RATE = 1.0 / (TIMESTEP * SUBSTEPS)
PAD_COLOUR = (0.20, 0.21, 0.23, 1.0)
PALM_MASS, FINGER_MASS = 0.4, 0.1
_HALF = np.sqrt(0.5)
# From a pad's frame to its finger's: left (x, y, z) → (x, z, −y), right (x, y, z) → (−x, z, y).
PAD_QUATERNIONS = {"left": (_HALF, _HALF, 0.0, 0.0), "right": (0.0, 0.0, _HALF, _HALF)}
PAD_AXES = {
    "left": np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]]),  # rows: the pad's axes in the hand's frame
    "right": np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]),
}
_SYNC_STIFFNESS, _SYNC_DAMPING = 3000.0, 20.0  # N/m, N·s/m: what a gear between the fingers does


def new_spec() -> Any:
    """An empty `MjSpec` with the options that a firm grasp between soft pads needs."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    option = spec.option
    option.timestep = TIMESTEP
    option.gravity = [0, 0, -GRAVITY]
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    # Friction is a soft constraint: what is held creeps under load. 100 times stiffer than the normal direction it
    # creeps by 0.2 mm/s at a third of the force that would make it slip.
    option.cone, option.impratio = mujoco.mjtCone.mjCONE_ELLIPTIC, 100.0
    option.iterations, option.tolerance = 20, 1e-6  # not fewer line search iterations: with 10 the grasp explodes
    # A diverged simulation must show as NaN, not jump back to its start unnoticed.
    option.disableflags = mujoco.mjtDisableBit.mjDSBL_AUTORESET
    spec.worldbody.add_light(pos=[-0.2, -0.3, 0.8], dir=[0.3, 0.2, -1.0], castshadow=False)
    return spec


def add_gripper(spec: Any, hand: Any) -> None:
    """Add the palm, the fingers and their pads to a body `hand`, whose origin is the point between the pads.

    Joints `left` and `right` are the distances of the pads' surfaces from the middle; the actuator `grip` opens them
    with a force in N, so it closes them with a negative one.
    """
    add_geom(hand, "palm", "box", (0.018, 0.036, 0.010), (0, 0, 0.046), PALM_COLOUR, mass=PALM_MASS)
    add_geom(hand, "arm", "cylinder", (0.014, 0.05), (0, 0, 0.10), FINGER_COLOUR)
    width, depth = PAD.size[0] / 2, PAD.thickness
    for name, side in zip(SIDES, (1, -1), strict=True):
        finger = hand.add_body(name=f"finger_{name}")
        finger.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[0, side, 0], damping=[2, 0, 0])
        pad = add_pad(spec, finger, f"pad_{name}", PAD, quat=PAD_QUATERNIONS[name])
        pad.rgba = PAD_COLOUR
        pad.contype = 1  # the compiler wants a tactile sensor's body to collide; this bit meets nothing
        size, position = (width, 0.003, 0.024), (0, side * (depth + 0.003), 0.012)
        add_geom(finger, f"finger_{name}", "box", size, position, FINGER_COLOUR, mass=FINGER_MASS)
    grip = spec.add_tendon(name="opening")
    sync = spec.add_tendon(name="asymmetry")
    for name, sign in zip(SIDES, (1.0, -1.0), strict=True):
        grip.wrap_joint(name, 1.0)
        sync.wrap_joint(name, sign)
    tendon = mujoco.mjtTrn.mjTRN_TENDON
    spec.add_actuator(name="grip", target="opening", trntype=tendon).set_to_motor()
    actuator = spec.add_actuator(name="sync", target="asymmetry", trntype=tendon)
    actuator.set_to_position(kp=_SYNC_STIFFNESS, kv=_SYNC_DAMPING)
