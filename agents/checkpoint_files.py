"""The files of a checkpoint, and what is in them.

Characters of a name that no file name should hold are written as %XX.
"""

import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch
from torch import Tensor

from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.heads.base import Head
from trunkline.agents.storage import existing_folder, read_json, read_tensors
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.run_folder import RunFolder

FORMAT = "trunkline-agent-1"
JSON_FILE = "agent.json"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint's agent.json.

    Attributes:
        folder: where its files are.
        config: with the whole description of every encoder.
        sensors: by name, with the statistics they were trained with.
        actions: by name.
        heads: by name, {"kind": …, "action": name of a body or None, "options": {…}}.
        seed: of the initial weights.
    """

    folder: Path
    config: AgentConfig
    sensors: dict[str, SensorSpec]
    actions: dict[str, ActionSpec]
    heads: dict[str, dict[str, Any]]
    seed: int

    @property
    def parts(self) -> list[str]:
        """Names of its parts."""
        return [*(f"encoders/{name}" for name in self.sensors), "trunk", *(f"heads/{name}" for name in self.heads)]

    def tensors(self, part: str) -> dict[str, Tensor]:
        """The tensors of one part.

        Raises:
            InputError: its file is missing or truncated.
        """
        return read_tensors(part_file(self.folder, part))


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read what a checkpoint is, without its tensors.

    Args:
        path: the checkpoint, or the folder of a training run, whose last one is meant.

    Raises:
        InputError: no checkpoint at `path`, or one that is incomplete or of another format.
    """
    folder = existing_folder(path)
    if folder is None:
        raise InputError(
            f"no checkpoint at {path}; name one, or the folder of a training, e.g. RUN/checkpoints/STAGE/seed0"
        )
    if not (folder / JSON_FILE).exists():
        latest = RunFolder(folder).latest()  # of a run
        folder = latest[1] if latest is not None else folder
    value = read_json(folder / JSON_FILE, "checkpoint")
    if value.get("format") != FORMAT:
        raise InputError(f"{folder} has format {value.get('format')!r}, this version reads {FORMAT!r}; save it again")
    for key in ("config", "sensors", "actions", "heads", "seed"):
        if key not in value:
            raise InputError(f"{folder / JSON_FILE} lacks {key!r}; the checkpoint was edited, restore it")
    for name, head in value["heads"].items():
        if set(head) != {"kind", "action", "options"}:
            raise InputError(f"{folder / JSON_FILE}: head {name!r} needs kind, action and options; restore the file")
    sensors = [SensorSpec.from_json(spec) for spec in value["sensors"]]
    actions = [ActionSpec.from_json(spec) for spec in value["actions"]]
    config = AgentConfig.from_json(value["config"])
    for spec in sensors:
        if "name" not in config.encoders.get(spec.name, {}):
            raise InputError(f"{folder / JSON_FILE} names no encoder for sensor {spec.name!r}; restore the file")
    return Checkpoint(
        folder,
        config,
        {spec.name: spec for spec in sensors},
        {spec.name: spec for spec in actions},
        value["heads"],
        value["seed"],
    )


def describe_agent(agent: Agent) -> dict[str, Any]:
    """What agent.json holds: everything but the tensors."""
    return {
        "format": FORMAT,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "trunkline": _version()},
        "config": agent.config.to_json(),
        "sensors": [spec.to_json() for spec in agent.sensors.values()],
        "actions": [spec.to_json() for spec in agent.actions.values()],
        "heads": describe_heads(agent),
        "seed": agent.seed,
    }


def describe_heads(agent: Agent) -> dict[str, dict[str, Any]]:
    """The heads of an agent, as agent.json describes them."""
    described: dict[str, dict[str, Any]] = {}
    for name, module in agent.heads.items():
        assert isinstance(module, Head)
        action = None if module.action is None else module.action.name
        described[name] = {"kind": module.kind, "action": action, "options": module.options}
    return described


def part_file(folder: Path, part: str) -> Path:
    """The file of one part."""
    kind, separator, name = part.partition("/")
    return folder / (f"{kind}/{quote(name, safe='')}.safetensors" if separator else f"{kind}.safetensors")


def _version() -> str:
    try:
        return version("trunkline")
    except PackageNotFoundError:  # run from a checkout
        return "unknown"
