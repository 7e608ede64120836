"""The main job: from manifests to the report, resumable by stage."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.data.collection import open_datasets
from trunkline.data.metrics import read_metrics
from trunkline.pretrain import config as pretraining
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.train import pretrain
from trunkline.rollout.collect import CollectConfig, collect
from trunkline.rollout.evaluate import EvaluateConfig, evaluate
from trunkline.rollout.experiment.config import ARMS, CollectionPlan, ExperimentConfig
from trunkline.rollout.experiment.part import make_part
from trunkline.rollout.experiment.plan import plan_manifests, write_manifests
from trunkline.rollout.experiment.stages import Stages
from trunkline.rollout.finetune import FinetuneConfig, finetune
from trunkline.rollout.policies import PolicyConfig
from trunkline.rollout.ray_session import ray_session
from trunkline.rollout.report import build_report
from trunkline.rollout.rl import config as finetuning
from trunkline.run_folder import RunFolder
from trunkline.schema import build

Say = Callable[[str], None]
# Where a run is computed may change when it is resumed; what it computes may not.
ELSEWHERE = frozenset(
    {
        *("num_cpus", "address", "folder"),
        *("collect.pool", "collect.retry_lost", "collect.quiet"),
        *(f"{stage}.{key}" for stage in ("pretrain", "imitate") for key in pretraining.ELSEWHERE),
        *(f"finetune.{key}" for key in finetuning.ELSEWHERE),
        *(f"evaluation.options.{key}" for key in ("actors", "pool", "quiet")),
    }
)


def run_experiment(config: ExperimentConfig, command: str, say: Say) -> Path:
    """Run every stage that is not done yet; the path of the report.

    Args:
        config: the experiment.
        command: how it was started, noted beside each stage.
        say: called with lines of progress.

    Raises:
        InputError: bad configuration, or a folder that holds another run.
    """
    job = _Job(config, say)  # checks the whole configuration before anything is written
    place = RunFolder(job.folder)
    place.check(config, ELSEWHERE)
    place.claim(config)
    with ExitStack() as until_the_end:

        def start_ray() -> None:
            until_the_end.enter_context(ray_session(num_cpus=config.num_cpus, address=config.address))

        job.stages = Stages(job.folder, command, before_first=start_ray)
        if config.tasks:
            job.collect()
            for seed in config.seeds:
                job.train(seed)
            job.evaluate()
        for part in job.parts:
            part.run(job.stages, say)
    return build_report(job.folder)


class _Job:
    stages: Stages

    def __init__(self, config: ExperimentConfig, say: Say) -> None:
        self.config = config
        self.folder = Path(config.folder)
        self.say = say
        self.parts = [make_part(name, options, self.folder) for name, options in config.parts.items()]
        if not config.tasks:
            return
        self._manifests = plan_manifests(config)
        self._evaluate_config = build(EvaluateConfig, config.evaluation.options, "evaluation.options")
        for plan in (config.pretraining, config.demonstrations):
            self._collect_config(plan, ())
        self._pretrain_config("pretrain", self.config.seeds[0])
        self._pretrain_config("imitation", self.config.seeds[0])
        self._finetune_config("rl_scratch", self.config.seeds[0])

    def collect(self) -> None:
        """Manifests, pretraining episodes with hidden sensors, and demonstrations with all of them."""
        write_manifests(self._manifests, self.folder / "manifests")
        for name, plan, hidden in (
            ("pretrain", self.config.pretraining, self.config.hidden),
            ("demonstrations", self.config.demonstrations, ()),
        ):
            self.stages.run(f"collect/{name}", partial(self._collect, name, plan, hidden), self.say)

    def _collect(self, name: str, plan: CollectionPlan, hidden: tuple[str, ...]) -> int:
        config = self._collect_config(plan, hidden)
        result = collect(self._manifests[name], self.data(name), config, sensors=self.config.sensors or None)
        self.say(str(result))
        return sum(dataset.num_frames for dataset in open_datasets(result.root))  # of all attempts

    def _collect_config(self, plan: CollectionPlan, hidden: tuple[str, ...]) -> CollectConfig:
        policy = build(PolicyConfig, plan.policy, "policy")
        return replace(build(CollectConfig, self.config.collect, "collect"), policy=policy, hidden=hidden)

    def train(self, seed: int) -> None:
        """Every training stage of one seed that some arm needs."""
        for name in ("pretrain", "imitation", "imitation_scratch"):
            if self.config.needs(name):
                self.stages.run(f"{name}/seed{seed}", partial(self._pretrain, name, seed), self.say)
        for name in ("rl_scratch", "pretrained_rl"):
            if self.config.needs(name):
                self.stages.run(f"{name}/seed{seed}", partial(self._finetune, name, seed), self.say)

    def _pretrain(self, name: str, seed: int) -> int:
        config = self._pretrain_config(name, seed)
        pretrain(config, self.training(name, seed))
        return config.steps * config.batch_size

    def _pretrain_config(self, name: str, seed: int) -> PretrainConfig:
        data, options = (
            ("pretrain", self.config.pretrain) if name == "pretrain" else ("demonstrations", self.config.imitate)
        )
        fixed: dict[str, Any] = {"data": str(self.data(data)), "seed": seed, "agent": self.config.agent}
        if name == "imitation":
            fixed["init_from"] = str(self.training("pretrain", seed))
        objective = "inverse_dynamics" if name == "pretrain" else "behaviour_cloning"
        return build(PretrainConfig, {"objective": objective, **options, **fixed}, name)

    def _finetune(self, name: str, seed: int) -> int:
        config = self._finetune_config(name, seed)
        folder = self.training(name, seed)
        finetune(config, folder, self._say_progress(f"{name}/seed{seed}", config.iterations))
        return int(read_metrics(folder)[-1]["total_steps"])

    def _finetune_config(self, name: str, seed: int) -> FinetuneConfig:
        fixed: dict[str, Any] = {"tasks": self.config.tasks, "seed": seed, "sensors": self.config.sensors}
        if name == "pretrained_rl":
            fixed["init"] = str(self.training("imitation", seed))
        else:
            fixed |= {"agent": self.config.agent, "statistics": str(self.data("demonstrations"))}
        return build(FinetuneConfig, {**self.config.finetune, **fixed}, "finetune")

    def _say_progress(self, name: str, iterations: int) -> Callable[[int, Mapping[str, float]], None]:
        every = max(1, iterations // 5)

        def on_iteration(iteration: int, figures: Mapping[str, float]) -> None:
            if iteration % every == 0 or iteration == iterations:
                rates = [
                    f"{key.removeprefix('success/')} {value:.0%}"
                    for key, value in figures.items()
                    if key.startswith("success/")
                ]
                self.say(f"{name}: {iteration}/{iterations} updates; solved: {', '.join(rates)}")

        return on_iteration

    def evaluate(self) -> None:
        """Every arm on the test manifest."""
        for arm in self.config.arms:
            stage, mask = ARMS[arm]
            for seed in self.config.seeds if stage else self.config.seeds[:1]:
                policy = (
                    PolicyConfig(kind=arm)
                    if stage is None
                    else PolicyConfig("checkpoint", path=str(self.training(stage, seed)), mask=mask)
                )
                self.stages.run(f"evaluate/{arm}/seed{seed}", partial(self._evaluate, arm, policy, seed), self.say)

    def _evaluate(self, arm: str, policy: PolicyConfig, seed: int) -> int:
        plan = self.config.evaluation
        filmed = arm in plan.filmed and seed == self.config.seeds[0]
        config = replace(self._evaluate_config, videos=plan.videos if filmed else 0)
        rows = evaluate(policy, self._manifests["test"], config, arm=arm, train_seed=seed, out=self.folder)
        return sum(row["steps"] for row in rows)

    def data(self, name: str) -> Path:
        """Folder of a collection."""
        return self.folder / "data" / name

    def training(self, name: str, seed: int) -> Path:
        """Folder of a training stage; as a checkpoint it means the last one in it."""
        return self.folder / "checkpoints" / name / f"seed{seed}"
