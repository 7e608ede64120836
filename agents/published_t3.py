"""T3's published weights in, and weights that T3's code reads out; tensors pass bit by bit."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.checkpoint_files import describe_heads
from trunkline.agents.config import AgentConfig
from trunkline.agents.parts import check_name
from trunkline.agents.storage import replacing_folder
from trunkline.agents.t3_layout import (
    HEADS,
    encoder_architecture,
    head_architecture,
    part_path,
    read_layout,
    trunk_architecture,
)
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class LayoutReport:
    """Which file is which part.

    Attributes:
        title: what was done.
        parts: by part, its file, and what it is.
        notes: what else is to be known.
    """

    title: str
    parts: Mapping[str, tuple[str, str]]
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The report, for a terminal."""
        lines = [f"  {file} = {part}: {what}" for part, (file, what) in self.parts.items()]
        return "\n".join([self.title, *lines, *(f"  {note}" for note in self.notes)])


def import_t3(
    folder: str | Path,
    out: str | Path | None = None,
    *,
    encoders: Iterable[str] = (),
    heads: int | None = None,
    mae: bool | None = None,
    kinds: Mapping[str, str] | None = None,
) -> tuple[Agent, LayoutReport]:
    """The agent that a folder of published weights is, in evaluation mode on the CPU.

    Args:
        folder: with trunk.pth, encoders/ and decoders/.
        out: a folder for the checkpoint; None to write none.
        encoders: that must be there; all that are there are read.
        heads: attention heads, of which the weights say nothing; None for those of the published size.
        mae: whether the encoders are those for masked autoencoding; None if there is a decoder for it and their
            positions are sines and cosines.
        kinds: of decoders that are MLPs, by task; None for "t3_variance" with one output, else "t3_classification".

    Raises:
        InputError: a file or tensor is missing, left over, of another shape or type, or cannot be read without pickle.
    """
    folder, kinds = Path(folder), dict(kinds or {})
    weights = read_layout(folder, encoders)
    tasks = {part.partition("/")[2]: tensors for part, tensors in weights.items() if part.startswith("heads/")}
    for name, kind in kinds.items():
        if name not in tasks:
            raise unknown("decoder in kinds", name, tasks)
        if kind not in HEADS:
            raise unknown("kind of decoder", kind, HEADS)
    sizes = trunk_architecture(weights["trunk"], heads)
    described = {name: head_architecture(name, tensors, kinds.get(name)) for name, tensors in tasks.items()}
    if mae is None:
        mae = any(kind == "t3_mae" for kind, _ in described.values())
    sensors: dict[str, SensorSpec] = {}
    entries = {}
    for part, tensors in weights.items():
        group, _, name = part.partition("/")
        if group == "encoders":
            check_name("sensor", name)
            entries[name], shape = encoder_architecture(name, tensors, sizes["attention_heads"], mae)
            sensors[name] = SensorSpec(name, "tactile_rgb", shape, "uint8", 0.0, 255.0)
    agent = Agent(sensors, {}, AgentConfig(**sizes, encoders=entries, trunk="t3"))
    agent.remove_head("value")
    for name, (kind, options) in described.items():
        agent.make_head(name, kind, **options)
    checked = {part: _checked(folder / part_path(part), agent.part(part), weights[part]) for part in agent.parts}
    for part, tensors in checked.items():
        agent.part(part).load_state_dict(tensors)
    report = LayoutReport(
        f"{folder}: T3, width {sizes['width']}, {len(sensors)} encoders, {len(described)} heads",
        {part: (part_path(part), _what(agent, part)) for part in agent.parts},
        ("statistics of the images are not among the weights: images are scaled to [-1, 1] until they are set",),
    )
    if out is not None:
        save_agent(agent, out)
    return agent.eval(), report


def export_t3(checkpoint: str | Path, out: str | Path, *, skip: Iterable[str] = ()) -> LayoutReport:
    """Write a checkpoint's weights as T3 published its own.

    Args:
        checkpoint: of an agent with T3's encoders, trunk and heads.
        out: a new folder.
        skip: parts to leave out, "heads/value" say; needed for those that the layout cannot hold.

    Raises:
        InputError: no such checkpoint, parts that the layout cannot hold, or something is at `out`.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out} exists and is not replaced; choose another folder")
    agent = load_agent(checkpoint)
    left_out = agent.select(skip)
    parts = [part for part in agent.parts if part not in left_out]
    for part in parts:
        problem = _why_not(agent, part)
        if problem is not None:
            raise InputError(f"{checkpoint}: {part} {problem}; T3's layout cannot hold it, leave it out: skip=[{part}]")
    with replacing_folder(out, "trunk.pth") as folder:
        for part in parts:
            path = folder / part_path(part)
            path.parent.mkdir(exist_ok=True)
            torch.save(OrderedDict((k, v.clone()) for k, v in agent.part(part).state_dict().items()), path)
    notes = [f"left out: {', '.join(left_out)}"] if left_out else []
    if any(spec.mean is not None for spec in agent.sensors.values()):
        notes.append("the layout holds no statistics: normalise images by those of the checkpoint")
    return LayoutReport(
        f"{out}: T3, width {agent.config.width}", {p: (part_path(p), _what(agent, p)) for p in parts}, tuple(notes)
    )


def _checked(path: Path, module: nn.Module, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, if they are those of the module one by one."""
    expected = module.state_dict()
    for name in expected:
        if name not in tensors:
            raise InputError(f"{path} lacks the tensor {name!r}; copy it again")
    for name, tensor in tensors.items():
        if name not in expected:
            raise InputError(f"{path}: the tensor {name!r} would be left over; it is of another architecture")
        wanted = expected[name]
        if tensor.shape != wanted.shape:
            raise InputError(f"{path}: tensor {name!r} has shape {tuple(tensor.shape)}, not {tuple(wanted.shape)}")
        if tensor.dtype != wanted.dtype:
            raise InputError(f"{path}: tensor {name!r} is of type {tensor.dtype}, not {wanted.dtype}; convert it first")
    return dict(tensors)


def _why_not(agent: Agent, part: str) -> str | None:
    """Why T3's layout cannot hold a part; None if it can."""
    group, _, name = part.partition("/")
    if group == "heads":
        kind = describe_heads(agent)[name]["kind"]
        return None if kind in HEADS else f"is of kind {kind!r}"
    kind = agent.config.trunk if group == "trunk" else agent.config.encoders[name]["name"]
    return None if kind == "t3" else f"is {kind!r}"


def _what(agent: Agent, part: str) -> str:
    group, _, name = part.partition("/")
    module = agent.part(part)
    if group == "encoders":
        entry, shape = agent.config.encoders[name], agent.sensors[name].shape
        kind = f"{'MAE ' if entry['mae'] else ''}ViT, patch {entry['patch']}, images {'×'.join(map(str, shape))}"
    elif group == "heads":
        kind = describe_heads(agent)[name]["kind"]
    else:
        kind = f"depth {agent.config.depth}, {agent.config.attention_heads} attention heads"
    count = sum(p.numel() for p in module.parameters())
    return f"{kind}; {len(module.state_dict())} tensors, {count:,} parameters"
