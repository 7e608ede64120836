"""The main job on one set of tasks: episodes, pretraining, imitation, RL, and the evaluation of every arm."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from trunkline.data.collection import open_datasets
from trunkline.data.metrics import read_metrics
from trunkline.envs.registry import require, require_families
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.train import pretrain
from trunkline.rollout.collect import CollectConfig, collect
from trunkline.rollout.evaluate import EvaluateConfig, evaluate
from trunkline.rollout.experiment.config import ARMS, CollectionPlan, ExperimentConfig
from trunkline.rollout.experiment.plan import plan_manifests, write_manifests
from trunkline.rollout.experiment.stages import Stages
from trunkline.rollout.finetune import FinetuneConfig, finetune, require_worlds
from trunkline.rollout.policies import PolicyConfig
from trunkline.rollout.pool import Pool
from trunkline.schema import build

Say = Callable[[str], None]


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

    def run(self, stages: Stages, say: Say) -> None:
        """Every stage that is not done yet."""
        self._stages, self._say = stages, say
        self._collect_all()
        for seed in self.config.seeds:
            self._train(seed)
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
        config = build(CollectConfig, self.config.collect, "collect")
        return replace(config, policy=policy, hidden=hidden, options=self.config.worlds(config.options))

    def _train(self, seed: int) -> None:
        """Every training stage of one seed that some arm needs."""
        for name in ("pretrain", "imitation", "imitation_scratch"):
            if self.config.needs(name):
                self._stage(f"{name}/seed{seed}", partial(self._pretrain, name, seed))
        for name in ("rl_scratch", "pretrained_rl"):
            if self.config.needs(name):
                self._stage(f"{name}/seed{seed}", partial(self._finetune, name, seed))

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
        finetune(config, folder, self._on_iteration(f"{name}/seed{seed}", config.iterations))
        return int(read_metrics(folder)[-1]["total_steps"])

    def _finetune_config(self, name: str, seed: int) -> FinetuneConfig:
        fixed: dict[str, Any] = {"tasks": self.config.tasks, "seed": seed, "sensors": self.config.sensors}
        if name == "pretrained_rl":
            fixed["init"] = str(self.training("imitation", seed))
        else:
            fixed |= {"agent": self.config.agent, "statistics": str(self.data("demonstrations"))}
        config = build(FinetuneConfig, {**self.config.finetune, **fixed}, "finetune")
        return replace(config, options=self.config.worlds(config.options))

    def _on_iteration(self, name: str, iterations: int) -> Callable[[int, Mapping[str, float]], None]:
        every = max(1, iterations // 5)

        def on_iteration(iteration: int, figures: Mapping[str, float]) -> None:
            if iteration % every == 0 or iteration == iterations:
                rates = [
                    f"{key.removeprefix('success/')} {value:.0%}"
                    for key, value in figures.items()
                    if key.startswith("success/")
                ]
                self._say(f"{self._prefix}{name}: {iteration}/{iterations} updates; solved: {', '.join(rates)}")

        return on_iteration

    def _evaluate_all(self) -> None:
        with Pool(self._evaluate_config.sized_pool) as workers:  # actors start once, not for every arm
            self._evaluate_arms(workers)

    def _evaluate_arms(self, workers: Pool) -> None:
        deterministic = self.config.evaluation.deterministic
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
                self._stage(f"evaluate/{arm}/seed{seed}", partial(self._evaluate, arm, policy, seed, workers))

    def _evaluate(self, arm: str, policy: PolicyConfig, seed: int, workers: Pool) -> int:
        plan = self.config.evaluation
        filmed = arm in plan.filmed and seed == self.config.seeds[0]
        changes = {"wrong_goal": True} if ARMS[arm].wrong_goal else {}
        options = self.config.worlds(self._evaluate_config.options, **changes)
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
