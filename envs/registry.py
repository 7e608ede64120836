"""Worlds by name: `make_worlds("tabletop/push")`, `make_worlds("gym:Ant-v5")`, `make_worlds("remote:Ant-v5")`."""

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from trunkline.envs.base import World
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError, unknown
from trunkline.registry import Registry

# Families with more tasks than can be listed: their tasks are named by other libraries' ids, after a colon.
OPEN_FAMILIES = ("gym", "remote")

# Importing a family may be costly (physics engines), so built-in families are found by module name.
_WORLDS = Registry("world family", "trunkline.envs", "trunkline.envs.families")


def world(name: str) -> Callable[[type[World]], type[World]]:
    """Register a World class as a family: `@world("tabletop")`."""
    return _WORLDS.register(name)


def families() -> list[str]:
    """Names of all families, built in and plugged in."""
    return _WORLDS.names()


def tasks() -> list[str]:
    """Every "family/task"; Gymnasium's thousands of ids are left out."""
    return [f"{f}/{task}" for f in families() if f not in OPEN_FAMILIES for task in _WORLDS.get(f).task_names()]


def broken() -> dict[str, str]:
    """World plug-ins that failed to import, with their error."""
    return _WORLDS.broken()


def split_task(task: str) -> tuple[str, str]:
    """The family of a task's name, and the task within it."""
    family, colon, name = task.partition(":")
    if not colon or family not in OPEN_FAMILIES:
        family, _, name = task.partition("/")
    return family, name


def _find(task: str) -> tuple[type[World], str]:
    family, name = split_task(task)
    cls: type[World] = _WORLDS.get(family)
    if family not in OPEN_FAMILIES and name not in cls.task_names():
        if name in cls.left_out:
            raise InputError(f"there is no {task}: {cls.left_out[name]}")
        raise unknown("task", task, [f"{family}/{t}" for t in cls.task_names()])
    return cls.world_class(name), name


def make_worlds(
    task: str, num_envs: int = 1, sensors: Sequence[str] | None = None, num_threads: int = 1, **options: Any
) -> World:
    """A vector environment of `num_envs` simulations of one task.

    Args:
        task: "family/task", "gym:<Gymnasium id>" or "remote:<Gymnasium id>".
        num_envs: simulations in the batch.
        sensors: names of the sensors to read; None for the family's default ones.
        num_threads: physics threads.
        **options: of that family.

    Raises:
        InputError: unknown family, task, sensor or option, each with the nearest match.
    """
    if num_envs < 1 or num_threads < 0:
        raise InputError(f"num_envs={num_envs}, num_threads={num_threads}: at least 1 environment and 0 threads")
    cls, name = _find(task)
    _require_options(cls, name, options)
    return cls(name, num_envs=num_envs, sensors=sensors, num_threads=num_threads, **options)


def _require_options(cls: type[World], task: str, options: Mapping[str, Any]) -> None:
    """Pass if a world's constructor takes these; one that takes any (**options) checks them itself."""
    parameters = inspect.signature(cls).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    own = [name for name in list(parameters)[1:] if name not in ("num_envs", "sensors", "num_threads")]
    for name in options:
        if name not in own:
            raise unknown(f"option of {task}", name, own)


def require(task: str) -> None:
    """Pass if the task can run on this machine; for jobs that come to it only after hours.

    Raises:
        InputError: unknown task, or something that its family needs is not installed.
    """
    cls, _ = _find(task)
    cls.require()


def require_families(names: Iterable[str], where: str) -> None:
    """Pass if these are families of worlds; `where` says what named them.

    Raises:
        InputError: one is not (with the nearest match).
    """
    for name in names:
        if name not in families():
            raise unknown(f"world family in {where}", name, families())


def splits(task: str) -> tuple[str, ...]:
    """The splits that a task's contexts are drawn from.

    Raises:
        InputError: unknown task.
    """
    cls, name = _find(task)
    return cls.splits(name)


def sample_tasks(task: str, count: int, seed: int, split: str = "train") -> list[TaskSpec]:
    """Draw `count` TaskSpecs of one task and split; the draw depends on (task, seed, split) alone.

    Raises:
        InputError: unknown task, a split the family does not have, no TaskSpec asked for, or a negative seed.
    """
    if seed < 0:
        raise InputError(f"seed={seed} of {task}; choose 0 or more")
    if count < 1:
        raise InputError(f"count={count} TaskSpecs of {task}; ask for at least 1")
    cls, name = _find(task)
    if split not in cls.splits(name):
        raise unknown(f"split of {task}", split, cls.splits(name))
    return cls.sample_tasks(name, count, seed, split)
