"""From a configuration to what a run needs: streams of recorded frames, and the agent that learns from them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trunkline.data.collection import open_datasets
from trunkline.data.reader import EpisodeDataset
from trunkline.data.stream import FrameStream
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError, unknown
from trunkline.pretrain.config import PretrainConfig
from trunkline.pretrain.sampling import MultiTaskSampler, TaskSource, task_weights


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


def make_sampler(
    corpus: Corpus, config: PretrainConfig, next_offset: int | None, rank: int = 0, world_size: int = 1
) -> MultiTaskSampler:
    """The run's batches, as worker `rank` of `world_size` sees them.

    Raises:
        InputError: weights or tasks that do not fit the data, or fewer frames a step than tasks.
    """
    pairs = [(d, task, count) for d, of in zip(corpus.datasets, corpus.frames, strict=True) for task, count in of.items()]
    counted = np.count_nonzero(task_weights([t for _, t, _ in pairs], [n for _, _, n in pairs], config.task_weights))
    parts = 1 if config.sampling == "single" else config.tasks_per_step or int(counted)
    size = config.batch_size // world_size // parts
    if size < 1:
        raise InputError(
            f"batch_size={config.batch_size} is fewer than one frame for each of {parts} tasks on {world_size} workers; "
            "raise batch_size or set tasks_per_step"
        )
    sources = [
        TaskSource(task, count, _stream(dataset, task, size, corpus, config, next_offset, index, rank, world_size))
        for index, (dataset, task, count) in enumerate(pairs)
    ]
    return MultiTaskSampler(sources, config.sampling, config.task_weights, config.tasks_per_step, config.seed)


def _stream(
    dataset: EpisodeDataset,
    task: str,
    size: int,
    corpus: Corpus,
    config: PretrainConfig,
    next_offset: int | None,
    index: int,
    rank: int,
    world_size: int,
) -> FrameStream:
    return FrameStream(
        dataset,
        batch_size=size,
        tasks=[task],
        sensors=[name for name in corpus.sensors if name in dataset.sensors],
        next_offset=next_offset,
        buffer_frames=config.buffer_frames,
        seed=int(np.random.SeedSequence([config.seed, index]).generate_state(1)[0]),
        rank=rank,
        world_size=world_size,
    )


def _frames_by_task(dataset: EpisodeDataset) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for task, length in _lengths(dataset):
        counts[task] += length
    return dict(sorted(counts.items()))


def _lengths(dataset: EpisodeDataset) -> Iterable[tuple[str, int]]:
    raise NotImplementedError
