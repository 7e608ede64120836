"""What a pretraining run is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from trunkline import schema
from trunkline.agents.config import AgentConfig
from trunkline.errors import InputError, unknown

Device = Literal["auto", "cpu", "cuda"]
Mode = Literal["mixed", "single"]

# What says where a run is computed, not what: a run may be resumed with other values of these.
ELSEWHERE = frozenset({"device", "threads", "compile", "max_failures", "keep"})


@dataclass(frozen=True)
class PretrainConfig:
    """One pretraining or imitation run.

    Attributes:
        data: folder of the data sets, one a body, or of a single one.
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
        steps: updates.
        batch_size: frames a step, over all tasks and workers.
        lr: peak learning rate.
        warmup: updates of linear warm-up; a cosine follows.
        lr_floor: the factor of `lr` that the cosine ends at.
        weight_decay: of matrices.
        clip: largest norm of the gradient; 0 for no clipping.
        freeze: parts that do not learn, e.g. "trunk", "encoders", "encoders/camera".
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
        max_failures: how often lost workers are replaced before the run fails; −1 for always.
    """

    data: str
    objective: str = "inverse_dynamics"
    objective_options: Mapping[str, Any] = field(default_factory=dict)
    sensors: tuple[str, ...] = ()
    sensor_dropout: float = 0.0
    tasks: tuple[str, ...] = ()
    sampling: Mode = "mixed"
    task_weights: str | Mapping[str, float] = "uniform"
    tasks_per_step: int = 0
    buffer_frames: int = 20_000
    steps: int = 10_000
    batch_size: int = 256
    lr: float = 1e-3
    warmup: int = 100
    lr_floor: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    freeze: tuple[str, ...] = ()
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
    max_failures: int = 3

    def __post_init__(self) -> None:
        for name in ("sensors", "tasks", "freeze", "init_parts"):
            value = getattr(self, name)
            if isinstance(value, str):
                raise InputError(f"{name}={value!r} must be a list, e.g. {name}=[{value}]")
            object.__setattr__(self, name, tuple(value))
        least = {"steps": 1, "batch_size": 1, "workers": 1, "checkpoint_every": 1, "log_every": 1, "keep": 1}
        least |= {
            "buffer_frames": 1,
            "validation_batches": 1,
            "warmup": 0,
            "tasks_per_step": 0,
            "max_failures": -1,
            "threads": 0,
        }
        least |= {"weight_decay": 0, "clip": 0, "seed": 0}
        for name, minimum in least.items():
            if not getattr(self, name) >= minimum:
                raise InputError(f"{name}={getattr(self, name)} must be at least {minimum}")
        if not 0 < self.lr < float("inf"):
            raise InputError(f"lr={self.lr} must be positive")
        for name in ("sensor_dropout", "lr_floor"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"{name}={getattr(self, name)} is not in [0, 1)")
        if self.device not in get_args(Device):
            raise unknown("device", self.device, get_args(Device))
        if self.sampling not in get_args(Mode):
            raise unknown("sampling mode", self.sampling, get_args(Mode))
        if self.batch_size % self.workers:
            raise InputError(f"batch_size={self.batch_size} is not a multiple of workers={self.workers}")

    def to_json(self) -> dict[str, Any]:
        """A JSON value that `from_json` reads back."""
        value: dict[str, Any] = schema.to_plain(self)
        return value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "PretrainConfig":
        """The configuration that `to_json` wrote.

        Raises:
            InputError: an unknown key (with the nearest match), a missing one, or a value it does not take.
        """
        return schema.build(cls, value)
