"""A world of coloured squares in a strip of sight: turn until the one that the goal view marks is in the middle."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.envs.base import Observations, World
from trunkline.envs.registry import world
from trunkline.envs.sampling import draw_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

COLOURS = np.array([(220, 60, 50), (60, 180, 70), (60, 90, 220)], np.uint8)
BACKGROUND = np.array((110, 120, 130), np.uint8)
TURN, HALF = 0.15, 0.2  # of half the width of sight: a step's turn, half a square's side
BODY = ActionSpec("views", (1,), choices=(3,))


def view_sensors(size: int = 32) -> dict[str, SensorSpec]:
    """What an agent in such a world may see, and the label."""
    specs = (
        SensorSpec("rgb", "rgb", (size, size, 3), "uint8"),
        SensorSpec("goal_view", "goal_view", (size, size, 4), "uint8"),
        SensorSpec("interaction", "interaction", (6,)),
        SensorSpec("target_view", "label", (7,), privileged=True),
    )
    return {spec.name: spec for spec in specs}


def view_config(width: int = 32, weight: float = 0.5, **changes: Any) -> AgentConfig:
    """A tiny agent for it."""
    return AgentConfig(
        width=width,
        depth=2,
        encoders={
            "*:rgb": {"name": "conv_grid", "channels": [16, 32], "stem": 2},
            "*:goal_view": {"name": "goal_view", "channels": [16, 32], "stem": 2},
            "*:interaction": {"name": "mlp", "hidden": []},
        },
        policy={"hidden": [32]},
        value={"hidden": [32]},
        auxiliary={"target_view": {"name": "target_view", "weight": weight}},
        **changes,
    )


def draw_views(places: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (E, size, size, 3) of squares with centres at `places` (E, 3) in [−1, 1], and whose each pixel is."""
    columns = (np.arange(size) + 0.5) / size * 2 - 1
    inside = np.abs(columns - places[:, :, None]) < HALF  # (E, square, column)
    rows = np.abs(columns) < HALF
    whose = np.full((len(places), size, size), -1)
    for square in range(len(COLOURS)):
        whose[inside[:, None, square] & rows[None, :, None]] = square
    return np.where(whose[..., None] < 0, BACKGROUND, COLOURS[whose]), whose


def goal_views(places: np.ndarray, target: np.ndarray, size: int) -> np.ndarray:
    """Goal views (E, size, size, 4): squares at `places`, the target's mask 255."""
    picture, whose = draw_views(places, size)
    mask = np.where(whose == target[:, None, None], 255, 0).astype(np.uint8)
    return np.concatenate([picture, mask[..., None]], axis=3)


def target_labels(places: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Labels (E, 7) of the targets among squares at `places`: visible if the centre is in sight."""
    centre = places[np.arange(len(places)), target]
    labels = np.stack([np.abs(centre) < 1, centre, 0 * centre, centre - HALF, 0 * centre - HALF, centre + HALF,
                       0 * centre + HALF], axis=1)  # fmt: skip
    return labels.astype(np.float32)


def draw_places(rng: np.random.Generator, count: int) -> np.ndarray:
    """Centres (count, 3) of squares that do not overlap, in random order; those beyond ±1 are out of sight."""
    slots = np.array([-1.2, -0.6, 0.0, 0.6, 1.2])
    order = rng.permuted(np.tile(np.arange(5), (count, 1)), axis=1)[:, : len(COLOURS)]
    return slots[order] + rng.uniform(-0.08, 0.08, (count, len(COLOURS)))


def view_batch(count: int, seed: int, size: int = 32) -> dict[str, Tensor]:
    """Observations of random situations, label included."""
    rng = np.random.default_rng(seed)
    now, then, target = draw_places(rng, count), draw_places(rng, count) * 0.5, rng.integers(len(COLOURS), size=count)
    arrays = {
        "rgb": draw_views(now, size)[0],
        "goal_view": goal_views(then, target, size),
        "interaction": np.eye(6, dtype=np.float32)[rng.integers(6, size=count)],
        "target_view": target_labels(now, target),
    }
    return {name: torch.from_numpy(value) for name, value in arrays.items()}


def view_agent(seed: int = 0, **changes: Any) -> Agent:
    """An agent of the tiny configuration."""
    return Agent(view_sensors(), {"views": BODY}, view_config(**changes), seed)


@world("views")
class ViewWorld(World):
    """The family `views`."""

    family = "views"

    def __init__(
        self, task: str, num_envs: int, sensors: Sequence[str] | None = None, num_threads: int = 1, size: int = 32
    ) -> None:
        self.size = size
        super().__init__(task, num_envs, sensors, num_threads)
        self._places = np.zeros((num_envs, len(COLOURS)))
        self._target = np.zeros(num_envs, np.int64)
        self._goal = np.zeros((num_envs, size, size, 4), np.uint8)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("centre",)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        def draw(rng: np.random.Generator) -> dict[str, Any]:
            target = int(rng.integers(len(COLOURS)))
            return {"now": draw_places(rng, 1)[0].tolist(), "then": draw_places(rng, 1)[0].tolist(), "target": target}

        return draw_tasks(cls.family, task, count, seed, split, 20, draw)

    def available_sensors(self) -> list[SensorSpec]:
        return list(view_sensors(self.size).values())

    def default_sensors(self) -> tuple[str, ...]:
        return ("rgb", "goal_view", "interaction")

    def make_action_spec(self) -> ActionSpec:
        return BODY

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._places[ids] = [t.params["now"] for t in tasks]
        self._target[ids] = [t.params["target"] for t in tasks]
        then = np.array([t.params["then"] for t in tasks])
        self._goal[ids] = goal_views(then, self._target[ids], self.size)

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rows = slice(None) if ids is None else ids
        self._places[rows] -= TURN * (actions[rows] - 1)

    def _centre(self) -> np.ndarray:
        return self._places[np.arange(self.num_envs), self._target]

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        distance = np.abs(self._centre())
        return 1 - np.clip(distance / 2, 0, 1), distance < TURN / 2

    def _observe(self, ids: np.ndarray | None) -> Observations:
        interaction = np.zeros((self.num_envs, 6), np.float32)
        interaction[:, 0] = 1
        readings = {
            "rgb": draw_views(self._places, self.size)[0],
            "goal_view": self._goal.copy(),
            "interaction": interaction,
            "target_view": target_labels(self._places, self._target),
        }
        return {name: readings[name] for name in self.sensors}

    def expert_actions(self) -> np.ndarray:
        return (1 + np.sign(self._centre()) * (np.abs(self._centre()) > TURN / 2)).astype(np.int64)[:, None]
