"""Checkpoints: a folder with one safetensors file a part, and everything needed to build the agent again.

    agent.json                      config, sensors with their statistics, bodies, heads, versions
    encoders/<sensor>.safetensors   trunk.safetensors   heads/<name>.safetensors
    training/                       the trainer's state, if it was saved: see `training_state`

No pickle is read or written.
"""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint_files import (
    JSON_FILE,
    Checkpoint,
    describe_agent,
    describe_heads,
    part_file,
    read_checkpoint,
)
from trunkline.agents.compare import difference, match
from trunkline.agents.load_report import LoadReport
from trunkline.agents.parts import GROUPS, select_parts
from trunkline.agents.registry import find_encoder, find_head, find_trunk
from trunkline.agents.storage import replacing_folder, write_json, write_tensors
from trunkline.agents.training_state import FOLDER, load_training, save_training, write_tree
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError, unknown

__all__ = [
    "Checkpoint",
    "load_agent",
    "load_into",
    "load_training",
    "read_checkpoint",
    "save_agent",
    "save_training",
]

_log = logging.getLogger(__name__)


def save_agent(agent: Agent, path: str | Path, training: Mapping[str, Any] | None = None) -> None:
    """Write an agent to the folder `path`, whole or not at all; a checkpoint that is there is replaced.

    Args:
        agent: the agent.
        path: a folder.
        training: the trainer's state to go on from; see `training_state.save_training` for what it may hold.

    Raises:
        InputError: something else is at `path`, or the disk is full.
    """
    with replacing_folder(path, JSON_FILE) as folder:
        for part, module in agent.parts.items():
            write_tensors(part_file(folder, part), module.state_dict())
        if training is not None:
            (folder / FOLDER).mkdir()
            write_tree(folder / FOLDER, training)
        write_json(folder / JSON_FILE, describe_agent(agent))


def load_agent(
    path: str | Path,
    sensors: Mapping[str, SensorSpec] | None = None,
    parts: Iterable[str] | None = None,
    allow: Iterable[str] = (),
) -> Agent:
    """The agent of a checkpoint, in evaluation mode on the CPU; `agent.load_report` says what matched.

    Args:
        path: the checkpoint.
        sensors: those of the world that the agent will act in, to be checked against the checkpoint's. A sensor that
            the world lacks is no error, its tokens will be missing; label sensors are passed over.
        parts: to load, e.g. ["encoders", "trunk"]; the others keep their initial weights. None for all.
        allow: parts or sensors that may differ; what fits of them is loaded, and a sensor that the checkpoint lacks
            gets a fresh encoder.

    Raises:
        InputError: no checkpoint, an incomplete or truncated one, other tensors or sensors than allowed, or a plug-in
            that is not installed.
    """
    checkpoint = read_checkpoint(path)
    _require_plugins(checkpoint)
    sensors = {name: spec for name, spec in (sensors or {}).items() if name not in checkpoint.config.auxiliary}
    allow = _names(allow)
    for name, spec in sensors.items():
        if not _allowed(f"encoders/{name}", allow):
            _require_same_sensor(checkpoint, spec)
    specs = {**checkpoint.sensors, **sensors}
    agent = Agent(specs, checkpoint.actions, checkpoint.config, checkpoint.seed)
    for name in set(agent.heads) - set(checkpoint.heads):
        agent.remove_head(name)
    present = describe_heads(agent)
    for name, head in checkpoint.heads.items():
        if present.get(name) != head:
            agent.make_head(name, head["kind"], head["action"], **head["options"])
    # Optimisers that number parameters need the order in which the heads were made.
    agent.heads = nn.ModuleDict({name: agent.heads[name] for name in checkpoint.heads})
    report = _load(agent, checkpoint, parts, allow)
    if sensors:
        report = replace(report, unseen=tuple(name for name in specs if name not in sensors))
    agent.load_report = report
    _log.info("%s", report)
    return agent.eval()


def load_into(
    agent: Agent, path: str | Path, parts: Iterable[str] | None = None, allow: Iterable[str] = ()
) -> LoadReport:
    """Load parts of a checkpoint into an agent, statistics of the sensors included; all of it or, on an error, nothing.

    Args:
        agent: the agent.
        path: the checkpoint.
        parts: to load, e.g. ["encoders/proprio", "trunk"]; "encoders" and "heads" stand for all. None for all parts,
            which must then be the same on both sides.
        allow: parts or sensors that may differ; what fits of them is loaded.

    Raises:
        InputError: see `load_agent`.
    """
    report = _load(agent, read_checkpoint(path), parts, _names(allow))
    agent.load_report = report
    _log.info("%s", report)
    return report


def _load(agent: Agent, checkpoint: Checkpoint, parts: Iterable[str] | None, allow: tuple[str, ...]) -> LoadReport:
    mine, theirs = agent.parts, checkpoint.parts
    every = list(dict.fromkeys([*mine, *theirs]))
    _check_allow(allow, every)
    wanted = every if parts is None else select_parts(parts, every)
    found: dict[str, dict[str, Tensor]] = {}
    differences: dict[str, tuple[str, ...]] = {}
    for part in wanted:
        allowed = _allowed(part, allow)
        if part in mine and part in theirs:
            lines = difference(agent, checkpoint, part)
            if not lines or allowed:
                found[part], more = match(mine[part], checkpoint, part, allowed)
                lines += more
        else:
            lines = ["not in the checkpoint" if part in mine else "not in the agent"]
        if lines and not allowed:
            rest = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            raise InputError(
                f"checkpoint {checkpoint.folder}, part {part!r}: {lines[0]}{rest}; "
                f"load other parts=[…], or pass allow=[{part!r}] to load only what fits"
            )
        if lines:
            differences[part] = tuple(lines)
    for part, tensors in found.items():  # only now, when nothing can fail any more
        _copy(agent, checkpoint, part, tensors)
    loaded = {part: len(tensors) for part, tensors in found.items()}
    return LoadReport(
        str(checkpoint.folder),
        loaded,
        differences,
        untouched=tuple(part for part in mine if part not in loaded),
        unused=tuple(part for part in theirs if part not in loaded and part not in differences),
    )


@torch.no_grad()
def _copy(agent: Agent, checkpoint: Checkpoint, part: str, tensors: Mapping[str, Tensor]) -> None:
    values = agent.parts[part].state_dict()
    for name, tensor in tensors.items():
        values[name].copy_(tensor)
    kind, _, name = part.partition("/")
    if kind == "encoders" and tensors:  # weights and the statistics that they were trained with go together
        mine, theirs = agent.sensors[name], checkpoint.sensors[name]
        if mine.shape == theirs.shape:
            agent.set_statistics({name: replace(mine, mean=theirs.mean, std=theirs.std)})


def _require_plugins(checkpoint: Checkpoint) -> None:
    needs: list[tuple[str, Callable[[str], object], str]] = [("it", find_trunk, checkpoint.config.trunk)]
    needs += [(f"sensor {name!r}", find_encoder, e["name"]) for name, e in checkpoint.config.encoders.items()]
    needs += [(f"head {name!r}", find_head, head["kind"]) for name, head in checkpoint.heads.items()]
    for what, find, name in needs:
        try:
            find(name)
        except InputError as error:
            raise InputError(
                f"checkpoint {checkpoint.folder}: {what} needs {error}; install the distribution that provides {name!r}"
            ) from error


def _require_same_sensor(checkpoint: Checkpoint, spec: SensorSpec) -> None:
    remedy = f"pass allow=['encoders/{spec.name}'] to go on with what fits"
    if spec.name not in checkpoint.sensors:
        message = unknown("sensor", spec.name, checkpoint.sensors)
        raise InputError(f"checkpoint {checkpoint.folder}: {message}; leave the sensor out, or {remedy}")
    other = checkpoint.sensors[spec.name].difference(spec)
    if other is not None:
        raise InputError(
            f"checkpoint {checkpoint.folder} was trained on another sensor {spec.name!r}: {other}; "
            f"leave it out, or {remedy}"
        )


def _names(allow: Iterable[str]) -> tuple[str, ...]:
    return (allow,) if isinstance(allow, str) else tuple(allow)


def _allowed(part: str, allow: tuple[str, ...]) -> bool:
    kind, _, name = part.partition("/")
    return part in allow or kind in allow or (kind == "encoders" and name in allow)


def _check_allow(allow: tuple[str, ...], parts: list[str]) -> None:
    sensors = [part.partition("/")[2] for part in parts if part.startswith("encoders/")]
    for name in allow:
        if name not in (known := [*parts, *sensors, *GROUPS]):
            raise unknown("part or sensor in allow", name, known)
