"""What a whole experiment is: from tasks to a transfer report."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.agents.config import AgentConfig
from trunkline.envs.registry import split_task
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class Arm:
    """What acts in an arm of the comparison.

    Attributes:
        stage: whose checkpoint acts; None for a policy that is not trained.
        masked: whether the sensors of `ExperimentConfig.hidden` are withheld.
        wrong_goal: whether the worlds show another episode's goal, where they can (their option `wrong_goal`).
    """

    stage: str | None = None
    masked: bool = False
    wrong_goal: bool = False


# In the report's order.
ARMS: dict[str, Arm] = {
    "random": Arm(),
    "expert": Arm(),
    "imitation_scratch": Arm("imitation_scratch"),
    "imitation": Arm("imitation"),
    "rl_scratch": Arm("rl_scratch"),
    "pretrained_rl": Arm("pretrained_rl"),
    "pretrained_rl_goal_masked": Arm("pretrained_rl", masked=True),
    "pretrained_rl_wrong_goal": Arm("pretrained_rl", wrong_goal=True),
}

# Training stages that start from another's checkpoint.
STARTS_FROM = {"imitation": "pretrain", "pretrained_rl": "imitation"}


@dataclass(frozen=True)
class CollectionPlan:
    """One collected data set: episodes a task and the policy that acts.

    Attributes:
        episodes: of each task.
        policy: of `trunkline.rollout.policies.PolicyConfig`.
    """

    episodes: int
    policy: Mapping[str, Any] = field(
        default_factory=lambda: {"kind": "expert"}, metadata={"schema": "trunkline.rollout.policies:PolicyConfig"}
    )


@dataclass(frozen=True)
class EvaluationPlan:
    """The evaluation's cells.

    Attributes:
        episodes: of each task and axis.
        axes: axes of novelty: "seen" (training contexts), "goal", "object", each for the tasks that have it;
            left-out tasks have the axis "task", those on another engine "engine".
        videos: successes and failures kept of each task and axis, of the first seed.
        deterministic: whether trained policies take their distribution's mode; else they sample, from a named seed.
        filmed: arms that are filmed; drawing a picture costs more than a step.
        options: of `trunkline.rollout.evaluate.EvaluateConfig`.
    """

    episodes: int = 50
    axes: tuple[str, ...] = ("seen", "goal", "object")
    videos: int = 1
    deterministic: bool = True
    filmed: tuple[str, ...] = ("pretrained_rl", "rl_scratch")
    options: Mapping[str, Any] = field(
        default_factory=dict, metadata={"schema": "trunkline.rollout.evaluate:EvaluateConfig", "without": ("videos",)}
    )


# What the run itself sets of each stage's configuration.
COLLECTED = ("policy", "hidden")
PRETRAINED = ("data", "init_from", "agent", "seed")
FINETUNED = ("tasks", "init", "agent", "sensors", "statistics", "seed")


@dataclass(frozen=True)
class ExperimentConfig:
    """One experiment: `trunkline run experiment=NAME`.

    Attributes:
        folder: where everything goes; the same command with the same folder resumes.
        tasks: tasks that are trained on; with none the run is its parts.
        held_out: tasks that only the evaluation sees.
        seeds: of training; each is a whole training run.
        data_seed: of the collected episodes.
        sensors: sensors read, by world family; families not named read their default ones.
        hidden: sensors that show the goal: the pretraining episodes lack them, and an arm is evaluated without them.
        options: of worlds, by family, in every stage; a stage's own `options` are put on top of them.
        agent: the architecture, the same for every arm.
        pretraining, demonstrations: the two data sets.
        collect, pretrain, imitate, finetune: options of `CollectConfig`, `PretrainConfig` (twice) and `FinetuneConfig`.
        evaluation: the cells.
        arms: arms of the comparison.
        parts: what else the run measures, by name, e.g. {"touch": {…}}; see `rollout/experiment/part.py`.
        num_cpus: that Ray may use; None for all of the machine.
        address: of a running Ray cluster; None starts one on this machine.
    """

    folder: str
    tasks: tuple[str, ...] = ()
    held_out: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    data_seed: int = 0
    sensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    hidden: tuple[str, ...] = ("goal",)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    agent: AgentConfig = field(default_factory=AgentConfig)
    pretraining: CollectionPlan = field(default_factory=lambda: CollectionPlan(100))
    demonstrations: CollectionPlan = field(default_factory=lambda: CollectionPlan(10))
    collect: Mapping[str, Any] = field(
        default_factory=dict, metadata={"schema": "trunkline.rollout.collect:CollectConfig", "without": COLLECTED}
    )
    pretrain: Mapping[str, Any] = field(
        default_factory=dict, metadata={"schema": "trunkline.pretrain.config:PretrainConfig", "without": PRETRAINED}
    )
    imitate: Mapping[str, Any] = field(
        default_factory=dict, metadata={"schema": "trunkline.pretrain.config:PretrainConfig", "without": PRETRAINED}
    )
    finetune: Mapping[str, Any] = field(
        default_factory=dict, metadata={"schema": "trunkline.rollout.rl.config:FinetuneConfig", "without": FINETUNED}
    )
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    arms: tuple[str, ...] = tuple(name for name, arm in ARMS.items() if not arm.wrong_goal)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    num_cpus: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if not (self.tasks or self.parts) or not self.seeds:
            raise InputError("an experiment needs at least one task and one seed (tasks=[…] seeds=[…]), or parts")
        for name in ("tasks", "held_out", "seeds", "arms"):
            twice = [value for value, count in Counter(getattr(self, name)).items() if count > 1]
            if twice:
                raise InputError(f"{name} names {twice[0]!r} more than once; name each once")
        if self.num_cpus is not None and self.num_cpus < 1:
            raise InputError(f"num_cpus={self.num_cpus}; at least 1")
        both = sorted(set(self.tasks) & set(self.held_out))
        if both:
            raise InputError(f"task {both[0]!r} is in tasks and in held_out; a held-out task must not be trained on")
        for arm in self.arms:
            if arm not in ARMS:
                raise unknown("arm", arm, ARMS)

    def needs(self, stage: str) -> bool:
        """Whether an arm acts with that training stage's checkpoint, or a later stage starts from it."""
        stages = {ARMS[arm].stage for arm in self.arms}
        return stage in stages or any(self.needs(later) for later, first in STARTS_FROM.items() if first == stage)

    def worlds(self, own: Mapping[str, Mapping[str, Any]], **more: Any) -> dict[str, dict[str, Any]]:
        """Options of worlds by family: those of every stage, under a stage's `own`, under `more` for all families."""
        tasks = (*self.tasks, *self.held_out)
        families = {*self.options, *own, *((split_task(task)[0] for task in tasks) if more else ())}
        return {name: {**self.options.get(name, {}), **own.get(name, {}), **more} for name in sorted(families)}
