"""Episodes of `tactile/grip`: what they draw, how they are split, the model, and the sensors of that world alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.envs.mujoco.tabletop.gripper import OBJECT_COLOUR, add_geom
from trunkline.envs.spec import SensorSpec
from trunkline.envs.splits import part_of
from trunkline.envs.tactile.gripper import PAD, SIDES, add_gripper, new_spec
from trunkline.envs.tactile.pads import add_pad_pair

HEIGHT = 0.10  # m of the point between the pads
GREATEST_FORCE, FIRST_FORCE = 30.0, 20.0  # N
MASS, FRICTION = (0.1, 0.5), (0.3, 1.0)  # kg, 1
RADIUS, HALF_LENGTH = (0.004, 0.008), (0.003, 0.008)  # m, of the capsule
TERMS = 3  # K
PULL, FREQUENCY = 1.2, (0.2, 1.0)  # N, Hz: greatest amplitude of a term along x and z, and the range of its frequency


@dataclass(frozen=True)
class Context:
    """What a split may draw from: cells of mass and friction, and cells of the object's shape."""

    thing: str
    shape: str


CONTEXTS = {
    "train": Context("train", "train"),
    "validation/object": Context("validation", "train"),
    "test/object": Context("test", "train"),
    "validation/shape": Context("train", "validation"),
    "test/shape": Context("train", "test"),
}


def _cell(value: float, bounds: tuple[float, float]) -> float:
    """The value's place between bounds, counted in cells: five of them."""
    return 5.0 * (value - bounds[0]) / (bounds[1] - bounds[0])


def object_parts(params: Mapping[str, Any]) -> tuple[str, str]:
    """The parts that an episode's (mass, friction) and (radius, half length) belong to."""
    return (
        part_of(_cell(params["mass"], MASS), _cell(params["friction"], FRICTION), 1.0),
        part_of(_cell(params["radius"], RADIUS), _cell(params["half_length"], HALF_LENGTH), 1.0),
    )


def sample_params(rng: np.random.Generator, context: Context) -> dict[str, Any]:
    """Draw one episode."""

    def uniform(bounds: tuple[float, float], digits: int) -> float:
        return round(bounds[0] + (bounds[1] - bounds[0]) * rng.random(), digits)

    while True:
        thing: dict[str, Any] = {"mass": uniform(MASS, 4), "friction": uniform(FRICTION, 3)}
        thing |= {"radius": uniform(RADIUS, 6), "half_length": uniform(HALF_LENGTH, 6)}
        if object_parts(thing) == (context.thing, context.shape):
            break
    thing["grasp"] = [uniform((-0.004, 0.004), 6), uniform((-0.003, 0.003), 6), uniform((-0.6, 0.6), 4)]
    amplitudes = [[uniform((-PULL, PULL), 3), uniform((-PULL, PULL), 3)] for _ in range(TERMS)]
    thing["pulls"] = [[*a, uniform(FREQUENCY, 3), uniform((0.0, 2 * np.pi), 3)] for a in amplitudes]
    return thing


def grip_spec() -> Any:
    """An `MjSpec` of the standing gripper and an object between its pads, a capsule."""
    spec = new_spec()
    hand = spec.worldbody.add_body(name="hand", pos=[0, 0, HEIGHT])
    add_gripper(spec, hand)
    # The capsule's axis is the body's z: so its principal axes are the body's, whatever its size.
    thing = spec.worldbody.add_body(name="object", mass=0.1, inertia=[1e-5] * 3, explicitinertial=True)
    thing.add_freejoint(name="object")
    add_geom(thing, "handle", "capsule", (0.006, 0.006), (0, 0, 0), OBJECT_COLOUR)
    for side in SIDES:
        add_pad_pair(spec, f"pad_{side}", "handle", PAD)
    return spec


def held_state_sensor() -> SensorSpec:
    """The truth, (7,): mass, friction, load along x and z, the least force that holds it, slip along x and z."""
    return SensorSpec("held_state", "state", (7,), units="kg, 1, N, m", privileged=True)


def grip_force_sensor() -> SensorSpec:
    """The commanded grip force, (1,)."""
    return SensorSpec("grip_force", "proprio", (1,), low=0.0, high=GREATEST_FORCE, units="N")
