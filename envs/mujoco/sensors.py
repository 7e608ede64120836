"""Sensors that the MuJoCo worlds have in common.

Sensors of the same name have the same form in every task, so that one encoder serves all of them.
"""

from trunkline.envs.mujoco.raycast import FAR, View
from trunkline.envs.mujoco.shapes import SHAPES
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

PROPRIO_SIZE = 11
OBJECT_STATE_SIZE = 18 + len(SHAPES)


def checked_image_size(size: int) -> int:
    """Pixels a side of a world's images, as they were asked for.

    Raises:
        InputError: too few or too many, or no whole number.
    """
    if not isinstance(size, int) or not 8 <= size <= 1024:
        raise InputError(f"image_size={size!r}: choose 8 to 1024 pixels, a whole number")
    return size


def goal_sensor() -> SensorSpec:
    """The target point in world coordinates: one sensor for every body, so that a goal means the same to all."""
    return SensorSpec("goal", "goal", (3,), low=-1.0, high=1.0, units="m")


def proprio_sensor() -> SensorSpec:
    """The gripper's own state, (11,).

    Position (3) and velocity (3) of the point between the fingertips, commanded minus actual position (3),
    opening between the fingers (1) and its rate (1).
    """
    return SensorSpec("proprio", "proprio", (PROPRIO_SIZE,), units="m, m/s")


def object_state_sensor() -> SensorSpec:
    """The state of the manipulated thing, (22,), in every task in the same layout; zeros where there is none.

    Position (3), orientation quaternion w, x, y, z (4), linear velocity (3), position relative to the gripper (3),
    half extents (3), one-hot shape (4), mechanism joint position (1) and velocity (1).
    """
    form = {"shapes": list(SHAPES)}
    return SensorSpec("object_state", "state", (OBJECT_STATE_SIZE,), units="m, m/s, rad", form=form, privileged=True)


def camera_sensor(size: int, view: View, frame_rate: float) -> SensorSpec:
    """Depth and surface normal of every pixel, (size, size, 4): metres, then x, y, z in world coordinates.

    A pixel that sees nothing has the depth `FAR` and the normal 0.
    """
    return SensorSpec(
        "camera", "depth", (size, size, 4), low=-1.0, high=FAR, units="m, 1", frame_rate=frame_rate, form=view.to_json()
    )


def rgb_sensor(size: int, view: View, frame_rate: float) -> SensorSpec:
    """An OpenGL picture, (size, size, 3) uint8."""
    shape = (size, size, 3)
    return SensorSpec("rgb", "rgb", shape, "uint8", low=0.0, high=255.0, frame_rate=frame_rate, form=view.to_json())
