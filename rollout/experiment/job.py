"""The main job on one set of tasks: episodes, pretraining, imitation, RL, and the evaluation of every arm."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.data.collection import open_datasets
from trunkline.envs.registry import require, require_families
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.objectives.base import make_objective
from trunkline.rollout.collect import CollectConfig, collect
from trunkline.rollout.evaluate import RESULTS, EvaluateConfig, evaluate
from trunkline.rollout.experiment.config import (
    ARMS,
    COLLECTED,
    FINETUNED,
    PRETRAINED,
    STARTS_FROM,
    CollectionPlan,
    ExperimentConfig,
)
from trunkline.rollout.experiment.plan import plan_manifests, write_manifests
from trunkline.rollout.experiment.requirements import refuse_own, require_agent_and_arms
from trunkline.rollout.experiment.stages import Say, Stages
from trunkline.rollout.experiment.training import Progress, finetuning_job, training_job
from trunkline.rollout.finetune import FinetuneConfig, require_worlds
from trunkline.rollout.jobs import Job
from trunkline.rollout.policies import PolicyConfig
from trunkline.rollout.pool import Pool
from trunkline.rollout.results import read_results
from trunkline.schema import build

# The first that can begin does: a chain's next stage before what stands alone.
TRAINING = ("pretrain", "imitation", "pretrained_rl", "imitation_scratch", "rl_scratch")


class MainJob:
    """Collection → pretraining → imitation → RL → evaluation of every arm, on one set of tasks.

    Args:
        config: the experiment; its parts are not this job's.
        name: of the job within a larger run, which its stages are called by; empty for the run itself.

    Raises:
        InputError: a configuration that cannot be; nothing has been written then.
    """

    def __init__(self, config: ExperimentConfig, name: str = "") -> None:
        self.config = config
        self.folder = Path(config.folder)
        self._prefix = f"{name}/" if name else ""
        for task in (*config.tasks, *config.held_out):
            require(task)
        self._manifests = plan_manifests(config)
        self._evaluate_config = build(EvaluateConfig, config.evaluation.options, "evaluation.options")
        for plan in (config.pretraining, config.demonstrations):
            self._collect_config(plan, ())
        self._pretrain_config("pretrain", self.config.seeds[0])
        self._pretrain_config("imitation", self.config.seeds[0])
        for where, named in (("sensors", config.sensors), ("options", config.options)):
            require_families(named, where)
        require_families(self._evaluate_config.options, "evaluation.options.options")
        finetuning = self._finetune_config("rl_scratch", self.config.seeds[0])
        if self.config.needs("rl_scratch") or self.config.needs("pretrained_rl"):
            require_worlds(finetuning)
        require_agent_and_arms(self.config, self._worlds_of)

    def run(self, stages: Stages, say: Say) -> None:
        """Every stage that is not done yet."""
        self._stages, self._say = stages, say
        self._collect_all()
        self._train_all()
        self._evaluate_all()

    def _stage(self, name: str, work: Callable[[], int]) -> None:
        self._stages.run(self._prefix + name, work, self._say)

    def _collect_all(self) -> None:
        """Manifests, pretraining episodes with hidden sensors, and demonstrations with all of them."""
        write_manifests(self._manifests, self.folder / "manifests")
        for name, plan, hidden in (
            ("pretrain", self.config.pretraining, self.config.hidden),
            ("demonstrations", self.config.demonstrations, ()),
        ):
            self._stage(f"collect/{name}", partial(self._collect, name, plan, hidden))

    def _collect(self, name: str, plan: CollectionPlan, hidden: tuple[str, ...]) -> int:
        config = self._collect_config(plan, hidden)
        result = collect(self._manifests[name], self.data(name), config, sensors=self.config.sensors or None)
        self._say(str(result))
        return sum(dataset.num_frames for dataset in open_datasets(result.root))  # of all attempts

    def _collect_config(self, plan: CollectionPlan, hidden: tuple[str, ...]) -> CollectConfig:
        policy = build(PolicyConfig, plan.policy, "policy")
        refuse_own("collect", self.config.collect, COLLECTED)
        config = build(CollectConfig, self.config.collect, "collect")
        return replace(config, policy=policy, hidden=hidden, options=self.config.worlds(config.options))

    def _train_all(self) -> None:
        """Every training stage that some arm needs, side by side."""
        jobs: dict[str, Job] = {}
        progress: list[Progress] = []
        for name in filter(self.config.needs, TRAINING):
            for seed in self.config.seeds:
                stage, folder = self._named(name, seed), self.training(name, seed)
                after = (self._named(STARTS_FROM[name], seed),) if name in STARTS_FROM else ()
                if name in ("rl_scratch", "pretrained_rl"):
                    tuning = self._finetune_config(name, seed)
                    jobs[stage] = finetuning_job(tuning, folder, after)
                    progress.append(Progress(stage, folder, tuning.iterations))
                else:
                    training = self._pretrain_config(name, seed)
                    jobs[stage] = training_job(training, folder, after)
                    progress.append(Progress(stage, folder, training.steps))

        def meanwhile() -> None:
            for training in progress:
                training.tell(self._say)

        self._stages.run_all(jobs, self._say, meanwhile)

    def _named(self, name: str, seed: int) -> str:
        return f"{self._prefix}{name}/seed{seed}"

    def _pretrain_config(self, name: str, seed: int) -> PretrainConfig:
        data, options = (
            ("pretrain", self.config.pretrain) if name == "pretrain" else ("demonstrations", self.config.imitate)
        )
        fixed: dict[str, Any] = {"data": str(self.data(data)), "seed": seed, "agent": self.config.agent}
        if name == "imitation":
            fixed["init_from"] = str(self.training("pretrain", seed))
        refuse_own("pretrain" if name == "pretrain" else "imitate", options, PRETRAINED)
        objective = "inverse_dynamics" if name == "pretrain" else "behaviour_cloning"
        config = build(PretrainConfig, {"objective": objective, **options, **fixed}, name)
        make_objective(config.objective, config.objective_options)
        return config

    def _finetune_config(self, name: str, seed: int) -> FinetuneConfig:
        fixed: dict[str, Any] = {"tasks": self.config.tasks, "seed": seed, "sensors": self.config.sensors}
        if name == "pretrained_rl":
            fixed["init"] = str(self.training("imitation", seed))
        else:
            fixed |= {"agent": self.config.agent, "statistics": str(self.data("demonstrations"))}
        refuse_own("finetune", self.config.finetune, FINETUNED)
        config = build(FinetuneConfig, {**self.config.finetune, **fixed}, "finetune")
        return replace(config, options=self.config.worlds(config.options))

    def _evaluate_all(self) -> None:
        with Pool(self._evaluate_config.sized_pool) as workers:  # actors start once, not for every arm
            self._evaluate_arms(workers)

    def _evaluate_arms(self, workers: Pool) -> None:
        deterministic = self.config.evaluation.deterministic
        planned = {spec.id for spec in self._manifests["test"]}
        there = self._evaluated()
        for arm in self.config.arms:
            stage, mask = ARMS[arm].stage, self.config.hidden if ARMS[arm].masked else ()
            for seed in self.config.seeds if stage else self.config.seeds[:1]:
                policy = (
                    PolicyConfig(kind=arm)
                    if stage is None
                    else PolicyConfig(
                        "checkpoint", str(self.training(stage, seed)), mask=mask, deterministic=deterministic
                    )
                )
                name = f"evaluate/{arm}/seed{seed}"
                if not planned <= there.get((arm, seed), set()):
                    self._stages.reopen(self._prefix + name)
                self._stage(name, partial(self._evaluate, arm, policy, seed, workers))

    def _evaluated(self) -> dict[tuple[str, int], set[str]]:
        """TaskSpecs that have a row, by arm and seed."""
        there: dict[tuple[str, int], set[str]] = {}
        for row in read_results(self.folder / RESULTS, "delete it and give the command again"):
            there.setdefault((row["arm"], row["train_seed"]), set()).add(row["task_id"])
        return there

    def _worlds_of(self, arm: str) -> dict[str, dict[str, Any]]:
        """Options of the worlds that an arm is evaluated in."""
        changes = {"wrong_goal": True} if ARMS[arm].wrong_goal else {}
        return self.config.worlds(self._evaluate_config.options, **changes)

    def _evaluate(self, arm: str, policy: PolicyConfig, seed: int, workers: Pool) -> int:
        plan = self.config.evaluation
        filmed = arm in plan.filmed and seed == self.config.seeds[0]
        options = self._worlds_of(arm)
        config = replace(self._evaluate_config, videos=plan.videos if filmed else 0, options=options)
        manifest = self._manifests["test"]
        rows = evaluate(policy, manifest, config, arm=arm, train_seed=seed, out=self.folder, workers=workers)
        return sum(row["steps"] for row in rows)

    def data(self, name: str) -> Path:
        """Folder of a collection."""
        return self.folder / "data" / name

    def training(self, name: str, seed: int) -> Path:
        """Folder of a training stage; as a checkpoint it means the last one in it."""
        return self.folder / "checkpoints" / name / f"seed{seed}"
