"""The part `insertion`: a policy that plugs connectors in by touch, with and without a pretrained T3."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.rollout.collect import CollectConfig, collect
from trunkline.rollout.experiment.part import Part, part
from trunkline.rollout.experiment.plan import write_manifests
from trunkline.rollout.experiment.stages import Stages
from trunkline.rollout.insertion.config import InsertionConfig
from trunkline.rollout.insertion.plan import InsertionPlan
from trunkline.rollout.insertion.training import run_job, run_references
from trunkline.rollout.jobs import Job, run_jobs
from trunkline.rollout.policies import PolicyConfig
from trunkline.rollout.pool import PoolConfig
from trunkline.schema import build


@part("insertion")
class InsertionPart(Part):
    """Demonstrations → imitation → RL → evaluation of every arm, in `<run>/insertion/`; after the part `touch`."""

    def __init__(self, options: Mapping[str, Any], folder: Path) -> None:
        self.config = build(InsertionConfig, options, "parts.insertion")
        self.plan = InsertionPlan(self.config, folder)
        self.manifests = self.plan.manifests()

    def run(self, stages: Stages, say: Callable[[str], None]) -> None:
        """Every stage that is not done yet."""
        write_manifests(self.manifests, self.plan.folder / "manifests")
        for sensor in self.config.sensors:
            stages.run(f"insertion/demonstrations/{sensor}", partial(self._collect, sensor), say)
        stages.run("insertion/train", partial(self._train, say), say)
        stages.run("insertion/references", self._references, say)

    def _collect(self, sensor: str) -> int:
        config = CollectConfig(
            policy=PolicyConfig("expert", noise=self.config.noise),
            pool=PoolConfig(actors=0, num_envs=32),
            options=self.plan.options(sensor),
            quiet=True,
        )
        return collect(self.manifests["demonstrations"], self.plan.data(sensor), config).steps

    def _train(self, say: Callable[[str], None]) -> int:
        jobs = [job for seed in self.config.seeds for job in self.plan.jobs(seed)]
        named = {
            f"insertion: {job.name}, seed {job.seed},": Job(partial(run_job, self.plan, job), cpus=1) for job in jobs
        }
        run_jobs(named, say)
        return len(jobs) * self.plan.frames(jobs[0])

    def _references(self) -> int:
        run_references(self.plan)
        return 2 * len(self.manifests["test"])
