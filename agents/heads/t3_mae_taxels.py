"""The readings of hidden taxels: T3's decoder with the taxels' places for a grid. Use: see `mae`."""

from torch import Tensor
from torch.nn import functional as F

from trunkline.agents.encoders.patches import MASK_RATIO, PatchEncoder
from trunkline.agents.encoders.taxels import TaxelEncoder
from trunkline.agents.heads.mae import MaeHead
from trunkline.agents.registry import head
from trunkline.agents.vit_blocks import PlaceEmbedding
from trunkline.envs.spec import ActionSpec
from trunkline.errors import InputError


@head("t3_mae_taxels")
class T3TaxelMaeHead(MaeHead):
    """Taxels' values as they are (normalised by the sensor's statistics), in arrays of any size.

    Args:
        width: D.
        action: not needed.
        values: V, a patch's taxels times their channels.
        dim, depth, heads, mlp_ratio, mask_ratio, normalise: see `MaeHead`.
    """

    def __init__(
        self,
        width: int,
        action: ActionSpec | None = None,
        *,
        values: int,
        dim: int = 512,
        depth: int = 8,
        heads: int = 16,
        mlp_ratio: float = 4.0,
        mask_ratio: float = MASK_RATIO,
        normalise: bool = False,
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
        self.place = PlaceEmbedding(dim)
        self.add_layers()

    def embed_places(self, encoder: PatchEncoder) -> Tensor:
        """Embeddings (1, 1 + P, dim) of the taxels' places.

        Raises:
            InputError: an encoder of no taxels.
        """
        if not isinstance(encoder, TaxelEncoder):
            raise InputError(f"head 't3_mae_taxels' is for encoder 'taxels'; sensor {encoder.spec.name!r} has another")
        return F.pad(self.place(encoder.places), (0, 0, 1, 0)).unsqueeze(0)
