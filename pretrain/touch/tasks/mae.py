"""Masked autoencoding: what the hidden patches of a touch hold. It needs no labels.

He et al., "Masked autoencoders are scalable vision learners", CVPR 2022; T3's first stage.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.encoders.patches import PatchEncoder, PatchMask
from trunkline.agents.heads.mae import MaeHead
from trunkline.agents.t3 import SIZES, mae_head
from trunkline.errors import InputError
from trunkline.pretrain.touch.batch import Ask, TouchTensors
from trunkline.pretrain.touch.task import Fields, TouchTask, touch_task


@touch_task("mae")
@dataclass(frozen=True)
class MaskedAutoencoding(TouchTask):
    """Squared error of the normalised values of hidden patches.

    Sensors whose patches hold equally many values share a decoder, the head "mae_<kind>_<values>".

    Attributes:
        mask_ratio: share of the patches that are hidden; 0 for the decoder's own.
        decoder: width, depth and heads of the decoder; empty for those of the widest T3 that the agent
            is not narrower than.
    """

    mask_ratio: float = 0.0
    decoder: tuple[int, ...] = ()
    labelled: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 0 <= self.mask_ratio < 1 or len(self.decoder) not in (0, 3):
            raise InputError(
                f"mae: mask_ratio={self.mask_ratio} must be in [0, 1), "
                f"decoder={list(self.decoder)} empty or [width, depth, heads]"
            )

    @property
    def fields(self) -> tuple[str, ...]:
        return ()

    def make_heads(self, agent: Agent, name: str, sensors: Iterable[str]) -> None:
        fitting = [key for key, size in SIZES.items() if size.width <= agent.config.width]
        size = fitting[-1] if fitting else next(iter(SIZES))
        for sensor in sensors:
            encoder = _encoder(agent, sensor)
            kind, options = mae_head(encoder, size)
            if self.decoder:
                options |= dict(zip(("dim", "depth", "heads"), self.decoder, strict=True))
            head = _head_name(name, encoder)
            if head not in agent.heads:
                agent.make_head(head, kind, None, **options)

    def target(self, fields: Fields, second: Fields | None) -> tuple[np.ndarray, np.ndarray] | None:
        return None

    def loss(self, agent: Agent, ask: Ask, batch: TouchTensors) -> dict[str, Tensor]:
        encoder = _encoder(agent, batch.sensor)
        head = agent.part(f"heads/{_head_name(ask.task, encoder)}")
        assert isinstance(head, MaeHead)
        ratio = self.mask_ratio or head.mask_ratio
        mask = PatchMask.draw(batch.size, encoder.count, ratio, device=batch.readings.device)
        tokens = agent.tokens({batch.sensor: batch.readings}, keep={batch.sensor: mask.keep})
        predicted = head(tokens, mask=mask, encoder=encoder)
        return {"loss": head.loss(predicted, encoder.patches(batch.readings), mask)}


def _encoder(agent: Agent, sensor: str) -> PatchEncoder:
    encoder = agent.part(f"encoders/{sensor}")
    if not isinstance(encoder, PatchEncoder):
        raise InputError(
            f"masked autoencoding needs an encoder with patches; set agent.encoders.{sensor}.name to t3 or taxels"
        )
    return encoder


def _head_name(task: str, encoder: PatchEncoder) -> str:
    kind, _ = mae_head(encoder)
    return f"{task}_{'taxels' if kind.endswith('taxels') else 'images'}_{encoder.patch_values}"
