"""T3's published layout, written down from its description alone: names and shapes, and files of random weights.

Legend: D width, P patches.
"""

from pathlib import Path

import torch

Shapes = dict[str, tuple[int, ...]]


def block(prefix: str, width: int, ratio: int = 4) -> Shapes:
    shapes: Shapes = {}
    for name, outputs, inputs in (
        ("attn.qkv", 3 * width, width),
        ("attn.proj", width, width),
        ("mlp.fc1", ratio * width, width),
        ("mlp.fc2", width, ratio * width),
    ):
        shapes |= {f"{prefix}.{name}.weight": (outputs, inputs), f"{prefix}.{name}.bias": (outputs,)}
    for name in ("norm1", "norm2"):
        shapes |= {f"{prefix}.{name}.weight": (width,), f"{prefix}.{name}.bias": (width,)}
    return shapes


def encoder(width: int, patch: int = 16, patches: int = 196, depth: int = 3) -> Shapes:
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, patches + 1, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for i in range(depth):
        shapes |= block(f"blocks.{i}", width)
    return shapes


def trunk(width: int, depth: int = 9) -> Shapes:
    shapes: Shapes = {}
    for i in range(depth):
        shapes |= block(f"blocks.{i}", width)
    return shapes | {"norm.weight": (width,), "norm.bias": (width,)}


def mlp(width: int, outputs: int) -> Shapes:
    shapes: Shapes = {}
    for index, rows, columns in ((0, 256, width), (2, 128, 256), (5, 64, 128), (8, outputs, 64)):
        shapes |= {f"model.{index}.weight": (rows, columns), f"model.{index}.bias": (rows,)}
    return shapes


def pose(width: int, outputs: int) -> Shapes:
    shapes: Shapes = {}

    def norm(name: str) -> None:
        shapes.update({f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    for layer in (0, 1):
        for conv in (1, 2):
            shapes[f"conv_layers.{layer}.conv{conv}.weight"] = (width, width, 3, 3)
            norm(f"conv_layers.{layer}.bn{conv}")
    shapes["conv_layers.0.downsample.0.weight"] = (width, width, 1, 1)
    norm("conv_layers.0.downsample.1")
    shapes |= {"branch_fc.1.weight": (width // 2, width), "branch_fc.1.bias": (width // 2,)}
    joined = width // 2 * 2
    for index, rows, columns in ((0, 256, joined), (2, 64, 256), (5, outputs, 64)):
        shapes |= {f"output_fc.{index}.weight": (rows, columns), f"output_fc.{index}.bias": (rows,)}
    return shapes


def mae(width: int, dim: int = 512, depth: int = 8, patch: int = 16, patches: int = 196) -> Shapes:
    shapes: Shapes = {"mask_token": (1, 1, dim), "decoder_pos_embed": (1, patches + 1, dim)}
    shapes |= {"decoder_embed.weight": (dim, width), "decoder_embed.bias": (dim,)}
    for i in range(depth):
        shapes |= block(f"decoder_blocks.{i}", dim)
    shapes |= {"decoder_norm.weight": (dim,), "decoder_norm.bias": (dim,)}
    return shapes | {"decoder_pred.weight": (patch * patch * 3, dim), "decoder_pred.bias": (patch * patch * 3,)}


def tensors(shapes: Shapes, seed: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    drawn = {}
    for name, shape in shapes.items():
        value = torch.randn(shape, generator=generator) * 0.05
        if name.endswith("num_batches_tracked"):
            value = torch.tensor(7)
        elif name.endswith("running_var"):
            value = value.abs() + 1
        drawn[name] = value
    return drawn


def write(folder: Path, files: dict[str, Shapes]) -> Path:
    """State_dicts of random weights; the same files have the same weights."""
    for seed, (name, shapes) in enumerate(files.items()):
        path = folder / f"{name}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(tensors(shapes, seed), path)
    return folder


def small(width: int = 32, depth: int = 1) -> dict[str, Shapes]:
    """All parts at a size of no one's: 4 patches of 4×4 pixels."""
    sizes = {"patch": 4, "patches": 4}
    return {
        "encoders/digit": encoder(width, depth=2, **sizes),
        "encoders/mini": encoder(width, depth=2, **sizes),
        "trunk": trunk(width, depth),
        "decoders/cls_material": mlp(width, 7),
        "decoders/variance_estimation": mlp(width, 1),
        "decoders/pose_estimation_6d_digit": pose(width, 9),
        "decoders/mae_recon_single": mae(width, 64, 2, **sizes),
    }
