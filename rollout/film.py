"""Short videos of evaluated episodes: `videos/<arm>/<task>_seed<k>_<axis>_<place>_<success|failure>.mp4`."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.video import write_video
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import make_worlds
from trunkline.errors import InputError
from trunkline.files import replacing, write_text
from trunkline.rollout.chunks import TaskPlan
from trunkline.rollout.episodes import Finished

CANDIDATES = 3  # episodes filmed for each one that is to be kept of either outcome


class Film:
    """Chooses what is filmed and keeps the first successes and failures of every task and axis.

    Args:
        folder: of the run; videos go under `videos/<arm>/`.
        arm, train_seed: what acts.
        manifest: what is evaluated.
        each: videos kept of either outcome, for each task and axis; 0 for none.
        size: edge of the pictures in pixels.
    """

    def __init__(
        self, folder: Path | None, arm: str, train_seed: int, manifest: Manifest, each: int, size: int
    ) -> None:
        if each and folder is None:
            raise InputError(f"videos={each} without a folder to write them to; give out=…")
        self.folder = folder
        self.arm = arm
        self.train_seed = train_seed
        self.each = each
        self.size = size
        self.ids: set[str] = set()
        self._kept: Counter[tuple[str, str, bool]] = Counter()
        candidates: dict[tuple[str, str], int] = {}
        for spec in manifest if each else ():
            cell = spec.task, spec.axis
            if candidates.get(cell, 0) < CANDIDATES * each:
                candidates[cell] = candidates.get(cell, 0) + 1
                self.ids.add(spec.id)

    def leave_out_blind(self, manifest: Manifest, plans: Mapping[str, TaskPlan]) -> list[str]:
        """Do not film worlds that draw no pictures; why, one line a task."""
        reasons = []
        for task, places in manifest.by_task().items() if self.ids else ():
            world = make_worlds(task, 1, plans[task].sensors, **plans[task].options)
            try:
                world.reset(options={"tasks": [manifest.tasks[places[0]]]})
                world.render_images([0], self.size)
            except InputError as error:
                self.ids -= {manifest.tasks[i].id for i in places}
                reasons.append(f"no videos of {task}: {error}")
            finally:
                world.close()
        return reasons

    def count(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take the videos of earlier rows of this evaluation into account."""
        for row in rows:
            if row["video"] is not None:
                self._kept[row["task"], row["axis"], row["success"]] += 1

    def full(self, task: str, axis: str, success: bool) -> bool:
        """Whether enough videos of such episodes have been kept."""
        return self._kept[task, axis, success] >= self.each

    def keep(self, finished: Finished, fps: float) -> str | None:
        """Write an episode's video if there is room for its outcome; its path relative to the run's folder."""
        task, success = finished.episode.task, finished.episode.success
        if finished.frames is None or self.folder is None or self.full(task.task, task.axis, success):
            return None
        self._kept[task.task, task.axis, success] += 1
        place = f"seed{self.train_seed}_{task.axis}_{finished.index:04d}_{'success' if success else 'failure'}"
        name = f"videos/{self.arm}/{task.task.replace('/', '-').replace(':', '-')}_{place}.mp4"
        with replacing(self.folder / name) as temporary:
            write_video(temporary, [_even(finished.frames)], fps)
        about = {"task": task.task, "axis": task.axis, "train_seed": self.train_seed, "task_id": task.id}
        write_text((self.folder / name).with_suffix(".json"), json.dumps(about))
        return name


def _even(frames: np.ndarray) -> np.ndarray:
    """Frames (T, H, W, 3) cut to even height and width, which the codec's colour format needs."""
    return frames[:, : frames.shape[1] // 2 * 2, : frames.shape[2] // 2 * 2]
