"""The rig of `tactile/touch`: an object on a six-axis stage above a soft pad.

The stage's joints are x, y, z, then turns about its own z, y and x through the object's touching point; position
actuators follow a command. The pad's surface gives way along x and y and in twist on springs, as a gel does before
anything slips, and along z by a soft contact. World coordinates are the pad's: the middle of its surface at the
origin, +z out of the gel.
"""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from mujoco.batch import Batch

from trunkline.envs.tactile.objects import ObjectTable, TouchObject, add_meshes, add_object_geom
from trunkline.envs.tactile.pads import PadConfig, add_pad, add_pad_pair

TIMESTEP = 0.002  # s
SUBSTEPS = 10
AXES = ("x", "y", "z", "rz", "ry", "rx")
# Stiffness of the stage along each axis, N/m and N·m/rad; it and all it carries move as a fifth of a kilogram.
STIFFNESS = np.array([6000.0, 6000.0, 2000.0, 4.0, 4.0, 4.0])
_MASS, _INERTIA = 0.2, 1e-4
PAD_SPRING, PAD_TWIST_SPRING = 2500.0, 0.25  # N/m, N·m/rad of the gel in shear and in twist
_PAD_MASS, _PAD_INERTIA = 0.1, 2e-5  # moving with the surface; heavy enough not to chatter
PAD = PadConfig()
OBJECT_GROUP, PAD_GROUP = 0, 1  # geom groups, so that rays can see the object alone
_OBJECT_COLOUR, _PAD_COLOUR = (0.86, 0.33, 0.25, 1.0), (0.24, 0.27, 0.33, 1.0)


def rig_spec(objects: Sequence[TouchObject]) -> Any:
    """An `MjSpec` of the rig that carries the first of the objects and holds the meshes of all."""
    spec = mujoco.MjSpec()
    option = spec.option
    option.timestep = TIMESTEP
    option.gravity = [0, 0, 0]  # the stage bears the object
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = 10.0  # contacts stick until they slip, with little creep; more makes corners bounce
    option.iterations, option.ls_iterations, option.tolerance = 30, 20, 1e-8
    option.disableflags = mujoco.mjtDisableBit.mjDSBL_AUTORESET
    spec.compiler.degree = False
    pad = spec.worldbody.add_body(name="pad", mass=_PAD_MASS, inertia=[_PAD_INERTIA] * 3, explicitinertial=True)
    for name, axis in (("pad_x", (1, 0, 0)), ("pad_y", (0, 1, 0))):
        damping = 2 * np.sqrt(PAD_SPRING * _PAD_MASS)
        _joint(pad, name, "slide", axis, stiffness=PAD_SPRING, damping=damping)
    damping = 2 * np.sqrt(PAD_TWIST_SPRING * _PAD_INERTIA)
    _joint(pad, "pad_rz", "hinge", (0, 0, 1), stiffness=PAD_TWIST_SPRING, damping=damping)
    surface = add_pad(spec, pad, "pad", PAD)
    surface.group, surface.rgba = PAD_GROUP, _PAD_COLOUR
    add_meshes(spec, objects)
    body = spec.worldbody.add_body(name="object", mass=_MASS, inertia=[_INERTIA] * 3, explicitinertial=True)
    for name, stiffness in zip(AXES, STIFFNESS, strict=True):
        turning = name.startswith("r")
        axis = np.eye(3)["xyz".index(name[-1])]
        _joint(body, name, "hinge" if turning else "slide", axis)
        actuator = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
        actuator.set_to_position(kp=stiffness, kv=2 * np.sqrt(stiffness * (_INERTIA if turning else _MASS)))
    options = {"contype": 0, "conaffinity": 0, "mass": 0, "group": OBJECT_GROUP, "rgba": _OBJECT_COLOUR}
    add_object_geom(body, "object", objects[0], **options)
    add_pad_pair(spec, "pad", "object", PAD)
    contact = spec.add_sensor(name="contact", type=mujoco.mjtSensor.mjSENS_CONTACT)
    contact.objtype, contact.objname = mujoco.mjtObj.mjOBJ_GEOM, "pad"
    contact.reftype, contact.refname = mujoco.mjtObj.mjOBJ_GEOM, "object"
    found, force, torque, position = 1, 2, 4, 16  # bits of mjtConDataField
    contact.intprm[:3] = [found | force | torque | position, 3, 1]  # 3: one net wrench at the contacts' centroid
    return spec


def _joint(body: Any, name: str, kind: str, axis: Sequence[float] | np.ndarray, **options: Any) -> None:
    joint_type = getattr(mujoco.mjtJoint, f"mjJNT_{kind.upper()}")
    stiffness, damping = options.get("stiffness"), options.get("damping")
    joint = body.add_joint(name=name, type=joint_type, axis=axis)
    if stiffness is not None:
        joint.stiffness[0] = stiffness
    if damping is not None:
        joint.damping[0] = damping


class Rig:
    """A batch of rigs; live views over E simulations.

    Attributes:
        pad, pad_rate: the surface's displacement (x, y, twist) and its rate, (E, 3), m, rad.
        pose, rate, command: of the stage's axes, (E, 6), m, rad.
        position, quaternion: of the object's touching point in the pad's frame, (E, 3), (E, 4: w, x, y, z).
        rotation: the same turn as a matrix, (E, 9).
    """

    def __init__(self, objects: Sequence[TouchObject], num_envs: int, num_threads: int) -> None:
        self.objects = tuple(objects)
        self.model: mujoco.MjModel = rig_spec(objects).compile()
        self.batch = batch = Batch(self.model, num_envs, num_threads)
        qpos, qvel = batch.bind("qpos"), batch.bind("qvel")
        self.pad, self.pad_rate = qpos[:, :3], qvel[:, :3]
        self.pose, self.rate, self.command = qpos[:, 3:], qvel[:, 3:], batch.bind("ctrl")
        body, geom = self.model.body("object").id, self.model.geom("object").id
        self.position, self.quaternion = batch.bind("xpos")[:, body], batch.bind("xquat")[:, body]
        self.rotation = batch.bind("xmat")[:, body]
        self._contact = batch.bind("sensordata")
        self._table = ObjectTable.compile(objects)
        self._fields = {name: batch.expand(name)[:, geom] for name in ObjectTable.__dataclass_fields__}
        # The compiler lets a body's only geom borrow the body's frame; other objects' geoms have frames of their own.
        batch.expand("geom_sameframe")[:, geom] = 0
        self._friction = batch.expand("pair_friction")[:, 0]
        self.kind = np.zeros(num_envs, np.int64)  # index into `objects`

    def place(self, ids: np.ndarray, kinds: np.ndarray, poses: np.ndarray, friction: np.ndarray) -> None:
        """Put objects of `kinds` (n,) at rest in simulations `ids`, the stage at poses (n, 6)."""
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        for name, field in self._fields.items():
            field[ids] = getattr(self._table, name)[kinds]
        self._friction[ids, :2] = friction[:, None]
        self.kind[ids] = kinds
        self.pose[ids] = self.command[ids] = poses
        self.batch.forward(ids)

    def step(self, ids: np.ndarray | None) -> None:
        """One control step; forces and poses are then those of the new state."""
        self.batch.step(ids, nstep=SUBSTEPS, stage=mujoco.mjtStage.mjSTAGE_ACC)

    @property
    def contact(self) -> np.ndarray:
        """Whether the object touches, (E,)."""
        touching: np.ndarray = self._contact[:, 0] > 0
        return touching

    @property
    def force(self) -> np.ndarray:
        """Force of the pad on the object, (E, 3), N."""
        force: np.ndarray = self._contact[:, 1:4]
        return force

    @property
    def centroid(self) -> np.ndarray:
        """Where the net contact force acts, (E, 3), m."""
        point: np.ndarray = self._contact[:, 7:10]
        return point

    def torque(self) -> np.ndarray:
        """Torque of the pad on the object about the origin, (E, 3), N·m."""
        torque: np.ndarray = self._contact[:, 4:7] + cross(self.centroid, self.force)
        return torque

    def slip(self) -> np.ndarray:
        """How fast the object slides over the gel, (E,), m/s; 0 without contact.

        The speed of the two materials past each other at the contact's centroid, and their relative spin times the
        radius at which the pad's friction resists it, added as squares.
        """
        spin = self._angular_velocity()
        thing = self.rate[:, :3] + cross(spin, self.centroid - self.position)
        arm = self.centroid[:, :2] - self.pad[:, :2]
        x = thing[:, 0] - (self.pad_rate[:, 0] - self.pad_rate[:, 2] * arm[:, 1])
        y = thing[:, 1] - (self.pad_rate[:, 1] + self.pad_rate[:, 2] * arm[:, 0])
        turn = (spin[:, 2] - self.pad_rate[:, 2]) * PAD.twist_friction
        speed: np.ndarray = np.where(self.contact, np.sqrt(x * x + y * y + turn * turn), 0.0)
        return speed

    def _angular_velocity(self) -> np.ndarray:
        """Of the object, (E, 3), rad/s; its hinges turn about z, then the turned y, then the turned x."""
        z, y = self.pose[:, 3], self.pose[:, 4]
        rz, ry, rx = self.rate[:, 3], self.rate[:, 4], self.rate[:, 5]
        return np.stack(
            [
                -np.sin(z) * ry + np.cos(z) * np.cos(y) * rx,
                np.cos(z) * ry + np.sin(z) * np.cos(y) * rx,
                rz - np.sin(y) * rx,
            ],
            axis=1,
        )


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross products of rows (n, 3), element by element."""
    return np.stack(
        [
            a[:, 1] * b[:, 2] - a[:, 2] * b[:, 1],
            a[:, 2] * b[:, 0] - a[:, 0] * b[:, 2],
            a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0],
        ],
        axis=1,
    )
