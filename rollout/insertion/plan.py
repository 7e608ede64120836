"""Who learns what in an insertion benchmark, and which episodes: manifests, arms, the agents that they start from."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trunkline.agents.checkpoint import read_checkpoint
from trunkline.agents.config import EVERY_OF_MODALITY, AgentConfig
from trunkline.agents.retarget import retarget
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.gripper_touch import TOUCH
from trunkline.envs.tactile.insertion_connectors import PIN_COUNTS
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.errors import InputError
from trunkline.pretrain.config import PretrainConfig
from trunkline.rollout.finetune import FinetuneConfig
from trunkline.rollout.insertion.config import InsertionConfig
from trunkline.schema import build

TASK, FAMILY = "tactile/insertion", "tactile"
BODY = ("proprio", "wrist", "to_goal")  # what every arm reads
STAGES = ("imitation", "rl")
_SEEDS = {"demonstrations": 1_000, "contexts": 2_000, "test": 3_000}  # draws that must not coincide


@dataclass(frozen=True)
class Job:
    """One arm of one seed: with which sensor on the pads, from where.

    Attributes:
        arm: of `ARMS`.
        sensor: on the pads; of the catalogue, or a file.
        seed: of training.
    """

    arm: str
    sensor: str
    seed: int

    @property
    def name(self) -> str:
        """Unique in a benchmark; the sensor means nothing to those who do not feel."""
        return self.arm if self.arm == "no_touch" else f"{self.arm}.{load_touch_sensor(self.sensor).name}"


class InsertionPlan:
    """The runs of a benchmark.

    Args:
        config: of the benchmark.
        run: the run's folder.
    """

    def __init__(self, config: InsertionConfig, run: Path) -> None:
        self.config, self.run = config, run
        self.folder = run / "insertion"
        self._finetuning = config.finetune.get("steps", 1) > 0
        for job in self.jobs(config.seeds[0]):  # says at once what is wrong
            self.imitation(job, AgentConfig(), None)
            if self._finetuning:
                self.finetuning(job)

    @property
    def stages(self) -> tuple[str, ...]:
        """Stages of training whose policies are evaluated."""
        return STAGES if self._finetuning else STAGES[:1]

    def jobs(self, seed: int) -> list[Job]:
        """Every arm with every sensor."""
        feeling = [arm for arm in self.config.arms if arm != "no_touch"]
        blind = [Job("no_touch", self.config.sensors[0], seed)] if "no_touch" in self.config.arms else []
        return [*blind, *(Job(arm, sensor, seed) for sensor in self.config.sensors for arm in feeling)]

    def manifests(self) -> dict[str, Manifest]:
        """Manifests "demonstrations", "contexts" and "test", each with as many TaskSpecs of every connector.

        Test contexts are offsets of grasp and socket that training never draws.
        """
        splits = {"demonstrations": ("train", "train/connector"), "test": ("test/offset", "test/connector")}
        splits["contexts"] = splits["demonstrations"]
        counts = {
            "demonstrations": self.config.demonstrations,
            "contexts": self.config.contexts,
            "test": self.config.episodes,
        }
        return {
            name: Manifest(tuple(_balanced(splits[name], counts[name], self.config.data_seed + seed)))
            for name, seed in _SEEDS.items()
        }

    def options(self, sensor: str) -> dict[str, dict[str, Any]]:
        """Of the world, with this sensor on the pads."""
        return {FAMILY: {"touch_sensor": sensor, "image_size": self.config.image_size}}

    def reads(self, job: Job) -> tuple[str, ...]:
        """Names of the sensors that an arm reads."""
        return BODY if job.arm == "no_touch" else (*BODY, *TOUCH)

    def data(self, sensor: str) -> Path:
        """Folder of the demonstrations."""
        return self.folder / "data" / load_touch_sensor(sensor).name

    def place(self, job: Job, stage: str) -> Path:
        """Folder of a stage of training; as a checkpoint it means the last one in it."""
        return self.folder / "checkpoints" / job.name / stage / f"seed{job.seed}"

    def start(self, job: Job) -> tuple[AgentConfig, Path | None]:
        """The architecture, and the checkpoint that imitation starts from; None for an arm from scratch.

        Raises:
            InputError: no pretrained T3 is there.
        """
        place = self.run / self.config.pretrained.format(seed=job.seed)
        source = read_checkpoint(place)
        sensor = load_touch_sensor(job.sensor).name
        known = sensor in source.sensors
        optical = [name for name, spec in source.sensors.items() if spec.modality == "tactile_rgb"]
        if not optical:
            raise InputError(f"{place} has no encoder of images; pretrain it with an optical sensor")
        encoder = source.config.encoders[sensor if known else optical[0]]
        policy = dict(self.config.policy)
        agent = replace(source.config, encoders={f"{EVERY_OF_MODALITY}tactile_rgb": encoder}, policy=policy)
        if job.arm != "pretrained":
            return agent, None
        start = self.place(job, "start")
        retarget(place, start, dict.fromkeys(TOUCH, sensor) if known else {}, policy)
        return agent, start

    def imitation(self, job: Job, agent: AgentConfig, start: Path | None) -> PretrainConfig:
        """The imitation of an arm."""
        fixed: dict[str, Any] = {
            "objective": "behaviour_cloning",
            "data": str(self.data(job.sensor)),
            "sensors": self.reads(job),
            "seed": job.seed,
            "agent": agent,
            "init_from": None if start is None else str(start),
        }
        return build(PretrainConfig, {"threads": 1, **self.config.imitate, **fixed}, "parts.insertion.imitate")

    def finetuning(self, job: Job) -> FinetuneConfig:
        """The RL of an arm."""
        fixed: dict[str, Any] = {
            "tasks": (TASK,),
            "init": str(self.place(job, "imitation")),
            "sensors": {FAMILY: self.reads(job)},
            "options": self.options(job.sensor),
            "contexts": str(self.folder / "manifests" / "contexts.json"),
            "seed": job.seed,
        }
        given: Mapping[str, Any] = {"num_env_runners": 0, **self.config.finetune, **fixed}
        return build(FinetuneConfig, given, "parts.insertion.finetune")

    def frames(self, job: Job) -> int:
        """Samples of imitation and steps of RL that an arm learns from."""
        imitation = self.imitation(job, AgentConfig(), None)
        frames = imitation.steps * imitation.batch_size
        if self._finetuning:
            finetuning = self.finetuning(job)
            frames += finetuning.iterations * finetuning.steps_per_iteration
        return frames


def _balanced(splits: tuple[str, ...], count: int, seed: int) -> list[TaskSpec]:
    """`count` TaskSpecs of every connector."""
    found: dict[int, list[TaskSpec]] = {pins: [] for pins in PIN_COUNTS}
    for split in splits:
        wanted, drawn = count, 4 * count  # a split draws its connectors at random, so a longer draw has enough of each
        while True:
            specs = sample_tasks(TASK, drawn, seed, split)
            pins = {int(spec.params["pins"]) for spec in specs}
            of = {n: [spec for spec in specs if spec.params["pins"] == n][:wanted] for n in pins}
            if all(len(some) == wanted for some in of.values()):
                break
            drawn *= 2
        found |= of
    return [spec for pins in PIN_COUNTS for spec in found[pins]]
