"""What a pretraining run on labelled touch is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from trunkline.agents.config import AgentConfig
from trunkline.agents.t3 import t3_config
from trunkline.data.fota.faults import Tolerance
from trunkline.errors import InputError, unknown
from trunkline.pretrain.combine import EQUAL
from trunkline.pretrain.config import TrainingConfig

AgreementKind = Literal["infonce", "vicreg"]
EVERY = "*"


@dataclass(frozen=True)
class AlignmentConfig:
    """The same contact felt by two sensors should give features that agree; it needs no labels but `contact_id`.

    Attributes:
        weight: of its loss in the step, where the tasks' losses together have weight 1; 0 leaves it out.
        kind: "infonce" (van den Oord et al., 2018; symmetric, over the batch's contacts), or "vicreg" (Bardes et al.,
            2022). Agreement alone, without what keeps features apart, collapses them.
        temperature: of "infonce".
        batch_size: contacts a step over all workers; 0 for as many as a pair gets.
    """

    weight: float = 0.0
    kind: AgreementKind = "infonce"
    temperature: float = 0.1
    batch_size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in get_args(AgreementKind):
            raise unknown("alignment.kind", self.kind, get_args(AgreementKind))
        if not self.weight >= 0 or not self.temperature > 0 or self.batch_size < 0:
            raise InputError(
                f"alignment: weight={self.weight}, temperature={self.temperature}, batch_size={self.batch_size}; "
                "the temperature must be positive, the others at least 0"
            )


@dataclass(frozen=True)
class TouchPretrainConfig(TrainingConfig):
    """One pretraining run on touch, masked autoencoding included; the other keys are those of `TrainingConfig`.

    A step learns from K (sensor, task) pairs. Masked autoencoding is the task "mae": stage 1 is `tasks=[mae]`, stage 2
    starts from its checkpoint (`init_from`) with the tasks that have labels, or with both kinds at once. The defaults
    of the optimiser are T3's.

    Attributes:
        objective: "touch".
        size: of the T3 that starts from scratch, see `agents.t3.t3_config`; "" to take `agent`.
        image: side of the images that its position embeddings are made for; 0 for the size's own.
        split: of the data sets.
        validation_split: of the validation data.
        sensors: sensors it learns from; empty for all that the data has.
        tasks: by name; see `pretrain.touch.tasks`.
        task_options: options by task. A task may have a name of its own with the options of a registered one:
            {"textile": {"task": "texture", "field": "textile_type"}}.
        hold_out: pairs (sensor, task) that are never learned from; "*" stands for all tasks with labels.
        pair_weights: how often a pair is drawn: "sqrt" (∝ √samples), "uniform", "proportional", or factors by pair
            ("digit/force"), sensor or task, 1 for what is not named.
        pairs_per_step: K; 0 for all pairs every step.
        share_touches: learn all tasks of a sensor that have labels from the same touches, in one forward pass; then K
            counts sensors (those of pairs of touches apart), and a row of an aggregator is a sensor's. T3 does not.
        aggregator: "equal" weights, or an aggregator of torchjd for the trunk's gradients, e.g. "UPGrad", "MGDA".
        aggregator_options: its arguments.
        alignment: agreement of sensors about the same contact.
        shuffle_buffer: samples in memory per sensor, out of which batches are drawn.
        decoders: threads that decode, for each sensor; 0 to decode in the thread that reads ahead.
        tolerance: how many bad samples of a stream are skipped before the run stops.
    """

    batch_size: int = 64
    lr: float = 1e-4
    lr_floor: float = 1e-4
    weight_decay: float = 0.1
    objective: Literal["touch"] = "touch"
    size: str = ""
    image: int = 0
    split: str = "train"
    validation_split: str = "val"
    sensors: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ("mae",)
    task_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    hold_out: tuple[tuple[str, str], ...] = ()
    pair_weights: str | Mapping[str, float] = "sqrt"
    pairs_per_step: int = 4
    share_touches: bool = False
    aggregator: str = EQUAL
    aggregator_options: Mapping[str, Any] = field(default_factory=dict)
    alignment: AlignmentConfig = field(default_factory=AlignmentConfig)
    shuffle_buffer: int = 2048
    decoders: int = 0
    tolerance: Tolerance = field(default_factory=Tolerance)

    def __post_init__(self) -> None:
        self._make_tuples("sensors", "tasks")
        super().__post_init__()
        if self.image and not self.size:
            raise InputError(f"image={self.image} goes with a size of T3; set size=nano, say")
        _ = self.architecture
        object.__setattr__(self, "hold_out", tuple(tuple(pair) for pair in self.hold_out))
        self._require_at_least(1, "shuffle_buffer")
        self._require_at_least(0, "pairs_per_step", "decoders")
        if len(set(self.tasks)) != len(self.tasks):
            raise InputError(f"tasks={list(self.tasks)} names a task twice")
        for pair in self.hold_out:
            if len(pair) != 2:
                raise InputError(f"hold_out: {list(pair)} is not [sensor, task]")
            if pair[1] != EVERY and pair[1] not in self.tasks:
                raise unknown("task in hold_out", pair[1], [*self.tasks, EVERY])
        for task in self.task_options:
            if task not in self.tasks:
                raise unknown("task in task_options", task, self.tasks)

    @property
    def architecture(self) -> AgentConfig:
        """The agent that starts from scratch."""
        return t3_config(self.size, image=self.image or None) if self.size else self.agent
