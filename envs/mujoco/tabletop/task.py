"""What a tabletop task is, and what tasks share.

Legend: E simulations of the batch, n episodes that start. All of it is computed over the batch axis, with
operations that give the same bits in a batch of any size: element by element, never by a matrix product.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from trunkline.envs.mujoco.raycast import Marker
from trunkline.envs.mujoco.shapes import SHAPES, shape_indices
from trunkline.envs.mujoco.tabletop.gripper import STEP, Gripper
from trunkline.envs.splits import draw_position
from trunkline.errors import InputError

Params = Mapping[str, Any]
CLOSE, OPEN = 1.0, -1.0
CELL = 0.06  # m, edge of the cells that split places and goals
GOAL_COLOUR = (0.25, 0.78, 0.42, 0.62)


@dataclass(frozen=True)
class Context:
    """What a split may draw from.

    Attributes:
        part: whose cells goals and places lie in; None for any.
        shapes: names of the shapes of objects and handles.
    """

    part: str | None
    shapes: tuple[str, ...]

    def place(
        self, rng: np.random.Generator, low: tuple[float, float], high: tuple[float, float]
    ) -> tuple[float, float]:
        """A position within [low, high], uniform over the cells of the part."""
        return draw_position(rng, self.part, low, high, CELL)

    def shape(self, rng: np.random.Generator) -> str:
        """One of the shapes."""
        return self.shapes[int(rng.integers(len(self.shapes)))]


SEEN_SHAPES = ("box", "cylinder")
CONTEXTS = {
    "train": Context("train", SEEN_SHAPES),
    "validation/goal": Context("validation", SEEN_SHAPES),
    "test/goal": Context("test", SEEN_SHAPES),
    "validation/object": Context("train", ("capsule",)),
    "test/object": Context("train", ("ellipsoid",)),
    # Here the task itself is what was not trained on, so any cell will do.
    "test/task": Context(None, SEEN_SHAPES),
}


def uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A draw to a tenth of a millimetre (gram, milliradian): short in a manifest."""
    return round(low + (high - low) * rng.random(), 4)


def draw_hand(rng: np.random.Generator, height: tuple[float, float] = (0.12, 0.22)) -> list[float]:
    """Where the gripper starts: over the robot's side of the table."""
    return [uniform(rng, -0.2, -0.08), uniform(rng, -0.08, 0.08), uniform(rng, *height)]


def column(params: Sequence[Params], name: str, size: int = 0) -> np.ndarray:
    """The value `name` of every episode, (n,) or (n, size).

    Raises:
        InputError: an episode lacks it, or it has another form.
    """
    shape = (len(params), size) if size else (len(params),)
    try:
        values = np.array([p[name] for p in params], np.float64)
    except KeyError:
        raise InputError(f"TaskSpec params lack {name!r}; they hold {', '.join(sorted(params[0]))}") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"TaskSpec param {name!r}: {error}") from None
    if values.shape != shape or not np.isfinite(values).all():
        raise InputError(f"TaskSpec param {name!r} must be {size or 'a'} finite number{'s' if size else ''}")
    return values


def shapes_of(params: Sequence[Params]) -> np.ndarray:
    """The param `shape` of every episode, (n,) indices into `SHAPES`."""
    return shape_indices([str(p.get("shape")) for p in params])


def norm(vectors: np.ndarray) -> np.ndarray:
    """Lengths (n,) of vectors (n, 2 or 3)."""
    square = vectors * vectors
    total = square[:, 0] + square[:, 1]
    if square.shape[1] == 3:
        total += square[:, 2]
    length: np.ndarray = np.sqrt(total, out=total)
    return length


def nearness(distance: np.ndarray, start: np.ndarray) -> np.ndarray:
    """1 at distance 0 and falling linearly, low but not yet 0 at the start's distance: leaving costs something too."""
    near: np.ndarray = np.maximum(1.0 - distance / (start + 0.08), 0.0)
    return near


def ramp(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 below `low`, 1 above `high`, linear between."""
    ramped: np.ndarray = np.minimum(np.maximum((value - low) / (high - low), 0.0), 1.0)
    return ramped


class Task(ABC):
    """One task of the tabletop family: its model, episodes, measures and expert.

    Attributes:
        position, quaternion, velocity: of the handled thing, (E, 3), (E, 4), (E, 3); current after `refresh`.
        joint, joint_velocity: of the mechanism, (E,).
        extents, shape: half extents (E, 3) and one-hot shape (E, 4) of the handled thing.
        goal: what the sensor `goal` reads, (E, 3).
    """

    name: ClassVar[str]
    max_steps: ClassVar[int] = 80
    has_object: ClassVar[bool] = True
    goal_radius: ClassVar[float] = 0.02

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.goal = np.zeros((num_envs, 3))
        self.position = np.zeros((num_envs, 3))
        self.quaternion = np.zeros((num_envs, 4))
        self.velocity = np.zeros((num_envs, 3))
        self.joint = np.zeros(num_envs)
        self.joint_velocity = np.zeros(num_envs)
        self.extents = np.zeros((num_envs, 3))
        self.shape = np.zeros((num_envs, len(SHAPES)))
        self._start = np.ones((num_envs, 2))  # distances at the start that progress is measured by

    # What a task fills in

    @classmethod
    @abstractmethod
    def sample(cls, rng: np.random.Generator, context: Context) -> dict[str, Any]:
        """Draw the params of one episode."""

    @abstractmethod
    def build(self, spec: Any) -> None:
        """Add the task's bodies and contact pairs to an `MjSpec` that has the table and the gripper."""

    def bind(self, batch: Any, gripper: Gripper) -> None:
        """Take views of a `mujoco.batch.Batch` of the built model."""
        self.batch = batch
        self.gripper = gripper

    @abstractmethod
    def place(self, ids: np.ndarray, params: Sequence[Params]) -> None:
        """Put simulations `ids`, just reset, into the starts of episodes."""

    def refresh(self) -> None:  # noqa: B027 (free objects have nothing to do: their views are the state)
        """Bring `position` and the like up to the present state."""

    @abstractmethod
    def distances(self) -> tuple[np.ndarray, np.ndarray]:
        """Two distances (E,) that the task brings to zero one after the other, e.g. hand to object, object to goal."""

    @abstractmethod
    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        """Progress (E,) in [0, 1] and success (E,)."""

    @abstractmethod
    def expert(self) -> np.ndarray:
        """Actions (E, 4) of a controller that reads the present state alone; not yet clipped."""

    # What tasks share

    def begin(self, ids: np.ndarray) -> None:
        """Remember the distances at the start of episodes, for `staged`."""
        first, second = self.distances()
        self._start[ids, 0] = first[ids]
        self._start[ids, 1] = second[ids]

    def staged(self, share: float) -> np.ndarray:
        """Progress (E,) whose part `share` comes from the first distance and the rest from the second."""
        first, second = self.distances()
        return share * nearness(first, self._start[:, 0]) + (1 - share) * nearness(second, self._start[:, 1])

    def set_shape(self, ids: np.ndarray, shapes: np.ndarray, extents: np.ndarray) -> None:
        """Note what `object_state` tells about the handled thing."""
        self.extents[ids] = extents
        self.shape[ids] = np.eye(len(SHAPES))[shapes]

    def go(self, target: np.ndarray, grip: np.ndarray | float) -> np.ndarray:
        """Actions (E, 4) that bring the hand to targets (E, 3) as fast as they can without overshooting."""
        actions = np.empty((self.num_envs, 4))
        actions[:, :3] = (target - self.gripper.command) / STEP
        actions[:, 3] = grip
        return actions

    def markers(self, ids: np.ndarray) -> list[Marker]:
        """What pictures show besides the model: the goal."""
        return [Marker(self.goal[ids], self.goal_radius, GOAL_COLOUR)]


def descend(target: np.ndarray, hand: np.ndarray, lift: float, near: float = 0.008, far: float = 0.035) -> np.ndarray:
    """Targets (E, 3) raised by up to `lift` while the hand is not yet over them: approach from above."""
    raised = target.copy()
    raised[:, 2] += lift * ramp(norm(hand[:, :2] - target[:, :2]), near, far)
    return raised
