"""The contract of decoders for masked autoencoding: what the patches hold that an encoder did not see.

"Masked autoencoders are scalable vision learners" (CVPR 2022).

    mask = PatchMask.draw(len(readings), encoder.count, head.mask_ratio, generator=generator)
    tokens = agent.tokens({sensor: readings}, keep={sensor: mask.keep})
    loss = head.loss(head(tokens, mask=mask, encoder=encoder), encoder.patches(readings), mask)

Legend: B batch, P patches, K patches that were kept, V values a patch, D width.
"""

from abc import abstractmethod

import torch
from torch import Tensor, nn

from trunkline.agents.encoders.patches import PatchEncoder, PatchMask
from trunkline.agents.heads.base import Head
from trunkline.agents.vit_blocks import VitBlock, initialise, run_blocks
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError

EPS = 1e-5


class MaeHead(Head):
    """The tokens of the patches that an encoder saw, to the values of all patches.

    Args:
        width: D.
        action: not needed.
        values: V, numbers a patch.
        dim: width of the decoder.
        depth: its blocks.
        heads: its attention heads.
        mlp_ratio: hidden width of a block's MLP over `dim`.
        mask_ratio: share of the patches to hide.
        normalise: predict a patch's values less their mean, over their spread.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None,
        *,
        values: int,
        dim: int,
        depth: int,
        heads: int,
        mlp_ratio: float,
        mask_ratio: float,
        normalise: bool,
    ) -> None:
        super().__init__(width, action)
        if min(values, dim, depth) < 1:
            raise InputError(f"a decoder of values={values}, dim={dim}, depth={depth}: each must be at least 1")
        self.values, self.dim, self.depth, self.heads, self.mlp_ratio = values, dim, depth, heads, mlp_ratio
        self.mask_ratio, self.normalise = mask_ratio, normalise
        self.mask_token = nn.Parameter(torch.empty(1, 1, dim).normal_(std=0.02))

    def add_layers(self) -> None:
        """Make the layers; a subclass does so last, because published weights have them last."""
        self.decoder_embed = nn.Linear(self.width, self.dim)
        self.decoder_blocks = nn.ModuleList(
            VitBlock(self.dim, self.heads, self.mlp_ratio, EPS) for _ in range(self.depth)
        )
        self.decoder_norm = nn.LayerNorm(self.dim, EPS)
        self.decoder_pred = nn.Linear(self.dim, self.values)
        initialise(self)

    @abstractmethod
    def embed_places(self, encoder: PatchEncoder) -> Tensor:
        """Embeddings of the places of the CLS token and an encoder's patches, (1, 1 + P, dim)."""

    def forward(self, tokens: Tensor, *, mask: PatchMask, encoder: PatchEncoder) -> Tensor:
        """Tokens (B, 1 + K, D) of the kept patches to predictions (B, P, V) for all.

        Raises:
            InputError: an encoder whose patches hold another number of values.
        """
        if encoder.patch_values != self.values:
            raise InputError(
                f"sensor {encoder.spec.name!r} has patches of {encoder.patch_values} values, its decoder predicts "
                f"{self.values}; make another head with values={encoder.patch_values}"
            )
        tokens = self.decoder_embed(tokens)
        hidden = self.mask_token.to(tokens.dtype).expand(len(tokens), mask.restore.shape[1] - mask.keep.shape[1], -1)
        patches = torch.cat([tokens[:, 1:], hidden], dim=1)
        patches = patches.gather(1, mask.restore.unsqueeze(-1).expand(-1, -1, self.dim))
        tokens = torch.cat([tokens[:, :1], patches], dim=1) + self.embed_places(encoder)
        tokens = self.decoder_norm(run_blocks(self.decoder_blocks, tokens)[:, 1:])
        predictions: Tensor = self.decoder_pred(tokens)
        return predictions

    def loss(self, predictions: Tensor, patches: Tensor, mask: PatchMask) -> Tensor:
        """Mean squared error over the hidden patches.

        Args:
            predictions: (B, P, V).
            patches: (B, P, V), the encoder's `patches(readings)`.
            mask: what was hidden.
        """
        if self.normalise:
            mean = patches.mean(-1, keepdim=True)
            patches = (patches - mean) / (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        error = (predictions.float() - patches).square().mean(-1)
        hidden = mask.hidden.to(error.dtype)  # every row hides equally many
        return (error * hidden).sum() / hidden.sum()
