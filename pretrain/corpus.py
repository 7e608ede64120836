"""The recorded episodes of a run: its data sets, what they were sensed with, by which bodies, in which tasks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from trunkline.data.collection import open_datasets
from trunkline.data.reader import EpisodeDataset
from trunkline.data.stream import FrameStream
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class Corpus:
    """The recorded episodes a run learns from.

    Attributes:
        datasets: one a body, all with at least one of the tasks.
        sensors: what the run reads, with statistics pooled over the data sets.
        actions: the bodies.
        frames: how many frames of each task each data set has, in the data sets' order.
    """

    datasets: tuple[EpisodeDataset, ...]
    sensors: dict[str, SensorSpec]
    actions: dict[str, ActionSpec]
    frames: tuple[dict[str, int], ...]

    @property
    def tasks(self) -> list[tuple[EpisodeDataset, str, int]]:
        """Each task of each data set, and how many frames it has there."""
        pairs = zip(self.datasets, self.frames, strict=True)
        return [(dataset, task, count) for dataset, of in pairs for task, count in of.items()]


def open_corpus(root: str, sensors: Sequence[str] = (), tasks: Sequence[str] = ()) -> Corpus:
    """Open the data sets under a folder.

    Args:
        root: a collection (one data set a body) or a single data set.
        sensors: names of those to read; empty for all.
        tasks: those to learn from; empty for all.

    Raises:
        InputError: no data set there, an unknown sensor or task (with the nearest match), two sensors of one name but
            different form, or two bodies of one name but different actions.
    """
    datasets = list(open_datasets(root))
    frames = [_frames_by_task(dataset) for dataset in datasets]
    known = sorted(set().union(*frames))
    for task in tasks:
        if task not in known:
            raise unknown(f"task in {root}", task, known)
    if tasks:
        frames = [{task: count for task, count in of.items() if task in tasks} for of in frames]
    kept = [(dataset, of) for dataset, of in zip(datasets, frames, strict=True) if of]
    if not kept:
        raise InputError(f"{root} holds no episodes; collect some with `trunkline collect`")
    every = {name for dataset, _ in kept for name in dataset.sensors}
    for name in sensors:
        if name not in every:
            raise unknown(f"sensor in {root}", name, every)
    wanted = tuple(sensors) or tuple(dict.fromkeys(name for dataset, _ in kept for name in dataset.sensors))
    for dataset, _ in kept:
        if not set(wanted) & set(dataset.sensors):
            raise InputError(
                f"the data set of {dataset.action_spec.name!r} has none of the sensors {list(wanted)}; "
                f"it has {sorted(dataset.sensors)}"
            )
    actions: dict[str, ActionSpec] = {}
    for dataset, _ in kept:
        spec = dataset.action_spec
        if actions.setdefault(spec.name, spec) != spec:
            raise InputError(f"{root} has two bodies named {spec.name!r} with different actions; rename one")
    pooled = {
        name: pool_statistics([(d.sensors[name], sum(of.values())) for d, of in kept if name in d.sensors])
        for name in wanted
    }
    return Corpus(tuple(d for d, _ in kept), pooled, actions, tuple(of for _, of in kept))


def pool_statistics(sensors: Sequence[tuple[SensorSpec, int]]) -> SensorSpec:
    """One sensor out of several data sets, each with how many frames it has: statistics of all frames together.

    Raises:
        InputError: they are not the same sensor, or one lacks statistics that another has.
    """
    first = sensors[0][0]
    for other, _ in sensors[1:]:
        difference = first.difference(other)
        if difference is not None:
            raise InputError(f"the data sets have two sensors named {first.name!r}: {difference}; rename one")
    if all(spec.mean is None for spec, _ in sensors):
        return first
    if any(spec.mean is None or spec.std is None for spec, _ in sensors):
        raise InputError(f"sensor {first.name!r} has statistics in one data set and none in another; recompute them")
    if len(sensors) == 1:
        return first
    counts = np.array([count for _, count in sensors], np.float64)
    share = (counts / counts.sum())[:, None]
    means = np.array([spec.mean for spec, _ in sensors])
    variances = np.array([spec.std for spec, _ in sensors]) ** 2
    mean = (share * means).sum(0)
    # Var = E[var within] + E[(mean within − mean)²]: no cancellation, as E[x²] − mean² would have.
    return first.with_statistics(mean, np.sqrt((share * (variances + (means - mean) ** 2)).sum(0)))


def open_stream(corpus: Corpus, dataset: EpisodeDataset, task: str, **options: Any) -> FrameStream:
    """Batches of one task in one data set, of the corpus's sensors.

    Args:
        corpus: whose sensors are read.
        dataset: one of its data sets.
        task: one of the data set's tasks.
        **options: of FrameStream.
    """
    sensors = [name for name in corpus.sensors if name in dataset.sensors]
    return FrameStream(dataset, tasks=[task], sensors=sensors, **options)


def _frames_by_task(dataset: EpisodeDataset) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for task, length in zip(dataset.task_names, dataset.index.lengths, strict=True):
        counts[task] += int(length)
    return dict(sorted(counts.items()))
