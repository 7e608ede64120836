"""What a whole experiment is: from tasks to a transfer report."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.agents.config import AgentConfig
from trunkline.errors import InputError, unknown

# Every arm of the comparison, in the report's order: (stage whose checkpoint acts, sensors withheld).
ARMS: dict[str, tuple[str | None, tuple[str, ...]]] = {
    "random": (None, ()),
    "expert": (None, ()),
    "imitation_scratch": ("imitation_scratch", ()),
    "imitation": ("imitation", ()),
    "rl_scratch": ("rl_scratch", ()),
    "pretrained_rl": ("pretrained_rl", ()),
    "pretrained_rl_goal_masked": ("pretrained_rl", ("goal",)),
}


@dataclass(frozen=True)
class CollectionPlan:
    """One collected data set: episodes a task and the policy that acts.

    Attributes:
        episodes: of each task.
        policy: of `trunkline.rollout.policies.PolicyConfig`.
    """

    episodes: int
    policy: Mapping[str, Any] = field(default_factory=lambda: {"kind": "expert"})


@dataclass(frozen=True)
class EvaluationPlan:
    """The evaluation's cells.

    Attributes:
        episodes: of each task and axis.
        axes: axes of novelty: "seen" (training contexts), "goal", "object", each for the tasks that have it;
            left-out tasks have the axis "task".
        videos: successes and failures kept of each task and axis, of the first seed.
        filmed: arms that are filmed; drawing a picture costs more than a step.
        options: of `trunkline.rollout.evaluate.EvaluateConfig`.
    """

    episodes: int = 50
    axes: tuple[str, ...] = ("seen", "goal", "object")
    videos: int = 1
    filmed: tuple[str, ...] = ("pretrained_rl", "rl_scratch")
    options: Mapping[str, Any] = field(default_factory=dict)


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
        hidden: sensors that the pretraining episodes lack.
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
    agent: AgentConfig = field(default_factory=AgentConfig)
    pretraining: CollectionPlan = field(default_factory=lambda: CollectionPlan(100))
    demonstrations: CollectionPlan = field(default_factory=lambda: CollectionPlan(10))
    collect: Mapping[str, Any] = field(default_factory=dict)
    pretrain: Mapping[str, Any] = field(default_factory=dict)
    imitate: Mapping[str, Any] = field(default_factory=dict)
    finetune: Mapping[str, Any] = field(default_factory=dict)
    evaluation: EvaluationPlan = field(default_factory=EvaluationPlan)
    arms: tuple[str, ...] = tuple(ARMS)
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    num_cpus: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if not (self.tasks or self.parts) or not self.seeds:
            raise InputError("an experiment needs at least one task and one seed (tasks=[…] seeds=[…]), or parts")
        both = sorted(set(self.tasks) & set(self.held_out))
        if both:
            raise InputError(f"task {both[0]!r} is in tasks and in held_out; a held-out task must not be trained on")
        for arm in self.arms:
            if arm not in ARMS:
                raise unknown("arm", arm, ARMS)

    def needs(self, stage: str) -> bool:
        """Whether an arm acts with that training stage's checkpoint, or a later stage starts from it."""
        stages = {ARMS[arm][0] for arm in self.arms}
        after = {"pretrain": ("imitation",), "imitation": ("pretrained_rl",)}
        return stage in stages or any(self.needs(later) for later in after.get(stage, ()))
