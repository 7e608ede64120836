"""Batches of many tasks: how often each is drawn, what it counts, exact resume."""

import json

import numpy as np
import pytest
import torch
from points import GOAL

from trunkline.data.stream import Batch
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError
from trunkline.pretrain.batch import merge
from trunkline.pretrain.corpus import pool_statistics
from trunkline.pretrain.prefetch import prefetched
from trunkline.pretrain.sampling import MultiTaskSampler, TaskSource, task_weights


class Counting:
    """A stream of batches that say which task they are of and their number."""

    def __init__(self, task: str, action: str = "arm") -> None:
        self.task, self.action, self.count = task, action, 0

    def __next__(self) -> Batch:
        self.count += 1
        return Batch(
            self.action,
            self.task,
            {"touch": np.full((2, 1), self.count, np.float32)},
            None,
            np.zeros((2, 1), np.float32),
        )

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]


def sampler(mode: str = "mixed", weights="proportional", tasks_per_step: int = 0) -> MultiTaskSampler:
    sources = [
        TaskSource(t, n, Counting(t, a)) for t, n, a in (("a", 100, "arm"), ("b", 300, "arm"), ("c", 600, "leg"))
    ]
    return MultiTaskSampler(sources, mode, weights, tasks_per_step, seed=3)


def drawn(source: MultiTaskSampler, steps: int) -> list[list[tuple[str, int, float]]]:
    return [[(b.task, int(b.observations["touch"][0, 0]), w) for b, w in source.next()] for _ in range(steps)]


def test_task_weights() -> None:
    frames = [100, 400]
    assert task_weights(["a", "b"], frames, "uniform").tolist() == [0.5, 0.5]
    np.testing.assert_allclose(task_weights(["a", "b"], frames, "sqrt"), [1 / 3, 2 / 3])
    np.testing.assert_allclose(task_weights(["a", "b"], frames, "proportional"), [0.2, 0.8])
    np.testing.assert_allclose(task_weights(["a", "b"], frames, {"a": 3, "b": 1}), [0.75, 0.25])
    for bad, message in (
        ({"a": 1, "bb": 1}, "mean 'b'"),
        ({"a": 1}, "'b' has no weight"),
        ({"a": -1, "b": 1}, "at least 0"),
    ):
        with pytest.raises(InputError, match=message):
            task_weights(["a", "b"], frames, bad)
    with pytest.raises(InputError, match="mean 'sqrt'"):
        task_weights(["a", "b"], frames, "sqr")


@pytest.mark.parametrize("mode,per_step", [("mixed", 0), ("mixed", 2), ("single", 0)])
def test_each_task_counts_as_much_as_its_weight(mode: str, per_step: int) -> None:
    total: dict[str, float] = dict.fromkeys("abc", 0.0)
    for draws in drawn(sampler(mode, tasks_per_step=per_step), 2000):
        assert sum(w for *_, w in draws) == pytest.approx(1)
        for task, _, weight in draws:
            total[task] += weight / 2000
    assert total == pytest.approx({"a": 0.1, "b": 0.3, "c": 0.6}, abs=0.03)


@pytest.mark.parametrize("mode,per_step", [("mixed", 2), ("single", 0)])
def test_the_sampler_resumes_exactly(mode: str, per_step: int) -> None:
    whole = drawn(sampler(mode, tasks_per_step=per_step), 20)
    first = sampler(mode, tasks_per_step=per_step)
    drawn(first, 8)
    second = sampler(mode, tasks_per_step=per_step)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert drawn(second, 12) == whole[8:]


def test_tasks_of_a_body_share_a_forward_pass_and_keep_their_weights() -> None:
    actions = {"arm": ActionSpec("arm", (1,)), "leg": ActionSpec("leg", (1,))}
    arm, leg = merge(sampler().next(), actions)
    assert (arm.size, leg.size, arm.tasks, arm.share, leg.share) == (4, 2, ["a", "b"], pytest.approx(0.4), 0.6)
    assert arm.mean(torch.tensor([1.0, 1, 5, 5])) == pytest.approx(0.25 * 1 + 0.75 * 5)
    assert leg.weights is None
    values = torch.arange(8.0).reshape(4, 2)
    uniform = merge(sampler(weights="uniform").next(), actions)[0]
    assert torch.equal(uniform.mean(values), values.mean(0))


def test_statistics_are_pooled_over_bodies() -> None:
    generator = np.random.default_rng(0)
    parts = [generator.normal(m, 1 + m, (n, 2)) for m, n in ((0, 100), (4, 300))]
    sensors = [(GOAL.with_statistics(p.mean(0), p.std(0)), len(p)) for p in parts]
    pooled = pool_statistics(sensors)
    np.testing.assert_allclose(pooled.mean, np.concatenate(parts).mean(0))
    np.testing.assert_allclose(pooled.std, np.concatenate(parts).std(0))
    with pytest.raises(InputError, match="shape"):
        pool_statistics([sensors[0], (SensorSpec("goal", "goal", (3,), units="m"), 5)])


def test_prefetching_makes_exactly_as_many_calls_and_passes_errors_on() -> None:
    calls = iter(range(100))
    assert [item for item, _ in prefetched(lambda: next(calls), 5)] == list(range(5))
    assert next(calls) == 5

    def broken() -> int:
        raise InputError("no such frame")

    with pytest.raises(InputError, match="no such frame"):
        list(prefetched(broken, 3))
