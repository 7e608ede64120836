"""`trunkline envs`: worlds are listed and tried, and what they need of other software is installed."""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from trunkline.commands.common import asks_for_help, say
from trunkline.envs import registry
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.errors import InputError, unknown

# What can be installed, by name: the module that has `install(say)` and `check() -> str` of it.
SOFTWARE = {
    "minecraft-server": "trunkline.envs.minecraft.server_setup",
    "minedojo": "trunkline.envs.minecraft.minedojo_setup",
}


def main(arguments: Sequence[str]) -> None:
    """`list`, `check [TASK | SOFTWARE …]`, or `install SOFTWARE`."""
    verb = arguments[0] if arguments else "list"
    if verb == "list":
        for task in registry.tasks():
            say(f"{task:<28} {' '.join(registry.splits(task))}")
        say("gym:<id>   any Gymnasium id, e.g. gym:Ant-v5")
        say("remote:<id>   the same in processes of any Python, option python=PATH")
        for name, error in registry.broken().items():
            print(f"trunkline: world plug-in {name!r} cannot be used: {error}", file=sys.stderr)
    elif verb == "check":
        if asks_for_help(arguments):
            say(f"usage: trunkline envs check [TASK | {' | '.join(SOFTWARE)} …]")
            return
        for name in arguments[1:]:
            say(_check_software(name) if name in SOFTWARE else _check(name))
        if not arguments[1:]:
            _check_all()
    elif verb == "install":
        names = arguments[1:]
        if asks_for_help(arguments) or not names:
            say(f"usage: trunkline envs install NAME\n\nnames: {', '.join(SOFTWARE)}")
            if not names:
                raise InputError(f"install what? known: {', '.join(SOFTWARE)}")
            return
        for software in [_software(name) for name in names]:
            software.install(say)
    else:
        raise unknown("envs command", verb, ["list", "check", "install"])


def _software(name: str) -> Any:
    if name not in SOFTWARE:
        raise unknown("software", name, SOFTWARE)
    return importlib.import_module(SOFTWARE[name])


def _check_software(name: str) -> str:
    from trunkline.envs.remote.process import RemoteError

    try:
        line: str = _software(name).check()
    except RemoteError as error:  # it was started and does not work: no fault of ours that a traceback would show
        raise SystemExit(f"trunkline: {name} does not work: {error}") from None
    return line


def _check_all() -> None:
    """Try every world that can be made here; say of the others why not."""
    for task in registry.tasks():
        try:
            say(_check(task))
        except InputError as error:
            say(f"{task:<24} left out: {error}")


def _check(task: str) -> str:
    """Run the scripted expert on a few training episodes."""
    world = make_worlds(task, 8)
    specs = sample_tasks(task, 16, 0, "train")
    world.reset(options={"tasks": specs})
    solved = steps = 0
    while world.active.any():
        steps += int(world.active.sum())
        _, _, terminated, truncated, info = world.step(world.expert_actions())
        solved += int(np.sum(info["success"][terminated | truncated]))
    sensors = ", ".join(f"{name}{spec.shape}" for name, spec in world.sensors.items())
    body = f"{world.action_spec.name}{world.action_spec.shape}"
    return f"{task:<24} expert {solved}/{len(specs)}, {steps} steps; sensors {sensors}; body {body}"
