"""The statistics against closed forms, scipy, and their own coverage on made-up runs."""

import numpy as np
import pytest
from scipy import stats

from trunkline.errors import InputError
from trunkline.rollout.statistics import (
    Interval,
    Scores,
    difference,
    estimate,
    interquartile_mean,
    mean,
    normalised,
    probability_of_improvement,
    ratio,
    resample,
    verdict,
    wilson,
)


def bernoulli(name, rates, contexts, rng):
    """Runs (S, T) of success rates, played out in `contexts` contexts each."""
    values = tuple(
        (rng.random((len(rates), contexts)) < rates[:, t, None]).astype(float) for t in range(rates.shape[1])
    )
    return Scores(name, values, tuple(f"task{t}" for t in range(rates.shape[1])))


def test_iqm_is_the_trimmed_mean_of_the_paper():
    assert interquartile_mean(np.array([[0.0, 1, 2, 3], [4, 5, 6, 100]])) == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert interquartile_mean(np.array([[1.0, 2.0, 6.0]])) == pytest.approx(3.0)  # too few to trim
    rng = np.random.default_rng(0)
    for shape in [(1, 1), (5, 7), (3, 2), (10, 1)]:
        scores = rng.random(shape)
        assert interquartile_mean(scores) == pytest.approx(stats.trim_mean(scores, 0.25, axis=None))


def test_statistics_work_over_leading_axes():
    stack = np.random.default_rng(1).random((6, 3, 4))
    for statistic in (mean, interquartile_mean):
        assert statistic(stack) == pytest.approx([float(statistic(matrix)) for matrix in stack])


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (3, 10), (10, 10), (81, 263)])
def test_wilson_equals_scipy(successes, trials):
    ours = wilson(successes, trials)
    theirs = stats.binomtest(successes, trials).proportion_ci(method="wilson")
    assert (ours.value, ours.low, ours.high) == pytest.approx((successes / trials, theirs.low, theirs.high), abs=1e-9)


def test_wilson_refuses_nonsense():
    for successes, trials in [(1, 0), (5, 4), (-1, 4)]:
        with pytest.raises(InputError, match="trials"):
            wilson(successes, trials)


def test_one_run_resamples_its_episodes():
    """A single run's interval is that of a binomial proportion, so close to Wilson's in the middle of the range."""
    values = np.zeros((1, 400))
    values[0, :160] = 1
    interval = estimate(Scores("a", (values,), ("t",)))
    reference = wilson(160, 400)
    assert interval.value == pytest.approx(0.4)
    assert (interval.low, interval.high) == pytest.approx((reference.low, reference.high), abs=0.012)
    replicates = resample(Scores("a", (values,), ("t",)))
    assert replicates.mean() == pytest.approx(0.4, abs=0.003)
    assert replicates.std() == pytest.approx(np.sqrt(0.4 * 0.6 / 400), rel=0.06)


def test_runs_are_resampled_together_over_tasks():
    """Runs that are good at everything or at nothing leave a wide interval, however many tasks there are."""
    rates = np.array([[0.0] * 8, [1.0] * 8, [0.0] * 8, [1.0] * 8])
    values = tuple(np.repeat(rates[:, t, None], 10, axis=1) for t in range(8))
    keys = tuple(map(str, range(8)))
    together = mean(resample(Scores("a", values, keys)))
    apart = mean(resample(Scores("a", values, keys, shared_runs=False)))
    assert together.std() == pytest.approx(0.25, rel=0.06)
    assert apart.std() == pytest.approx(0.25 / np.sqrt(8), rel=0.06)


def test_every_resample_keeps_the_strata():
    """Tasks are strata: one that always succeeds beside one that never does has no spread in the mean over both."""
    replicates = mean(resample(Scores("a", (np.ones((1, 9)), np.zeros((1, 30))), ("t", "u"))))
    assert np.ptp(replicates) == 0 and replicates[0] == 0.5


@pytest.mark.parametrize("runs", [1, 5, 10])
def test_coverage(runs):
    """95% intervals hold the true rate about 95% of the time (few runs: less, as for any percentile bootstrap)."""
    rng = np.random.default_rng(runs)
    truth = np.array([0.3, 0.5, 0.8])
    held = 0
    for trial in range(150):
        spread = rng.normal(0, 0.05 if runs > 1 else 0.0, (runs, 1))  # a run is good or bad at all its tasks
        interval = estimate(bernoulli("a", np.clip(truth + spread, 0, 1), 40, rng), resamples=400, seed=trial)
        held += interval.low <= truth.mean() <= interval.high
    assert held / 150 >= 0.9


def test_a_seed_decides_the_interval():
    scores = bernoulli("a", np.full((3, 2), 0.5), 20, np.random.default_rng(0))
    assert estimate(scores, seed=4) == estimate(scores, seed=4)
    assert (resample(scores, seed=4) != resample(scores, seed=5)).any()


def test_all_alike_gets_wilson_instead_of_certainty():
    interval = estimate(Scores("a", (np.ones((3, 10)), np.ones((3, 10))), ("t", "u")))
    reference = wilson(20, 20)  # contexts, not episodes: the three runs share them
    assert interval == Interval(1.0, reference.low, 1.0, "wilson")


def test_normalised_scores():
    """Random at 0 and the expert at 1, task by task."""

    def arm(name, *rates, contexts=40, tasks="tu"):
        rows = [np.arange(contexts)[None] < rate * contexts for rate in rates]
        return Scores(name, tuple(row.astype(float) for row in rows), tuple(tasks[: len(rates)]))

    low, high = arm("random", 0.0, 0.25), arm("expert", 0.5, 1.0)
    interval = normalised(arm("a", 0.25, 0.5), low, high)
    assert interval.value == pytest.approx((0.25 / 0.5 + 0.25 / 0.75) / 2)
    # The ends are estimates as well, which leaves more open where they are of other contexts.
    mine = arm("a", 0.25, 0.5)
    known = np.quantile(((resample(mine) - [0.0, 0.25]) / [0.5, 0.75]).mean(axis=(-2, -1)), [0.025, 0.975])
    apart = normalised(mine, arm("random", 0.0, 0.25, tasks="vw"), arm("expert", 0.5, 1.0, tasks="vw"))
    assert apart.value == interval.value
    assert apart.high - apart.low > 1.05 * (known[1] - known[0])
    assert normalised(high, low, high).low == 1.0 and normalised(low, low, high).high == 0.0
    worst = normalised(arm("a", 0.0), arm("random", 0.2), arm("expert", 1.0))
    assert worst.low == pytest.approx(-0.25) and worst.high == pytest.approx((wilson(0, 40).high - 0.2) / 0.8)
    near = normalised(arm("a", 0.5, contexts=4), arm("random", 0.25, contexts=4), arm("expert", 0.75, contexts=4))
    assert np.isfinite([near.low, near.high]).all()


def test_lost_episodes_are_left_out():
    values = np.array([[1.0, np.nan, 0.0, 1.0], [1.0, 1.0, np.nan, 1.0]])
    scores = Scores("a", (values,), ("t",))
    assert scores.matrix()[:, 0] == pytest.approx([2 / 3, 1.0])
    assert np.isfinite(resample(scores)).all()
    with pytest.raises(InputError, match="no episode"):
        Scores("a", (np.array([[np.nan], [1.0]]),), ("t",))


def test_differences_are_paired_over_contexts():
    """Two arms that fail in the same contexts differ by little, whatever the contexts drawn."""
    rng = np.random.default_rng(3)
    hard = (rng.random((1, 100)) < 0.5).astype(float)
    better = np.maximum(hard, rng.random((1, 100)) < 0.1)
    gap = difference(Scores("a", (better,), ("t",)), Scores("b", (hard,), ("t",)))
    unpaired = difference(Scores("a", (better,), ("t",)), Scores("b", (hard,), ("u",)))
    assert gap.value == pytest.approx(unpaired.value)
    assert gap.high - gap.low < 0.5 * (unpaired.high - unpaired.low)


def test_verdicts_follow_the_interval():
    rng = np.random.default_rng(5)
    strong, weak, same = (
        bernoulli(name, np.full((3, 2), rate), 60, rng) for name, rate in [("a", 0.8), ("b", 0.4), ("c", 0.8)]
    )
    assert verdict(difference(strong, weak)) == "better"
    assert verdict(difference(weak, strong)) == "worse"
    assert verdict(difference(strong, same)) == "unclear"


def test_a_few_successes_against_none_prove_nothing():
    """Resampling takes none of 20 as certainly none; the score interval does not."""
    none, few = np.zeros((1, 20)), np.zeros((1, 20))
    few[0, :4] = 1
    gap = difference(Scores("a", (few,), ("t",)), Scores("b", (none,), ("t",)))
    assert gap.method == "score" and verdict(gap) == "unclear"
    assert verdict(difference(Scores("a", (np.ones((1, 20)),), ("t",)), Scores("b", (none,), ("t",)))) == "better"


def test_ratios_cover_the_truth_and_know_when_there_is_none():
    rng = np.random.default_rng(11)
    inside = 0
    for _ in range(60):
        a, b = (bernoulli(name, np.full((1, 1), rate), 80, rng) for name, rate in [("a", 0.6), ("b", 0.2)])
        interval = ratio(a, b, resamples=400)
        assert interval.value == pytest.approx(a.matrix().mean() / b.matrix().mean())
        inside += interval.low <= 3.0 <= interval.high
    assert inside >= 51
    none, one, every = np.zeros((1, 20)), np.zeros((1, 20)), np.ones((1, 20))
    one[0, 3] = 1
    of = {name: Scores(name, (values,), ("t",)) for name, values in [("none", none), ("one", one), ("every", every)]}
    assert ratio(of["one"], of["none"]) is None
    rare = ratio(Scores("a", (1 - one,), ("t",)), of["one"])
    assert rare.value == pytest.approx(19) and rare.low < 19 and rare.high == np.inf
    even = ratio(of["one"], Scores("b", (one,), ("t",)))
    assert (even.value, even.low, even.high) == (1, 1, 1)
    elsewhere = ratio(of["one"], Scores("b", (one[:, ::-1],), ("t",)))
    assert elsewhere.value == 1 and elsewhere.low == 0 and elsewhere.high == np.inf
    full = ratio(of["every"], of["one"])
    assert full.method == "score" and full.low < 20 < full.high
    assert ratio(of["none"], of["one"]).value == 0


def test_probability_of_improvement_is_mann_whitney():
    rng = np.random.default_rng(7)
    a, b = bernoulli("a", rng.random((5, 3)), 30, rng), bernoulli("b", rng.random((4, 3)), 30, rng)
    expected = np.mean([stats.mannwhitneyu(a.matrix()[:, t], b.matrix()[:, t]).statistic / (5 * 4) for t in range(3)])
    interval = probability_of_improvement(a, b)
    assert interval.value == pytest.approx(expected)
    assert interval.low <= interval.value <= interval.high
    assert probability_of_improvement(a, a).value == 0.5


def test_comparing_different_tasks_is_refused():
    one, two = Scores("a", (np.ones((1, 2)),), ("t",)), Scores("b", (np.ones((1, 2)),) * 2, ("t", "u"))
    with pytest.raises(InputError, match="same tasks"):
        difference(one, two)
