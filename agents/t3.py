"""T3, "Transferable Tactile Transformers" (CoRL 2024), as an agent: an encoder a touch sensor, one trunk, heads.

    sensors = {"digit": SensorSpec("digit", "tactile_rgb", (64, 64, 3), "uint8"), …}
    agent = Agent(sensors, {}, t3_config("nano"))
    agent.make_head("texture", "t3_classification", classes=8)
    logits = agent.heads["texture"](agent.tokens({"digit": readings}))

Masked autoencoding: see `heads.mae`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trunkline.agents.config import EVERY_OF_MODALITY, AgentConfig
from trunkline.agents.encoders.patches import PatchEncoder
from trunkline.agents.encoders.taxels import TaxelEncoder
from trunkline.agents.trunks.t3 import Pooling
from trunkline.errors import InputError, unknown

MLP_RATIO = 4.0


@dataclass(frozen=True)
class T3Size:
    """Sizes of one T3.

    Attributes:
        width: D.
        heads: attention heads of encoders and trunk.
        encoder_depth, trunk_depth: transformer blocks.
        patch: side of an image's patch in pixels.
        image: side of the images that the position embeddings are made for.
        decoder: width, depth and heads of the decoder for masked autoencoding.
    """

    width: int
    heads: int
    encoder_depth: int = 3
    trunk_depth: int = 9
    patch: int = 16
    image: int = 224
    decoder: tuple[int, int, int] = (512, 8, 16)


# tiny, small and medium are T3's. Its large was published as 304 M parameters and nothing else: ViT-L's width and heads
# at T3's depths give 308 M with five encoders (tests/test_t3.py has the sum), and no width that 16 heads divide comes
# nearer; ViT-L itself, 24 blocks and one patch embedding, has 304 M. nano and pico are for CPUs, ours alone;
# pico is small enough for RL on one core.
SIZES: Mapping[str, T3Size] = {
    "pico": T3Size(64, 2, encoder_depth=1, trunk_depth=2, patch=16, image=32, decoder=(32, 1, 2)),
    "nano": T3Size(96, 3, encoder_depth=2, trunk_depth=4, patch=8, image=64, decoder=(64, 2, 2)),
    "tiny": T3Size(192, 3),
    "small": T3Size(384, 6),
    "medium": T3Size(768, 12),
    "large": T3Size(1024, 16),
}


def t3_config(
    size: str,
    *,
    image: int | None = None,
    patch: int | None = None,
    mae: bool = False,
    pooling: Pooling = "cls",
    dropout: float = 0.0,
    checkpointing: bool = False,
) -> AgentConfig:
    """The configuration of a T3: encoder "t3" for sensors of modality `tactile_rgb`, "taxels" for `taxels`.

    Sensors of other modalities (proprioception, a goal) take their usual encoders.

    Args:
        size: "pico", "nano", "tiny", "small", "medium" or "large".
        image: side of the images that the position embeddings are made for, which images of other sizes interpolate;
            None for the size's own, 32, 64 or 224 pixels.
        patch: side of an image's patch in pixels; None for the size's own, 8 or 16.
        mae: T3's encoders for masked autoencoding, see `encoders.t3.T3Encoder`.
        pooling: of the trunk's features, which policies use, see `trunks.t3.T3Trunk`.
        dropout: in the trunk.
        checkpointing: compute blocks again in the backward pass, for less memory.

    Raises:
        InputError: an unknown size, with the nearest match, or a patch that does not divide the image.
    """
    if size not in SIZES:
        raise unknown("size of T3", size, SIZES)
    sizes = SIZES[size]
    image, patch = image or sizes.image, patch or sizes.patch
    if image < 1 or patch < 1 or image % patch:
        raise InputError(f"T3 of image={image}, patch={patch}: the patch must divide the image")
    shared = {
        "depth": sizes.encoder_depth,
        "heads": sizes.heads,
        "mlp_ratio": MLP_RATIO,
        "checkpointing": checkpointing,
    }
    images = {"name": "t3", "patch": patch, "mae": mae, "positions": [image // patch] * 2, **shared}
    return AgentConfig(
        width=sizes.width,
        depth=sizes.trunk_depth,
        attention_heads=sizes.heads,
        mlp_ratio=MLP_RATIO,
        dropout=dropout,
        encoders={
            f"{EVERY_OF_MODALITY}tactile_rgb": images,
            f"{EVERY_OF_MODALITY}taxels": {"name": "taxels", **shared},
        },
        trunk="t3",
        trunk_options={"pooling": pooling, "checkpointing": checkpointing},
    )


def mae_head(encoder: PatchEncoder, size: str | None = None) -> tuple[str, dict[str, Any]]:
    """The kind and options of the decoder that masked autoencoding with an encoder needs.

    Sensors whose patches hold equally many values can share one head: `agent.make_head(name, kind, **options)`.

    Args:
        encoder: of the sensor.
        size: of the T3, for the decoder's width, depth and heads; None for the published ones.

    Raises:
        InputError: an unknown size, with the nearest match.
    """
    if size is not None and size not in SIZES:
        raise unknown("size of T3", size, SIZES)
    dim, depth, heads = (SIZES[size] if size else SIZES["tiny"]).decoder
    options: dict[str, Any] = {"values": encoder.patch_values, "dim": dim, "depth": depth, "heads": heads}
    if isinstance(encoder, TaxelEncoder):
        return "t3_mae_taxels", options
    grid = getattr(encoder, "embedded_grid", encoder.grid)
    return "t3_mae", {**options, "positions": list(grid)}
