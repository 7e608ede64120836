"""The numbers of the report: estimates, comparisons and normalised scores, each computed once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

from trunkline.rollout.report.results import Cell, Results
from trunkline.rollout.statistics import (
    RESAMPLES,
    Interval,
    Scores,
    Verdict,
    difference,
    estimate,
    interquartile_mean,
    mean,
    normalised,
    probability_of_improvement,
    ratio,
    verdict,
)

STATISTICS: dict[str, Callable[..., Any]] = {"mean": mean, "iqm": interquartile_mean}

# (arm, what it is compared with, what the comparison is about)
COMPARISONS = (
    ("pretrained_rl", "rl_scratch", "Pretraining, before RL"),
    ("imitation", "imitation_scratch", "Pretraining, before imitation"),
    ("pretrained_rl", "imitation", "RL finetuning"),
    ("pretrained_rl", "pretrained_rl_goal_masked", "Seeing the goal"),
    ("pretrained_rl", "pretrained_rl_wrong_goal", "The right goal, against a wrong one"),
    ("pretrained_rl", "expert", "Against the scripted expert"),
    ("rl_scratch", "random", "RL from scratch, against random"),
)


@dataclass(frozen=True)
class Comparison:
    """Two arms on the cells that both have.

    Attributes:
        a, b: the arms.
        of_a, of_b: their success rates there.
        gap: of_a − of_b.
        probability: P(a run of a scores higher than one of b on a random task).
        verdict: what the gap's interval allows to say about a.
        tasks: how many tasks both have.
    """

    a: str
    b: str
    of_a: Interval
    of_b: Interval
    gap: Interval
    probability: Interval
    verdict: Verdict
    tasks: int


@dataclass
class Analysis:
    """Estimates over a run's results. Every number is a function of the results, `resamples` and `seed`."""

    results: Results
    resamples: int = RESAMPLES
    seed: int = 0
    _estimates: dict[Any, dict[str, Interval]] = field(default_factory=dict)
    _normalised: dict[Any, dict[str, Interval]] = field(default_factory=dict)

    def estimate(
        self, arm: str, axis: str, task: str | None = None, metric: str = "success", statistic: str = "mean"
    ) -> Interval | None:
        """An arm's success or progress on an axis (over all its tasks, or one); None if it has no episodes there."""
        key = (arm, axis, task, metric)
        if key not in self._estimates:
            scores = self.results.scores(arm, self.results.cells_of(arm, axis, task), metric)
            self._estimates[key] = {} if scores is None else {name: self._of(scores, name) for name in STATISTICS}
        return self._estimates[key].get(statistic)

    def normalised(self, arm: str, axis: str, statistic: str = "mean") -> Interval | None:
        """Success with random at 0 and the expert at 1, task by task; None where the two are missing or not apart."""
        key = (arm, axis)
        if key not in self._normalised:
            cells = [cell for cell in self.results.cells_of(arm, axis) if self._gap(cell) is not None]
            scores, low, high = (self.results.scores(one, cells) for one in (arm, "random", "expert"))
            self._normalised[key] = {}
            if scores is not None and low is not None and high is not None:
                self._normalised[key] = {
                    name: normalised(scores, low, high, statistic, self.resamples, self.seed)
                    for name, statistic in STATISTICS.items()
                }
        return self._normalised[key].get(statistic)

    def compare(self, a: str, b: str, axis: str) -> Comparison | None:
        """Two arms on one axis; None if they share no task there."""
        cells = sorted(set(self.results.cells_of(a, axis)) & set(self.results.cells_of(b, axis)))
        of_a, of_b = self.results.scores(a, cells), self.results.scores(b, cells)
        if of_a is None or of_b is None:
            return None
        gap = difference(of_a, of_b, mean, self.resamples, self.seed)
        probability = probability_of_improvement(of_a, of_b, self.resamples, self.seed)
        return Comparison(a, b, self._of(of_a), self._of(of_b), gap, probability, verdict(gap), len(cells))

    def times(self, a: str, b: str, axis: str, task: str) -> Interval | None:
        """How many times as often `a` solves a task as `b`; None if one was not run there, or `b` never solved it."""
        cells = self.results.cells_of(a, axis, task)
        of_a, of_b = self.results.scores(a, cells), self.results.scores(b, cells)
        return None if of_a is None or of_b is None else ratio(of_a, of_b, self.resamples, self.seed)

    def _of(self, scores: Scores, statistic: str = "mean") -> Interval:
        return estimate(scores, STATISTICS[statistic], self.resamples, self.seed)

    def _rate(self, arm: str, cell: Cell) -> float | None:
        scores = self.results.scores(arm, [cell])
        return None if scores is None else float(scores.matrix().mean())

    def _gap(self, cell: Cell) -> float | None:
        """Expert − random in a cell; None unless the expert is clearly (0.1) better."""
        low, high = self._rate("random", cell), self._rate("expert", cell)
        return high - low if low is not None and high is not None and high - low > 0.1 else None


def interval_json(interval: Interval | None) -> dict[str, Any] | None:
    """An interval as it stands in report.json; an end that is infinite is null."""
    if interval is None:
        return None
    ends = {name: end if isfinite(end) else None for name, end in (("low", interval.low), ("high", interval.high))}
    return {"value": interval.value, **ends, "method": interval.method}
