"""A sensor from another distribution: the distances that a planar range finder measures around a robot.

Two parts, published by the entry points in pyproject.toml: an encoder for the modality `range_scan`, and the world
family `rangeworld`, a robot in a corridor that has nothing but this sensor, so that there is something to train on.

Legend: B batch, R rays, S sectors, D width, E simulations.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import Encoder, require_positive, require_rank
from trunkline.agents.registry import encoder
from trunkline.envs.base import Observations, World
from trunkline.envs.random import generator
from trunkline.envs.registry import world
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

RAYS = 32
REACH = 4.0  # m, the longest distance that is measured


@encoder("range_scan")
class RangeScanEncoder(Encoder):
    """Scans (B, R) all around a robot to a token a sector, (B, S, D), by convolutions around the circle.

    Args:
        spec: a sensor of modality `range_scan` with one axis, the rays in order of their angle.
        width: D.
        channels: of the two convolutions.
        sectors: S.
    """

    modalities = ("range_scan",)

    def __init__(self, spec: SensorSpec, width: int, *, channels: int = 32, sectors: int = 4) -> None:
        super().__init__(spec, width)
        require_rank("range_scan", spec, 1, "range scans (R,)")
        require_positive("range_scan", channels=channels, sectors=sectors)
        self.layers = nn.Sequential(
            nn.Conv1d(1, channels, 5, padding=2, padding_mode="circular"),
            nn.GELU(),
            nn.Conv1d(channels, channels, 5, padding=2, padding_mode="circular"),
            nn.GELU(),
            nn.AdaptiveMaxPool1d(sectors),
        )
        self.project = nn.Linear(channels, width)
        self.sectors = nn.Parameter(torch.empty(1, sectors, width).normal_(std=0.02))

    def tokens(self, readings: Tensor) -> Tensor:
        """Normalised scans (B, R) to (B, S, D)."""
        sectors: Tensor = self.project(self.layers(readings.unsqueeze(1)).transpose(1, 2))
        return sectors + self.sectors


LENGTH, WIDTH = 4.0, 2.0  # m, of the corridor
GAP = 0.5  # m, of the opening in the wall across it
MARGIN = 0.05  # m, that the robot keeps from walls
SPEED = 0.15  # m a step at action 1
GAPS = {"train": (0.5, 1.2), "validation/goal": (1.2, 1.3), "test/goal": (1.35, 1.5)}  # m, of its centre from one side


@world("rangeworld")
class RangeWorld(World):
    """The family `rangeworld` with the task `corridor`: get through the opening in a wall to the corridor's far end.

    TaskSpec params, in metres: `start` (x, y), `wall` (its x), `gap` (y of the opening's centre).
    """

    family = "rangeworld"

    def __init__(self, task: str, num_envs: int, sensors: Sequence[str] | None = None, num_threads: int = 1) -> None:
        super().__init__(task, num_envs, sensors, num_threads)
        self._position, self._from = np.zeros((num_envs, 2)), np.zeros(num_envs)
        self._wall, self._gap = np.full(num_envs, LENGTH / 2), np.full(num_envs, WIDTH / 2)
        angles = np.arange(RAYS) * 2 * np.pi / RAYS
        self._direction = np.stack([np.cos(angles), np.sin(angles)], axis=1)

    @classmethod
    def task_names(cls) -> tuple[str, ...]:
        return ("corridor",)

    @classmethod
    def splits(cls, task: str) -> tuple[str, ...]:
        return tuple(GAPS)

    @classmethod
    def sample_tasks(cls, task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
        specs = []
        for index in range(count):
            rng = generator("rangeworld", task, split, seed, index)
            params = {
                "start": [float(rng.uniform(0.2, 0.8)), float(rng.uniform(0.2, WIDTH - 0.2))],
                "wall": float(rng.uniform(1.5, 2.5)),
                "gap": float(rng.uniform(*GAPS[split])),
            }
            specs.append(TaskSpec(f"rangeworld/{task}", int(rng.integers(2**31)), params, split, 80))
        return specs

    def available_sensors(self) -> list[SensorSpec]:
        form = {"field_of_view": 360.0}
        return [SensorSpec("scan", "range_scan", (RAYS,), low=0.0, high=REACH, units="m", form=form)]

    def default_sensors(self) -> tuple[str, ...]:
        return ("scan",)

    def make_action_spec(self) -> ActionSpec:
        return ActionSpec("rover", (2,))

    def _start(self, ids: np.ndarray, tasks: Sequence[TaskSpec]) -> None:
        self._position[ids] = [t.params["start"] for t in tasks]
        self._from[ids] = self._position[ids, 0]
        self._wall[ids] = [t.params["wall"] for t in tasks]
        self._gap[ids] = [t.params["gap"] for t in tasks]

    def _advance(self, actions: np.ndarray, ids: np.ndarray | None) -> None:
        rows = slice(None) if ids is None else ids
        before, wall, gap = self._position[rows], self._wall[rows], self._gap[rows]
        after = np.clip(before + SPEED * actions[rows], MARGIN, np.array([LENGTH, WIDTH]) - MARGIN)
        # Who is in the opening stays between its edges; who would cross the wall beside it stops in front.
        inside, free = np.abs(before[:, 0] - wall) < MARGIN, GAP / 2 - MARGIN
        after[:, 1] = np.where(inside, np.clip(after[:, 1], gap - free, gap + free), after[:, 1])
        side = np.where(before[:, 0] < wall, -1.0, 1.0)
        blocked = ((after[:, 0] - wall) * side < MARGIN) & (np.abs(after[:, 1] - gap) > free) & ~inside
        after[:, 0] = np.where(blocked, wall + side * 1.01 * MARGIN, after[:, 0])
        self._position[rows] = after

    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        end = LENGTH - 0.3
        progress = (self._position[:, 0] - self._from) / (end - self._from)
        return np.clip(progress, 0.0, 1.0), self._position[:, 0] >= end

    def _observe(self, ids: np.ndarray | None) -> Observations:
        return {"scan": self._scan()} if "scan" in self.sensors else {}

    def _scan(self) -> np.ndarray:
        """Distances (E, R) to the corridor's sides and to the wall across it."""
        at, along = self._position[:, None], self._direction[None]
        with np.errstate(divide="ignore", invalid="ignore"):
            to_sides = np.where(along > 0, np.array([LENGTH, WIDTH]) - at, -at) / along  # (E, R, 2)
            distance = np.where(along == 0, np.inf, to_sides).min(-1)
            to_wall = (self._wall[:, None] - at[..., 0]) / along[..., 0]
            meets = np.abs(at[..., 1] + to_wall * along[..., 1] - self._gap[:, None]) > GAP / 2
        hit = np.where((to_wall > 0) & np.isfinite(to_wall) & meets, to_wall, np.inf)
        return np.minimum(np.minimum(distance, hit), REACH).astype(np.float32)

    def expert_actions(self) -> np.ndarray:
        """Steer to a point in front of the opening, then straight through."""
        x, y = self._position.T
        aside = self._gap - y
        aligned = (np.abs(aside) < GAP / 4) | (x > self._wall + MARGIN)
        ahead = np.where(aligned, 1.0, (self._wall - 0.2 - x) / SPEED)
        sideways = np.where(x > self._wall + MARGIN, 0.0, aside / SPEED)
        return np.clip(np.stack([ahead, sideways], axis=1), -1.0, 1.0).astype(np.float32)
