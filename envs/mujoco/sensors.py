"""Sensors that the MuJoCo worlds have in common."""

from trunkline.envs.spec import SensorSpec


def goal_sensor() -> SensorSpec:
    """The target point in world coordinates: one sensor for every body, so that a goal means the same to all."""
    return SensorSpec("goal", "goal", (3,), low=-1.0, high=1.0, units="m")
