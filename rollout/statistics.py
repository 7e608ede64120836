"""Success rates with honest intervals.

Legend: S training seeds (runs), T tasks (strata), C contexts (TaskSpecs) of one task, R resamples.

An arm's scores are, for every task, a matrix (S, C): what the run of each seed reached in each context. From them
comes the matrix (S, T) of scores of runs on tasks, and from that the aggregates of Agarwal et al., "Deep Reinforcement
Learning at the Edge of the Statistical Precipice" (NeurIPS 2021): the mean, the interquartile mean (IQM) and the
probability of improvement.

The intervals are a two-level bootstrap, stratified by task:

1. With S > 1 the runs are resampled. One run is one multitask policy, so it is drawn with all its tasks at once: its
   scores on two tasks are not independent. (`shared_runs=False` draws runs for every task apart, as in the paper, whose
   runs are trained on one task each.)
2. Within every task the contexts are resampled, the same draw for all runs, since all runs are evaluated on the same
   frozen manifest (the "pigeonhole" bootstrap of Owen, 2007). With S = 1 this is all there is, and the interval says
   nothing about other training seeds.

Two arms that were evaluated on the same contexts get the same draws of contexts, so their difference is a paired
comparison. Level 2 counts the noise of single episodes a second time, which makes the intervals slightly too wide;
resampling few runs makes them too narrow: in simulations with three tasks of 100 contexts, intervals meant to hold the
truth in 95% of cases held it in 95% with one run (of itself), and with five runs in 97% where the runs' rates spread
by 0.03 and in 86% where they spread by 0.1. Where all episodes ended alike, resampling shows no spread at all: then the
interval is Wilson's.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trunkline.envs.random import generator
from trunkline.errors import InputError

Floats = NDArray[np.float64]
Statistic = Callable[[Floats], Floats]
Verdict = Literal["better", "worse", "unclear"]

RESAMPLES = 2000
APART = 0.05  # of the two ends of a normalised score
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate with its confidence interval; `method` is how that was made: "bootstrap", "wilson" or "score"."""

    value: float
    low: float
    high: float
    method: str = "bootstrap"


@dataclass(frozen=True, eq=False)
class Scores:
    """What one arm's runs reached, context by context.

    Attributes:
        name: of the arm; arms of different names resample their runs independently.
        values: for each of T tasks (S, C), in [0, 1]; NaN where a run has no episode of that context. C may differ.
        strata: for each task a key; equal keys (with equal C) get equal draws of contexts.
        shared_runs: whether a run is one policy for all tasks, so that its scores are drawn together.

    Raises:
        InputError: no task, matrices that do not match, or a run without a single episode of a task.
    """

    name: str
    values: tuple[Floats, ...]
    strata: tuple[str, ...]
    shared_runs: bool = True

    def __post_init__(self) -> None:
        if not self.values or len(self.values) != len(self.strata):
            raise InputError(
                f"scores of {self.name!r}: {len(self.values)} tasks with {len(self.strata)} keys; one each"
            )
        for values, stratum in zip(self.values, self.strata, strict=True):
            if values.ndim != 2 or len(values) != self.runs:
                raise InputError(
                    f"scores of {self.name!r} on {stratum!r} have shape {values.shape}, not ({self.runs}, C)"
                )
            if np.isnan(values).all(axis=1).any():
                raise InputError(f"scores of {self.name!r} on {stratum!r}: a run has no episode; leave that run out")

    @property
    def runs(self) -> int:
        """S."""
        return len(self.values[0])

    @property
    def contexts(self) -> int:
        """Distinct contexts with an episode, over all tasks."""
        return sum(int((~np.isnan(values)).any(axis=0).sum()) for values in self.values)

    @property
    def constant(self) -> float | None:
        """0.0 or 1.0 if every episode scored that, else None."""
        for value in (0.0, 1.0):
            if all((np.isnan(values) | (values == value)).all() for values in self.values):
                return value
        return None

    def matrix(self) -> Floats:
        """Scores of runs on tasks, (S, T)."""
        return np.stack([np.nanmean(values, axis=1) for values in self.values], axis=-1)


def mean(matrix: Floats) -> Floats:
    """Mean over runs and tasks: (..., S, T) to (...)."""
    return np.asarray(matrix.mean(axis=(-2, -1)))


def interquartile_mean(matrix: Floats) -> Floats:
    """IQM over runs and tasks: (..., S, T) to (...).

    Of the n = S · T scores the lowest and highest ⌊n / 4⌋ are left out (`scipy.stats.trim_mean(scores, 0.25)`); with
    fewer than four it is the mean.
    """
    scores = np.sort(matrix.reshape(*matrix.shape[:-2], -1), axis=-1)
    cut = scores.shape[-1] // 4
    return np.asarray(scores[..., cut : scores.shape[-1] - cut].mean(axis=-1))


@lru_cache(maxsize=16)
def resample(scores: Scores, resamples: int = RESAMPLES, seed: int = 0) -> Floats:
    """Bootstrap replicates of the matrix of scores, (R, S, T), read-only; see the module."""
    columns = []
    for values, stratum in zip(scores.values, scores.strata, strict=True):
        weights = _context_weights(stratum, values.shape[1], resamples, seed)
        present = ~np.isnan(values)
        total = weights @ np.where(present, values, 0.0).T.astype(np.float32)
        if present.all():
            columns.append(total / values.shape[1])
            continue
        count = weights @ present.T.astype(np.float32)
        # A resample may miss every context that a run has an episode of; that run keeps its own mean there.
        columns.append(np.where(count > 0, total / np.maximum(count, 1), np.nanmean(values, axis=1)))
    matrix = np.stack(columns, axis=-1).astype(np.float64)
    if scores.runs > 1:
        tasks = 1 if scores.shared_runs else len(scores.values)
        rows = generator("runs", scores.name, seed).integers(0, scores.runs, (resamples, scores.runs, tasks))
        matrix = np.take_along_axis(matrix, np.broadcast_to(rows, matrix.shape), axis=1)
    matrix.flags.writeable = False
    return matrix


@lru_cache(maxsize=128)
def _context_weights(stratum: str, contexts: int, resamples: int, seed: int) -> NDArray[np.float32]:
    """How often each resample draws each context, (R, C)."""
    draws = generator("contexts", stratum, seed).integers(0, contexts, (resamples, contexts))
    draws += contexts * np.arange(resamples)[:, None]
    weights = np.bincount(draws.ravel(), minlength=resamples * contexts).reshape(resamples, contexts).astype(np.float32)
    weights.flags.writeable = False
    return weights


def estimate(
    scores: Scores,
    statistic: Statistic = mean,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """A statistic of the scores with its interval: percentile bootstrap, or Wilson's where all episodes ended alike."""
    value = float(statistic(scores.matrix()))
    alike = _alike(scores, confidence)
    return alike or _percentile(value, statistic(resample(scores, resamples, seed)), confidence)


def normalised(
    scores: Scores,
    low: Scores,
    high: Scores,
    statistic: Statistic = mean,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """A statistic of the scores with the mean of `low` at 0 and that of `high` at 1, task by task.

    The ends are estimates too and are resampled with the scores, paired over contexts where these are the same; a draw
    in which they come nearer to each other than `APART` counts as that far apart. Where all episodes of `scores` ended
    alike the interval is Wilson's, between ends that are taken as known.

    Raises:
        InputError: the three have different tasks.
    """
    _check_comparable(scores, low)
    _check_comparable(scores, high)

    def scaled(matrix: Floats, of_low: Floats, of_high: Floats) -> Floats:
        bottom, top = of_low.mean(axis=-2, keepdims=True), of_high.mean(axis=-2, keepdims=True)
        return np.asarray((matrix - bottom) / np.maximum(top - bottom, APART))

    ends = low.matrix(), high.matrix()
    value = float(statistic(scaled(scores.matrix(), *ends)))
    alike = _alike(scores, confidence)
    if alike is not None:
        at = [float(statistic(scaled(np.full((1, len(scores.values)), b), *ends))) for b in (alike.low, alike.high)]
        return Interval(value, at[0], at[1], "wilson")
    drawn = (resample(arm, resamples, seed) for arm in (scores, low, high))
    return _percentile(value, statistic(scaled(*drawn)), confidence)


def difference(
    a: Scores,
    b: Scores,
    statistic: Statistic = mean,
    resamples: int = RESAMPLES,
    seed: int = 0,
    confidence: float = CONFIDENCE,
) -> Interval:
    """How much higher a statistic of `a` is than that of `b`.

    Paired over contexts where both have the same. If all episodes of one arm ended alike, the two arms' own intervals
    are combined instead (Newcombe's square-and-add method, 1998): resampling would take that arm's rate as certain.

    Raises:
        InputError: the two have different tasks.
    """
    _check_comparable(a, b)
    value = float(statistic(a.matrix())) - float(statistic(b.matrix()))
    if a.constant is None and b.constant is None:
        replicates = statistic(resample(a, resamples, seed)) - statistic(resample(b, resamples, seed))
        return _percentile(value, replicates, confidence)
    of_a, of_b = (estimate(scores, statistic, resamples, seed, confidence) for scores in (a, b))
    low = value - np.hypot(of_a.value - of_a.low, of_b.high - of_b.value)
    high = value + np.hypot(of_a.high - of_a.value, of_b.value - of_b.low)
    return Interval(value, float(low), float(high), "score")


def ratio(
    a: Scores, b: Scores, resamples: int = RESAMPLES, seed: int = 0, confidence: float = CONFIDENCE
) -> Interval | None:
    """How many times as high the mean of `a` is as that of `b`; None if that of `b` is 0.

    Paired over contexts where both have the same; the upper end is infinite where resampling finds no success of `b`.
    If all episodes of one arm ended alike, the ends of the two arms' own intervals are divided, which is wider.

    Raises:
        InputError: the two have different tasks.
    """
    _check_comparable(a, b)
    over = float(mean(b.matrix()))
    if not over:
        return None
    value = float(mean(a.matrix())) / over
    if a.constant is None and b.constant is None:
        above, below = (mean(resample(scores, resamples, seed)) for scores in (a, b))
        known = (above > 0) | (below > 0)  # a draw without any success says nothing
        above, below = above[known], below[known]
        quotients = np.divide(above, below, out=np.full_like(above, np.inf), where=below > 0)
        low, high = np.quantile(quotients, [0.5 - confidence / 2, 0.5 + confidence / 2], method="nearest")
        return Interval(value, float(low), float(high))
    of_a, of_b = (estimate(scores, mean, resamples, seed, confidence) for scores in (a, b))
    return Interval(value, of_a.low / of_b.high, of_a.high / of_b.low if of_b.low else np.inf, "score")


def probability_of_improvement(
    a: Scores, b: Scores, resamples: int = RESAMPLES, seed: int = 0, confidence: float = CONFIDENCE
) -> Interval:
    """P(a run of `a` scores higher than a run of `b` on a task drawn at random), ties counting half.

    The Mann–Whitney statistic of the runs' scores on each task, averaged over tasks (Agarwal et al., section 4.3).

    Raises:
        InputError: the two have different tasks.
    """
    _check_comparable(a, b)

    def above(of_a: Floats, of_b: Floats) -> Floats:
        gaps = of_a[..., :, None, :] - of_b[..., None, :, :]
        return np.asarray(((gaps > 0) + 0.5 * (gaps == 0)).mean(axis=(-3, -2, -1)))

    value = float(above(a.matrix(), b.matrix()))
    return _percentile(value, above(resample(a, resamples, seed), resample(b, resamples, seed)), confidence)


def wilson(successes: float, trials: int, confidence: float = CONFIDENCE) -> Interval:
    """A proportion with Wilson's score interval (1927).

    Raises:
        InputError: no trials, or more successes than trials.
    """
    if trials < 1 or not 0 <= successes <= trials:
        raise InputError(f"{successes} successes of {trials} trials; give at least one trial and no more successes")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    rate = successes / trials
    centre = (rate + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z / (1 + z**2 / trials) * np.sqrt(rate * (1 - rate) / trials + z**2 / (4 * trials**2))
    return Interval(rate, max(0.0, float(centre - half)), min(1.0, float(centre + half)), "wilson")


def verdict(gap: Interval) -> Verdict:
    """What the interval of a difference allows to say: "better", "worse", or "unclear" if it holds zero."""
    if gap.low > 0:
        return "better"
    return "worse" if gap.high < 0 else "unclear"


def _alike(scores: Scores, confidence: float) -> Interval | None:
    """The success rate where all episodes ended alike, with Wilson's interval; else None."""
    constant = scores.constant
    return None if constant is None else wilson(constant * scores.contexts, scores.contexts, confidence)


def _percentile(value: float, replicates: Floats, confidence: float) -> Interval:
    low, high = np.quantile(replicates, [0.5 - confidence / 2, 0.5 + confidence / 2])
    return Interval(value, float(low), float(high))


def _check_comparable(a: Scores, b: Scores) -> None:
    if len(a.values) != len(b.values):
        raise InputError(
            f"{a.name!r} has {len(a.values)} tasks, {b.name!r} has {len(b.values)}; compare the same tasks"
        )
