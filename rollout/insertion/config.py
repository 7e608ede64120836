"""What an insertion benchmark is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.errors import InputError, unknown

# How an arm's sense of touch begins, in the report's order.
ARMS = {
    "no_touch": "No touch",
    "scratch": "Touch encoder from scratch",
    "pretrained": "Pretrained T3",
}


@dataclass(frozen=True)
class InsertionConfig:
    """The insertion part of an experiment: imitation, then RL, with no touch, touch from scratch, or a pretrained T3.

    Every arm has the architecture of the pretrained T3, the same demonstrations and the same budget.

    Attributes:
        pretrained: checkpoint of the T3, relative to the run's folder; "{seed}" stands for the training seed.
        sensors: of the catalogue, what sits on both pads; each is a benchmark of its own. Of a sensor that the T3 was
            pretrained with its encoder and trunk are taken; of another, the trunk, under a fresh encoder.
        image_size: pixels a side of the pads' images.
        demonstrations: of the expert, a connector.
        noise: on the expert's actions, see `PolicyConfig`.
        contexts: TaskSpecs a connector that RL draws from.
        episodes: of the evaluation, a connector.
        data_seed: of all of them.
        seeds: of training.
        policy: options of the policy head.
        imitate: options of the imitation (`PretrainConfig`).
        finetune: options of the RL (`FinetuneConfig`); steps: 0 leaves it out.
        arms: of the comparison.
    """

    pretrained: str = "touch/checkpoints/transfer/seed{seed}"
    sensors: tuple[str, ...] = ("digit",)
    image_size: int = 64
    demonstrations: int = 50
    noise: float = 0.05
    contexts: int = 1000
    episodes: int = 100
    data_seed: int = 0
    seeds: tuple[int, ...] = (0,)
    policy: Mapping[str, Any] = field(default_factory=dict)
    imitate: Mapping[str, Any] = field(default_factory=dict)
    finetune: Mapping[str, Any] = field(default_factory=dict)
    arms: tuple[str, ...] = tuple(ARMS)

    def __post_init__(self) -> None:
        for sensor in self.sensors:
            if load_touch_sensor(sensor).kind != "optical":
                raise InputError(f"parts.insertion.sensors: {sensor!r} is a taxel array; the pads take optical sensors")
        for arm in self.arms:
            if arm not in ARMS:
                raise unknown("arm in parts.insertion.arms", arm, ARMS)
        for name in ("sensors", "seeds", "arms"):
            if not getattr(self, name):
                raise InputError(f"parts.insertion.{name} is empty; name at least one")
        for name in ("demonstrations", "contexts", "episodes"):
            if getattr(self, name) < 1:
                raise InputError(f"parts.insertion.{name}={getattr(self, name)} must be at least 1")
