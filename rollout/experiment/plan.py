"""The manifests of an experiment: which episodes are pretrained on, demonstrated, evaluated."""

from collections.abc import Mapping
from pathlib import Path

from trunkline.envs.manifest import Manifest, disjoint
from trunkline.envs.registry import sample_tasks, splits
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError, unknown
from trunkline.rollout.experiment.config import ExperimentConfig

# Draws that must not coincide get seeds of their own.
PRETRAIN_SEED, DEMONSTRATION_SEED, SEEN_SEED, TEST_SEED = 1_000, 2_000, 3_000, 4_000


def plan_manifests(config: ExperimentConfig) -> dict[str, Manifest]:
    """Manifests "pretrain", "demonstrations" and "test" of an experiment.

    The test manifest's contexts of an axis of novelty ("goal", "task", "engine", …) share none with training; those of
    the axis "seen" come from the training split, and measure how much is lost on the way to the others.

    Raises:
        InputError: an unknown task, or an axis that a task's family does not have.
    """
    train = {
        "pretrain": _draw(config, config.pretraining.episodes, PRETRAIN_SEED),
        "demonstrations": _draw(config, config.demonstrations.episodes, DEMONSTRATION_SEED),
    }
    cells = [(task, axis) for axis in config.evaluation.axes for task in config.tasks if _has(task, axis)]
    for axis in config.evaluation.axes:
        if axis not in {axis for _, axis in cells}:
            raise unknown("axis of these tasks", axis, {name for t in config.tasks for name in _axes(t)})
    cells += [(task, _novelty(task)) for task in config.held_out]
    test: list[TaskSpec] = []
    for task, axis in cells:
        seed, split = (SEEN_SEED, "train") if axis == "seen" else (TEST_SEED, f"test/{axis}")
        test += sample_tasks(task, config.evaluation.episodes, config.data_seed + seed, split)
    unseen = [spec for spec in test if spec.axis != "seen"]
    for name, specs in train.items():
        if not disjoint(specs, unseen):
            raise InputError(f"the test manifest shares contexts with {name}; the world's splits are not disjoint")
    return {**{name: Manifest(tuple(specs)) for name, specs in train.items()}, "test": Manifest(tuple(test))}


def write_manifests(manifests: Mapping[str, Manifest], folder: Path) -> None:
    """Write the planned manifests, or see that the folder holds the same ones.

    Raises:
        InputError: the folder holds manifests of another plan, or damaged ones.
    """
    for name, manifest in manifests.items():
        path = folder / f"{name}.json"
        if not path.exists():
            manifest.save(path)
            continue
        try:
            there = Manifest.load(path)
        except InputError as error:
            raise InputError(f"{path} is damaged; delete it and give the command again ({error})") from None
        if there.sha256 != manifest.sha256:
            raise InputError(f"{path} is of another plan; choose another folder=…, or delete it")


def _axes(task: str) -> list[str]:
    return ["seen", *(split.removeprefix("test/") for split in splits(task) if split.startswith("test/"))]


def _novelty(task: str) -> str:
    """The axis of a task that was left out: on another engine it is not the task that is new."""
    return "engine" if _has(task, "engine") else "task"


def _has(task: str, axis: str) -> bool:
    # Not every axis makes sense everywhere: a task without an object has no unseen ones.
    return axis in _axes(task)


def _draw(config: ExperimentConfig, episodes: int, seed: int) -> list[TaskSpec]:
    return [spec for task in config.tasks for spec in sample_tasks(task, episodes, config.data_seed + seed, "train")]
