"""One simulation of any world as an ordinary `gymnasium.Env`, for scripts and other libraries."""

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np

from trunkline.envs.registry import make_worlds
from trunkline.envs.spec import TaskSpec


class SingleEnv(gymnasium.Env[dict[str, np.ndarray], Any]):
    """A world of one simulation without its batch axis.

    `reset(seed=…)` draws a training TaskSpec from the seed; `reset(options={"task": spec})` starts that one.
    """

    metadata: dict[str, Any] = {"render_modes": ["rgb_array"]}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(self, task: str, sensors: Sequence[str] | None = None, render_mode: str | None = None, **options: Any):
        self.world = make_worlds(task, 1, sensors, **options)
        self.metadata = {**self.metadata, "render_fps": self.world.fps}
        self.observation_space = self.world.single_observation_space
        self.action_space = self.world.single_action_space
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        super().reset(seed=seed)
        spec: TaskSpec | None = (options or {}).get("task")
        if spec is None:
            draw = int(self.np_random.integers(2**31))
            spec = self.world.sample_tasks(self.world.task, 1, draw, "train")[0]
        observations, info = self.world.reset(options={"tasks": [spec]})
        return self._first(observations), {"success": bool(info["success"][0]), "progress": float(info["progress"][0])}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        observations, reward, terminated, truncated, info = self.world.step(np.asarray(action)[None])
        details = {"success": bool(info["success"][0]), "progress": float(info["progress"][0])}
        return self._first(observations), float(reward[0]), bool(terminated[0]), bool(truncated[0]), details

    def render(self) -> np.ndarray | None:  # type: ignore[override]
        return self.world.render_images([0])[0] if self.render_mode == "rgb_array" else None

    def close(self) -> None:
        self.world.close()

    @staticmethod
    def _first(observations: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: value[0] for name, value in observations.items()}


def make_env(
    task: str, sensors: Sequence[str] | None = None, render_mode: str | None = None, **options: Any
) -> SingleEnv:
    """One simulation of `task` as a `gymnasium.Env`; arguments as for `make_worlds`."""
    return SingleEnv(task, sensors, render_mode, **options)
