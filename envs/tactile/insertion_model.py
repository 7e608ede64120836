"""The model of the insertion world: gripper on a four-axis arm, plug and socket."""

from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.tabletop.gripper import (
    GRAVITY,
    HANDLE_COLOUR,
    MECHANISM_COLOUR,
    MECHANISM_DARK,
    TABLE_COLOUR,
    add_geom,
    add_pair,
)
from trunkline.envs.tactile.gripper import FINGER_MASS, PAD, PALM_MASS, SIDES, TIMESTEP, add_gripper, new_spec
from trunkline.envs.tactile.gripper_touch import add_net_force
from trunkline.envs.tactile.insertion_connectors import DROP, PLATE, SLOTS, WALLS, ConnectorTable
from trunkline.envs.tactile.pads import add_pad_pair

AXES = ("x", "y", "z", "pitch")  # joints of the hand: three slides, then the turn about y
STIFFNESS, DAMPING = (2000.0, 2000.0, 2000.0, 20.0), (70.0, 70.0, 70.0, 0.4)  # N/m, N·m/rad; N·s/m, N·m·s/rad
PLUG_MASS, PLUG_INERTIA = 0.04, (2e-6, 2e-6, 2e-6)  # kg, kg·m²
HARD_FRICTION = 0.15  # of pins and shoulder on the socket
SOCKET_HEIGHT = 0.03  # m of the socket's top above the table, in pictures
_LYING = (np.sqrt(0.5), 0.0, np.sqrt(0.5), 0.0)  # the handle's axis along x
_PIN_COLOUR = (0.88, 0.74, 0.38, 1.0)
_COLLISION_GROUP = 3  # not drawn


def insertion_spec() -> Any:
    """An `MjSpec` of the gripper, a plug in it and a socket, both of the first connector."""
    spec = new_spec()
    world = spec.worldbody
    hand = world.add_body(name="hand")
    for name, axis in zip(AXES, (*np.eye(3), (0, 1, 0)), strict=True):
        kind = mujoco.mjtJoint.mjJNT_HINGE if name == "pitch" else mujoco.mjtJoint.mjJNT_SLIDE
        hand.add_joint(name=name, type=kind, axis=axis)
    for name, stiffness, damping in zip(AXES, STIFFNESS, DAMPING, strict=True):
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=stiffness, kv=damping)
        if name == "z":  # holds the hand's and the plug's weight, cheaper than gravity compensation
            actuator.biasprm[0] = (PALM_MASS + 2 * FINGER_MASS + PLUG_MASS) * GRAVITY
    add_gripper(spec, hand)
    _add_plug_and_socket(spec)
    for side in SIDES:
        add_pad_pair(spec, f"pad_{side}", "handle", PAD)
    for i in range(SLOTS):
        for j in range(WALLS):
            _add_hard_pair(spec, f"pin_{i}", f"wall_{i}_{j}")
    _add_hard_pair(spec, "shoulder", "plate")
    add_net_force(spec, "socket_force", "plug", "socket", kind="body")
    return spec


def _add_plug_and_socket(spec: Any) -> None:
    table = ConnectorTable.build()
    names = table.names()
    row = {name: (table.size[0, k], table.position[0, k]) for k, name in enumerate(names)}
    plug = spec.worldbody.add_body(name="plug", mass=PLUG_MASS, inertia=PLUG_INERTIA, explicitinertial=True)
    plug.add_freejoint(name="plug")
    socket = spec.worldbody.add_body(name="socket")
    add_geom(plug, "handle", "capsule", *row["handle"], HANDLE_COLOUR, quat=_LYING)
    for i in range(SLOTS):
        add_geom(plug, f"pin_{i}", "capsule", *row[f"pin_{i}"], _PIN_COLOUR)
    add_geom(plug, "shoulder", "box", *row["shoulder"], MECHANISM_DARK)
    add_geom(plug, "neck", "box", (0.004, 0.003, 0.003), (0, 0, -DROP + 0.005), MECHANISM_DARK)
    for i in range(SLOTS):
        for j in range(WALLS):
            size, position = row[f"wall_{i}_{j}"]
            add_geom(socket, f"wall_{i}_{j}", "box", size, position, MECHANISM_COLOUR, group=_COLLISION_GROUP)
    add_geom(socket, "plate", "box", PLATE, (0, 0, -PLATE[2]), MECHANISM_COLOUR)
    stand = (PLATE[0] + 0.004, PLATE[1] + 0.004, SOCKET_HEIGHT / 2 - PLATE[2])
    add_geom(socket, "stand", "box", stand, (0, 0, -2 * PLATE[2] - stand[2]), TABLE_COLOUR)


def _add_hard_pair(spec: Any, first: str, second: str) -> None:
    """Let two geoms collide, hard: ten newtons may not press a pin into a wall by a tenth of its play."""
    add_pair(spec, first, second, HARD_FRICTION)
    pair = spec.pair(f"{first}-{second}")
    pair.solref = [2 * TIMESTEP, 1.0]
    pair.solimp = [0.98, 0.999, 0.0002, 0.5, 2]
