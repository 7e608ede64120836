"""The pixels of hidden patches: T3's decoder for masked autoencoding. Use: see `mae`."""

from collections.abc import Sequence

from torch import Tensor

from trunkline.agents.encoders.patches import MASK_RATIO, PatchEncoder
from trunkline.agents.heads.mae import MaeHead
from trunkline.agents.registry import head
from trunkline.agents.vit_blocks import grid_positions, resample_positions
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


@head("t3_mae")
class T3MaeHead(MaeHead):
    """Images' patches, with the names and shapes of T3's published decoder.

    Args:
        width: D.
        action: not needed.
        values: V, a patch's pixels times its channels.
        positions: rows and columns that the position embedding holds; it is interpolated for other images.
        dim, depth, heads, mlp_ratio, mask_ratio, normalise: see `MaeHead`.
    """

    decoder_pos_embed: Tensor

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        values: int = 768,
        positions: Sequence[int] = (14, 14),
        dim: int = 512,
        depth: int = 8,
        heads: int = 16,
        mlp_ratio: float = 4.0,
        mask_ratio: float = MASK_RATIO,
        normalise: bool = True,
    ) -> None:
        super().__init__(
            width,
            action,
            values=values,
            dim=dim,
            depth=depth,
            heads=heads,
            mlp_ratio=mlp_ratio,
            mask_ratio=mask_ratio,
            normalise=normalise,
        )
        if len(positions) != 2 or min(positions) < 1:
            raise InputError(f"head 't3_mae': positions={list(positions)} must be [rows, columns]")
        self.positions = (positions[0], positions[1])
        self.register_buffer("decoder_pos_embed", grid_positions(*self.positions, dim))
        self.add_layers()

    def embed_places(self, encoder: PatchEncoder) -> Tensor:
        """The position embedding on the encoder's grid, (1, 1 + P, dim)."""
        return resample_positions(self.decoder_pos_embed, self.positions, encoder.grid)
