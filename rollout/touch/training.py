"""The training runs of a touch benchmark: what each arm learns from, and running them side by side on Ray."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trunkline.agents.t3 import t3_config
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.task import make_tasks
from trunkline.rollout.experiment.training import training_job
from trunkline.rollout.jobs import run_jobs
from trunkline.rollout.touch.config import TouchConfig
from trunkline.schema import build

Runs = dict[str, tuple[TouchPretrainConfig, Path]]


class Plan:
    """The training runs of a benchmark.

    Args:
        config: of the benchmark.
        folder: of its part of the run: `data/`, `checkpoints/<arm>/seed<k>/`.

    Raises:
        InputError: options that a training run does not take.
    """

    def __init__(self, config: TouchConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder
        catalogue = [load_touch_sensor(sensor) for sensor in config.sensors]
        self.sensors = [sensor.name for sensor in catalogue]
        new = [] if config.few_shot is None else [load_touch_sensor(config.few_shot.sensor)]
        self._optical = {sensor.name for sensor in (*catalogue, *new) if sensor.kind == "optical"}
        self.rounds()  # says at once what is wrong

    @property
    def data(self) -> Path:
        """Folder of the data sets."""
        return self.folder / "data"

    def place(self, arm: str, seed: int) -> Path:
        """Folder of a training run; as a checkpoint it means the last one in it."""
        return self.folder / "checkpoints" / arm / f"seed{seed}"

    def rounds(self) -> list[tuple[str, Runs]]:
        """Rounds of runs, of all seeds; those of a round need nothing of each other."""
        first: Runs = {}
        second: Runs = {}
        for seed in self.config.seeds:
            of_first, of_second = self._rounds(seed)
            first |= {f"{arm}, seed {seed},": run for arm, run in of_first.items()}
            second |= {f"{arm}, seed {seed},": run for arm, run in of_second.items()}
        return [(name, runs) for name, runs in (("stage1", first), ("stage2", second)) if runs]

    def _rounds(self, seed: int) -> tuple[Runs, Runs]:
        first: Runs = {}
        if self._masked:
            first["stage1"] = self.run("stage1", seed, self.config.stage1, tasks=("mae",))
        second: Runs = {}
        start = {"init_from": str(self.place("stage1", seed))} if self._masked else {}
        labelled = {"tasks": self.config.tasks, **start}
        if "transfer" in self.config.arms:
            given = {**labelled, "hold_out": self.config.withheld}
            second["transfer"] = self.run("transfer", seed, self.config.stage2, **given)
        if "upper" in self.config.arms:
            second["upper"] = self.run("upper", seed, self.config.stage2, **labelled, hold_out=())
        if "single" in self.config.arms:
            for sensor in self.alone:
                tasks = [task for task in self.possible(sensor) if not self.config.held_out(sensor, task)]
                arm = f"single/{sensor}"
                second[arm] = self.run(arm, seed, self.config.single, tasks=tasks, sensors=(sensor,))
        return first, second

    @property
    def alone(self) -> list[str]:
        """Sensors that have a model of their own: all that have a label in training."""
        return [s for s in self.sensors if not all(self.config.held_out(s, task) for task in self.possible(s))]

    def possible(self, sensor: str) -> list[str]:
        """Tasks that a sensor has labels for: only images have a contact mask."""
        tasks = make_tasks(self.config.tasks)
        return [name for name, task in tasks.items() if sensor in self._optical or "mask" not in task.fields]

    @property
    def _masked(self) -> bool:
        return self.config.stage1.get("steps", 1) > 0 and bool(self.config.arms)

    def run(self, arm: str, seed: int, options: Mapping[str, Any], **fixed: Any) -> tuple[TouchPretrainConfig, Path]:
        """One training run and its place; `fixed` are what the arm is, `options` what the user may set."""
        options = dict(options)
        shape = {key: options.pop(key) for key in ("patch",) if key in options}
        heads = options.pop("task_options", {})
        options["task_options"] = {task: given for task, given in heads.items() if task in fixed["tasks"]}
        agent = t3_config(self.config.size, image=self.config.image_size, **shape)
        given = {"threads": 1, **options, **fixed, "data": str(self.data), "seed": seed, "agent": agent}
        return build(TouchPretrainConfig, given, f"parts.touch, {arm}"), self.place(arm, seed)


def train(runs: Runs, say: Callable[[str], None]) -> int:
    """Train all of them side by side, each from where it was; samples seen. A Ray session is there."""
    run_jobs({f"touch: {name}": training_job(config, folder) for name, (config, folder) in runs.items()}, say)
    return sum(config.steps * config.batch_size for config, _ in runs.values())
