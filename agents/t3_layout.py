"""T3's published weights: which files there are, and what architecture their tensors are of.

    encoders/<sensor>.pth   trunk.pth   decoders/<task>.pth

Each is a state_dict that torch.save wrote. It says nothing of attention heads, statistics or losses.
"""

import re
from collections.abc import Iterable, Mapping
from math import isqrt
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trunkline.agents.t3 import SIZES
from trunkline.agents.vit_blocks import grid_positions
from trunkline.errors import InputError, unknown

FOLDERS = {"encoders": "encoders", "heads": "decoders"}  # of our groups of parts
HEADS = ("t3_classification", "t3_variance", "t3_pose", "t3_mae")
_WEIGHTS = {".pth", ".pt", ".bin", ".ckpt", ".safetensors"}


def part_path(part: str) -> str:
    """The file of a part, e.g. "decoders/pose.pth" of "heads/pose"."""
    group, _, name = part.partition("/")
    return f"{FOLDERS[group]}/{name}.pth" if name else f"{group}.pth"


def read_layout(folder: Path, encoders: Iterable[str] = ()) -> dict[str, dict[str, Tensor]]:
    """The tensors of every file, by the part that they are for.

    Args:
        folder: with trunk.pth, encoders/ and decoders/.
        encoders: that must be there.

    Raises:
        InputError: a file is missing (also one of `encoders`), is none of the layout's, or holds no state_dict.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {folder}; name one that holds trunk.pth and encoders/")
    files = {"trunk": folder / "trunk.pth"}
    for group, name in FOLDERS.items():
        files |= {f"{group}/{path.stem}": path for path in sorted((folder / name).glob("[!.]*.pth"))}
    inside = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    for path in sorted(set(inside) - set(files.values())):
        if path.suffix in _WEIGHTS or path.parent != folder:
            raise InputError(f"{path} is not of T3's layout and would be left over; move it elsewhere")
    if not files["trunk"].is_file():
        raise InputError(f"{files['trunk']} is missing; the weights are incomplete, copy them again")
    there = [part.partition("/")[2] for part in files if part.startswith("encoders/")]
    if not there:
        raise InputError(f"{folder / 'encoders'} holds no weights; every sensor needs its own encoder")
    for name in encoders:
        if name not in there:
            raise InputError(f"{unknown('encoder', name, there)}; no other sensor's weights are taken for it")
    return {part: _read(path) for part, path in files.items()}


def trunk_architecture(tensors: Mapping[str, Tensor], heads: int | None) -> dict[str, Any]:
    """Fields of the AgentConfig that a trunk's tensors tell.

    Args:
        tensors: of trunk.pth.
        heads: attention heads, which the tensors do not tell; None for those of T3's size of that width.

    Raises:
        InputError: tensors of another architecture, or of a width that T3 has not published while `heads` is None.
    """
    width = _shape("trunk.pth", tensors, "norm.weight", 1)[0]
    known = {size.width: size.heads for size in SIZES.values()}
    if heads is None and width not in known:
        raise InputError(f"trunk.pth is {width} wide, which is no published size; name its attention heads=…")
    return {
        "width": width,
        "depth": _depth("trunk.pth", tensors, "blocks"),
        "attention_heads": heads or known[width],
        "mlp_ratio": _shape("trunk.pth", tensors, "blocks.0.mlp.fc1.weight", 2)[0] / width,
    }


def encoder_architecture(
    name: str, tensors: Mapping[str, Tensor], heads: int, mae: bool
) -> tuple[dict[str, Any], tuple[int, int, int]]:
    """The description of the encoder that an encoder's tensors are of, and the shape of its images.

    Args:
        name: of the sensor.
        tensors: of its file.
        heads: attention heads.
        mae: whether it may be the variant for masked autoencoding; it is if its positions are sines and cosines.

    Raises:
        InputError: tensors of another architecture.
    """
    file = f"encoders/{name}.pth"
    width, channels, patch, _ = _shape(file, tensors, "patch_embed.proj.weight", 4)
    _, count, positions_width = _shape(file, tensors, "pos_embed", 3)
    side = isqrt(count - 1)
    if side * side != count - 1 or positions_width != width:
        raise InputError(f"{file}: pos_embed of shape (1, {count}, {positions_width}) is not of a square of patches")
    frozen = mae and torch.allclose(tensors["pos_embed"], grid_positions(side, side, width), atol=1e-4)
    options = {
        "name": "t3",
        "patch": patch,
        "depth": _depth(file, tensors, "blocks"),
        "heads": heads,
        "mlp_ratio": _shape(file, tensors, "blocks.0.mlp.fc1.weight", 2)[0] / width,
        "mae": frozen,
        "positions": [side, side],
    }
    return options, (side * patch, side * patch, channels)


def head_architecture(name: str, tensors: Mapping[str, Tensor], kind: str | None = None) -> tuple[str, dict[str, Any]]:
    """The kind and options of the head that a decoder's tensors are of.

    Args:
        name: of the task.
        tensors: of its file.
        kind: of an MLP, which the tensors do not tell; None for "t3_variance" with one output, else
            "t3_classification".

    Raises:
        InputError: tensors of another architecture.
    """
    file = f"decoders/{name}.pth"
    if "decoder_pred.weight" in tensors:
        values, dim = _shape(file, tensors, "decoder_pred.weight", 2)
        side = isqrt(_shape(file, tensors, "decoder_pos_embed", 3)[1] - 1)
        hidden = _shape(file, tensors, "decoder_blocks.0.mlp.fc1.weight", 2)[0]
        found, options = (
            "t3_mae",
            {
                "values": values,
                "positions": [side, side],
                "dim": dim,
                "depth": _depth(file, tensors, "decoder_blocks"),
                "heads": max(1, dim // 32),  # 16 of the published 512
                "mlp_ratio": hidden / dim,
            },
        )
    elif "output_fc.0.weight" in tensors:
        sizes = _linear_sizes(file, tensors, "output_fc")
        found, options = "t3_pose", {"outputs": sizes[-1], "hidden": sizes[:-1]}
    elif "model.0.weight" in tensors:
        sizes = _linear_sizes(file, tensors, "model")
        found = kind or ("t3_variance" if sizes[-1] == 1 else "t3_classification")
        options = {"outputs" if found == "t3_variance" else "classes": sizes[-1], "hidden": sizes[:-1]}
    else:
        raise InputError(f"{file} is of no head that T3 published; move it elsewhere")
    if kind not in (None, found):
        raise InputError(f"{file} is of kind {found!r}, not {kind!r}; leave kinds.{name} out")
    return found, options


def _read(path: Path) -> dict[str, Tensor]:
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what is no file of tensors fails in any way
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"{path} is no whole file of plain tensors ({reason}); copy it again") from None
    if not isinstance(value, dict) or not value or not all(isinstance(t, Tensor) for t in value.values()):
        raise InputError(f"{path} holds no state_dict; T3 saves each part by itself")
    return dict(value)


def _shape(file: str, tensors: Mapping[str, Tensor], name: str, rank: int) -> tuple[int, ...]:
    if name not in tensors:
        raise InputError(f"{file} lacks the tensor {name!r}, which T3's have; it is of another architecture")
    shape = tuple(tensors[name].shape)
    if len(shape) != rank:
        raise InputError(f"{file}: tensor {name!r} has shape {shape}, not {rank} axes; it is of another architecture")
    return shape


def _depth(file: str, tensors: Mapping[str, Tensor], blocks: str) -> int:
    found = {int(match[1]) for name in tensors if (match := re.match(rf"{blocks}\.(\d+)\.", name))}
    if found != set(range(len(found))) or not found:
        raise InputError(
            f"{file} has {blocks} {sorted(found)}, which do not count up from 0; it is of another architecture"
        )
    return len(found)


def _linear_sizes(file: str, tensors: Mapping[str, Tensor], stack: str) -> list[int]:
    """Outputs of the linear layers of a stack, in order."""
    layers = sorted(int(m[1]) for name in tensors if (m := re.fullmatch(rf"{stack}\.(\d+)\.weight", name)))
    return [_shape(file, tensors, f"{stack}.{layer}.weight", 2)[0] for layer in layers]
