"""Mechanisms that are opened by a bar which the fingers hook from above: drawer-open, door-open."""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from trunkline.envs.mujoco.tabletop.gripper import (
    HANDLE_COLOUR,
    MECHANISM_COLOUR,
    MECHANISM_DARK,
    Gripper,
    add_finger_pairs,
    add_geom,
)
from trunkline.envs.mujoco.tabletop.mechanisms import FRICTION, Mechanism
from trunkline.envs.mujoco.tabletop.task import CLOSE, Context, Params, descend, draw_hand, norm, uniform

STANDOFF = 0.05  # m between the panel's and the bar's middle
HOOK = 0.026  # m from the bar's middle to where the fingers hook, in the gap
_Z_TO_Y = (np.sqrt(0.5), -np.sqrt(0.5), 0.0, 0.0)  # turns the axis of the bar's shape to y


def _draw_bar(rng: np.random.Generator, context: Context) -> dict[str, Any]:
    """Params of a handle's shape: a bar along y."""
    shape = context.shape(rng)
    radius = uniform(rng, 0.006, 0.01)
    length = uniform(rng, 0.03, 0.045)
    return {"shape": shape, "half_extents": [radius, radius, length]}


def _add_bar(spec: Any, body: Any, position: tuple[float, float, float]) -> None:
    """A handle that the fingers can hook, held off its panel by two posts that do not collide."""
    bar = add_geom(body, "handle", "box", (0.01, 0.01, 0.05), position, HANDLE_COLOUR)
    bar.quat = _Z_TO_Y
    for name, side in (("post_left", 1), ("post_right", -1)):
        post = (position[0] + STANDOFF / 2, position[1] + 0.024 * side, position[2])
        add_geom(body, name, "box", (STANDOFF / 2, 0.004, 0.004), post, HANDLE_COLOUR)
    add_finger_pairs(spec, "handle", FRICTION)


class DrawerOpen(Mechanism):
    """Hook the bar of a drawer and pull it open by the episode's amount."""

    name = "drawer-open"
    BAR = (-STANDOFF, 0.0, 0.07)

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        x, y = context.place(rng, (0.06, -0.18), (0.18, 0.18))
        place = [x, y, uniform(rng, -0.02, 0.02)]
        return {"hand": draw_hand(rng), "place": place, "amount": uniform(rng, 0.08, 0.14), **_draw_bar(rng, context)}

    def build(self, spec: Any) -> None:
        base = spec.worldbody.add_body(name="base", pos=[0.12, 0, 0])
        for name, size, pos in (
            ("top", (0.08, 0.1, 0.005), (0.09, 0, 0.115)),
            ("side_left", (0.08, 0.005, 0.06), (0.09, 0.095, 0.06)),
            ("side_right", (0.08, 0.005, 0.06), (0.09, -0.095, 0.06)),
            ("back", (0.005, 0.1, 0.06), (0.165, 0, 0.06)),
            ("below", (0.08, 0.1, 0.014), (0.09, 0, 0.006)),
        ):
            add_geom(base, name, "box", size, pos, MECHANISM_COLOUR)
        hull = add_geom(base, "hull", "box", (0.08, 0.1, 0.06), (0.09, 0, 0.06), MECHANISM_COLOUR)
        hull.group = 3  # the fingers do not enter; drawn are its walls
        drawer = base.add_body(name="drawer")
        slide = drawer.add_joint(name="joint", type=mujoco.mjtJoint.mjJNT_SLIDE, axis=[-1, 0, 0])
        slide.damping, slide.range, slide.limited = [10, 0, 0], [0, 0.2], 1
        add_geom(drawer, "panel", "box", (0.008, 0.098, 0.045), (0, 0, 0.065), MECHANISM_DARK, mass=0.3)
        for name, size, pos in (
            ("floor", (0.07, 0.085, 0.003), (0.075, 0, 0.028)),
            ("wall_left", (0.07, 0.003, 0.03), (0.075, 0.082, 0.058)),
            ("wall_right", (0.07, 0.003, 0.03), (0.075, -0.082, 0.058)),
        ):
            add_geom(drawer, name, "box", size, pos, MECHANISM_DARK)
        _add_bar(spec, drawer, self.BAR)
        add_finger_pairs(spec, "panel", FRICTION)
        add_finger_pairs(spec, "hull", FRICTION)

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        super().place(ids, params)
        self.goal[ids] = self._base[ids] + self.BAR
        self.goal[ids, 0] -= self._amount[ids]

    def refresh(self) -> None:
        np.add(self._base, self.BAR, out=self.position)
        self.position[:, 0] -= self.joint
        np.negative(self.joint_velocity, out=self.velocity[:, 0])

    def _hook(self) -> np.ndarray:
        hook = self.position.copy()
        hook[:, 0] += HOOK
        return hook

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        return norm(self.gripper.position - self._hook()), self._amount

    def expert(self) -> np.ndarray:
        """Come down behind the bar and pull."""
        hook, hand = self._hook(), self.gripper.position
        offset = hand - hook
        hooked = (np.abs(offset[:, 0]) < 0.016) & (np.abs(offset[:, 1]) < 0.02) & (np.abs(offset[:, 2]) < 0.012)
        target = descend(hook, hand, 0.07)
        target[:, 0] -= 0.035 * hooked
        return self.go(target, CLOSE)


class DoorOpen(Mechanism):
    """Hook the bar of a door and swing it open by the episode's angle."""

    name = "door-open"
    WIDTH = 0.16  # m from the hinge to the bar
    HEIGHT = 0.085

    @classmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        x, y = context.place(rng, (0.06, -0.06), (0.18, 0.24))
        place = [x, y, uniform(rng, -0.02, 0.02)]
        return {"hand": draw_hand(rng), "place": place, "amount": uniform(rng, 0.5, 1.0), **_draw_bar(rng, context)}

    def build(self, spec: Any) -> None:
        base = spec.worldbody.add_body(name="base", pos=[0.12, 0.08, 0])
        middle = -self.WIDTH / 2 - 0.01
        for name, size, pos in (
            ("top", (0.05, 0.105, 0.005), (0.055, middle, 0.145)),
            ("side_left", (0.05, 0.005, 0.075), (0.055, middle + 0.1, 0.075)),
            ("side_right", (0.05, 0.005, 0.075), (0.055, middle - 0.1, 0.075)),
            ("back", (0.005, 0.105, 0.075), (0.1, middle, 0.075)),
        ):
            add_geom(base, name, "box", size, pos, MECHANISM_COLOUR)
        door = base.add_body(name="door")
        hinge = door.add_joint(name="joint", type=mujoco.mjtJoint.mjJNT_HINGE, axis=[0, 0, -1])
        hinge.damping, hinge.range, hinge.limited = [0.2, 0, 0], [0, 1.6], 1
        size, pos = (0.006, 0.1, 0.065), (0, middle, 0.075)
        add_geom(door, "panel", "box", size, pos, MECHANISM_DARK, mass=0.3)
        _add_bar(spec, door, (-STANDOFF, -self.WIDTH, self.HEIGHT))
        add_finger_pairs(spec, "panel", FRICTION)

    def bind(self, batch: Any, gripper: Gripper) -> None:
        super().bind(batch, gripper)
        self._cosine, self._sine = np.ones(self.num_envs), np.zeros(self.num_envs)
        self._angle = np.zeros(self.num_envs)

    def _point(self, cosine: np.ndarray, sine: np.ndarray, standoff: float) -> np.ndarray:
        """World position (E, 3) of a point at `standoff` before the panel, on the level of the bar."""
        point: np.ndarray = self._base.copy()
        point[:, 0] -= standoff * cosine + self.WIDTH * sine
        point[:, 1] += standoff * sine - self.WIDTH * cosine
        point[:, 2] += self.HEIGHT
        return point

    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        super().place(ids, params)
        goal = self._point(np.cos(self._amount), np.sin(self._amount), STANDOFF)
        self.goal[ids] = goal[ids]

    def refresh(self) -> None:
        # Copied first: NumPy's sine may differ in the last bit between strided and contiguous arguments.
        self._angle[:] = self.joint
        np.cos(self._angle, out=self._cosine)
        np.sin(self._angle, out=self._sine)
        cosine, sine = self._cosine, self._sine
        self.position[:] = self._point(cosine, sine, STANDOFF)
        self.velocity[:, 0] = self.joint_velocity * (STANDOFF * sine - self.WIDTH * cosine)
        self.velocity[:, 1] = self.joint_velocity * (STANDOFF * cosine + self.WIDTH * sine)
        half = np.sqrt(np.maximum(0.5 * (1.0 + cosine), 0.01))  # cosine of half the angle
        self.quaternion[:, 0] = half
        self.quaternion[:, 3] = -0.5 * sine / half

    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        return norm(self.gripper.position - self._point(self._cosine, self._sine, STANDOFF - HOOK)), self._amount

    def expert(self) -> np.ndarray:
        """Come down behind the bar and lead it along its arc."""
        hand, cosine, sine = self.gripper.position, self._cosine, self._sine
        hook = self._point(cosine, sine, STANDOFF - HOOK)
        offset = hand - hook
        across = offset[:, 0] * cosine - offset[:, 1] * sine
        sideways = offset[:, 0] * sine + offset[:, 1] * cosine
        hooked = (np.abs(across) < 0.018) & (np.abs(sideways) < 0.025) & (np.abs(offset[:, 2]) < 0.012)
        ahead = np.sin(0.2), np.cos(0.2)
        arc = self._point(cosine * ahead[1] - sine * ahead[0], sine * ahead[1] + cosine * ahead[0], STANDOFF - HOOK)
        return self.go(np.where(hooked[:, None], arc, descend(hook, hand, 0.07)), CLOSE)
