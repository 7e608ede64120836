"""Arrays of discrete touch elements: a set transformer over their readings and their places.

Legend: B batch, P patches (of one element or of a square of a grid), V values a patch, C channels, D width.
"""

import numpy as np
import torch
from torch import Tensor, nn

from trunkline.agents.encoders.base import require_positive, require_rank
from trunkline.agents.encoders.patches import PatchEncoder, cut_squares
from trunkline.agents.registry import encoder
from trunkline.agents.vit_blocks import PlaceEmbedding, initialise
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError

EPS = 1e-6


@encoder("taxels")
class TaxelEncoder(PatchEncoder):
    """Readings (B, rows, columns, C) of taxels to (B, 1 + P, D); no weight depends on how many there are.

    An element's place comes from the sensor's `form`: `positions_mm`, (x, y) of each, row by row; else the pitch of a
    grid, `pixel_pitch_mm` (along x, along y); else a grid of 1 mm.

    Args:
        spec: a sensor with three axes; elements without a grid are (number, 1, C).
        width: D.
        patch: side of the square of neighbours that makes one token; divides both sides of the grid.
        depth: transformer blocks.
        heads: attention heads; None for one in 64 of the width.
        mlp_ratio: hidden width of a block's MLP over D.
        checkpointing: compute each block again in the backward pass, for less memory.

    Attributes:
        places: (P, 2), the patches' centres in mm, x right and y up, from the middle of all.
    """

    modalities = ("taxels",)
    axes = 3
    places: Tensor

    def __init__(
        self,
        spec: SensorSpec,
        width: int,
        *,
        patch: int = 1,
        depth: int = 3,
        heads: int | None = None,
        mlp_ratio: float = 4.0,
        checkpointing: bool = False,
    ) -> None:
        require_rank("taxels", spec, 3, "arrays (rows, columns, channels)")
        require_positive("taxels", patch=patch, depth=depth)
        super().__init__(spec, width, checkpointing=checkpointing)
        rows, columns, channels = spec.shape
        if rows % patch or columns % patch:
            raise InputError(
                f"encoder 'taxels': patch={patch} does not divide the {rows}×{columns} array of {spec.name!r}"
            )
        self.grid, self.patch = (rows // patch, columns // patch), patch
        self.patch_values = patch * patch * channels
        places = torch.from_numpy(_places(spec)).view(1, rows, columns, 2)
        self.register_buffer("places", cut_squares(places, patch).view(-1, patch * patch, 2).mean(1), persistent=False)
        self.values = nn.Linear(self.patch_values, width)
        self.place = PlaceEmbedding(width)
        initialise(self.values)
        initialise(self.place)
        self.add_blocks(depth, heads, mlp_ratio, EPS)

    def cut(self, readings: Tensor) -> Tensor:
        """Normalised readings (B, rows, columns, C) to (B, P, V)."""
        return cut_squares(readings, self.patch)

    def embed(self, patches: Tensor) -> Tensor:
        """Patches (B, P, V) to (B, P, D)."""
        tokens: Tensor = self.values(patches)
        return tokens

    def positions(self) -> Tensor:
        """Embeddings (1, 1 + P, D) of the places; none of the CLS token's."""
        return nn.functional.pad(self.place(self.places), (0, 0, 1, 0)).unsqueeze(0)


def _places(spec: SensorSpec) -> np.ndarray:
    """Millimetres (taxels, 2) of each element, x right and y up, from their mean."""
    rows, columns = spec.shape[:2]
    given = spec.form.get("positions_mm")
    if given is not None:
        places = np.asarray(given, np.float32)
        if places.shape != (rows * columns, 2) or not np.isfinite(places).all():
            raise InputError(
                f"sensor {spec.name!r}: form.positions_mm of shape {places.shape} must be {rows * columns} pairs (x, y)"
            )
    else:
        x_pitch, y_pitch = spec.form.get("pixel_pitch_mm") or (1.0, 1.0)
        y, x = np.mgrid[:rows, :columns]
        places = np.stack([x.ravel() * x_pitch, -y.ravel() * y_pitch], axis=1).astype(np.float32)
    centred: np.ndarray = places - places.mean(axis=0)
    return centred
