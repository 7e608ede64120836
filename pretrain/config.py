"""What a pretraining run is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self, get_args

from trunkline import schema
from trunkline.agents.config import AgentConfig
from trunkline.errors import InputError, unknown

Device = Literal["auto", "cpu", "cuda"]
Mode = Literal["mixed", "single"]

# What says where a run is computed, not what: a run may be resumed with other values of these.
ELSEWHERE = frozenset({"device", "threads", "compile", "checkpointing", "max_failures", "keep"})


@dataclass(frozen=True)
class TrainingConfig:
    """What every run has, whatever it learns from.

    Attributes:
        data: folder of the data sets, or of a single one.
        steps: updates.
        batch_size: samples a step, over all tasks and workers.
        lr: peak learning rate.
        warmup: updates of linear warm-up; a cosine follows.
        lr_floor: the factor of `lr` that the cosine ends at.
        weight_decay: of matrices.
        clip: largest norm of the gradient; 0 for no clipping.
        freeze: parts that do not learn, e.g. "trunk", "encoders", "encoders/camera".
        unfreeze: parts that begin to learn at an update, e.g. {"trunk": 20000}; they are frozen before it.
        lr_multipliers: factors of `lr` by part.
        seed: of weights, batches, dropout.
        agent: the architecture, if it starts from scratch.
        init_from: checkpoint to start from; its architecture counts, `agent` does not.
        init_parts: parts to take from it, e.g. ("trunk", "encoders"); empty for all.
        validation_data: data sets whose loss is measured, never learned from.
        validation_batches: batches of each of its tasks that are measured.
        checkpoint_every: updates between checkpoints (the last update always gets one).
        keep: how many of the latest checkpoints stay.
        log_every: updates between lines of metrics.jsonl.
        workers: data-parallel workers; more than one run through Ray Train.
        device: "auto" is CUDA if there is one.
        threads: CPU threads of a worker's tensors; 0 for one where all sensors are vectors (their matrices are too
            small to share, and threads that wait for a busy core cost more than they save), else as torch has it.
        bf16: bfloat16 forward pass on CUDA.
        compile: torch.compile.
        checkpointing: keep no activations inside transformer blocks, compute them again in the backward pass.
        max_failures: how often lost workers are replaced before the run fails; −1 for always.
    """

    data: str
    steps: int = 10_000
    batch_size: int = 256
    lr: float = 1e-3
    warmup: int = 100
    lr_floor: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    freeze: tuple[str, ...] = ()
    unfreeze: Mapping[str, int] = field(default_factory=dict)
    lr_multipliers: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    agent: AgentConfig = field(default_factory=AgentConfig)
    init_from: str | None = None
    init_parts: tuple[str, ...] = ()
    validation_data: str | None = None
    validation_batches: int = 8
    checkpoint_every: int = 1000
    keep: int = 2
    log_every: int = 50
    workers: int = 1
    device: Device = "auto"
    threads: int = 0
    bf16: bool = False
    compile: bool = False
    checkpointing: bool = False
    max_failures: int = 3

    def __post_init__(self) -> None:
        self._make_tuples("freeze", "init_parts")
        self._require_at_least(1, "steps", "batch_size", "workers", "checkpoint_every", "log_every", "keep")
        self._require_at_least(1, "validation_batches")
        self._require_at_least(0, "warmup", "threads", "weight_decay", "clip", "seed")
        self._require_at_least(-1, "max_failures")
        if not 0 < self.lr < float("inf"):
            raise InputError(f"lr={self.lr} must be positive")
        self._require_share("lr_floor")
        for part, step in self.unfreeze.items():
            if step < 1:
                raise InputError(f"unfreeze.{part}={step} must be an update of the run, at least 1")
        if self.device not in get_args(Device):
            raise unknown("device", self.device, get_args(Device))
        if self.batch_size % self.workers:
            raise InputError(f"batch_size={self.batch_size} is not a multiple of workers={self.workers}")

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        value: dict[str, Any] = schema.to_plain(self)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The configuration that `to_json` wrote.

        Raises:
            InputError: an unknown key (with the nearest match), a missing one, or a value it does not take.
        """
        return schema.build(cls, value)

    def _make_tuples(self, *names: str) -> None:
        for name in names:
            value = getattr(self, name)
            if isinstance(value, str):
                raise InputError(f"{name}={value!r} must be a list, e.g. {name}=[{value}]")
            object.__setattr__(self, name, tuple(value))

    def _require_at_least(self, minimum: int, *names: str) -> None:
        for name in names:
            if not getattr(self, name) >= minimum:
                raise InputError(f"{name}={getattr(self, name)} must be at least {minimum}")

    def _require_share(self, *names: str) -> None:
        for name in names:
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is not in [0, 1)")


@dataclass(frozen=True)
class PretrainConfig(TrainingConfig):
    """One pretraining or imitation run on recorded episodes; the other keys are those of `TrainingConfig`.

    Attributes:
        objective: its name, e.g. "inverse_dynamics", "behaviour_cloning".
        objective_options: its options.
        sensors: sensors the stage reads; empty for all that the data has. Hidden goals: leave out "goal".
        sensor_dropout: probability that a sensor is missing from a body's whole batch; at least one stays. (The agent's
            own modality_dropout hides sensors row by row, in later stages too.)
        tasks: tasks it learns from; empty for all.
        sampling: "mixed": several tasks a step; "single": one.
        task_weights: "uniform", "sqrt", "proportional" (to frames), or a number per task.
        tasks_per_step: in mixed mode, tasks drawn a step; 0 for all of them.
        buffer_frames: frames in memory per task, out of which batches are drawn.
    """

    objective: str = "inverse_dynamics"
    objective_options: Mapping[str, Any] = field(default_factory=dict)
    sensors: tuple[str, ...] = ()
    sensor_dropout: float = 0.0
    tasks: tuple[str, ...] = ()
    sampling: Mode = "mixed"
    task_weights: str | Mapping[str, float] = "uniform"
    tasks_per_step: int = 0
    buffer_frames: int = 20_000

    def __post_init__(self) -> None:
        self._make_tuples("sensors", "tasks")
        super().__post_init__()
        self._require_at_least(1, "buffer_frames")
        self._require_at_least(0, "tasks_per_step")
        self._require_share("sensor_dropout")
        if self.sampling not in get_args(Mode):
            raise unknown("sampling mode", self.sampling, get_args(Mode))
