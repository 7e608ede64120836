"""Batches of (sensor, task) pairs: how often each is drawn, what it counts, what is held out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from touch_data import SMALL, write_touch

from trunkline.data.fota import TouchBatch
from trunkline.errors import InputError
from trunkline.pretrain.loop import Run
from trunkline.pretrain.touch.batch import Ask, TouchTensors, joined
from trunkline.pretrain.touch.config import TouchPretrainConfig
from trunkline.pretrain.touch.corpus import open_touch_data
from trunkline.pretrain.touch.sampling import Group, Pair, PairSampler, make_groups, pair_weights
from trunkline.pretrain.touch.task import make_tasks
from trunkline.pretrain.workers import Workers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


class Counting:
    """A stream of batches that say whose they are and their number."""

    def __init__(self, sensor: str) -> None:
        self.sensor, self.count = sensor, 0

    def __next__(self) -> TouchBatch:
        self.count += 1
        return TouchBatch(self.sensor, np.full((2, 1), self.count, np.float32), {})

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state: dict) -> None:
        self.count = state["count"]

    def close(self) -> None:
        pass


PAIRS = [Pair("red", "force", 100), Pair("red", "slip", 100), Pair("blue", "force", 900)]


def make_batch(group: Group, batch: TouchBatch, share: float) -> TouchTensors:
    asks = tuple(Ask(task, weight=weight) for task, weight in group.tasks)
    return TouchTensors(batch.sensor, torch.from_numpy(batch.readings), asks, share=share)


def sampler(weights="sqrt", draws: int = 2, together: bool = False) -> PairSampler:
    streams = {name: Counting(name) for name in ("red", "blue")}
    groups = make_groups(PAIRS, [p.sensor for p in PAIRS], pair_weights(PAIRS, weights), [together] * len(PAIRS))
    return PairSampler(groups, streams, make_batch, draws, seed=5)


def test_pair_weights() -> None:
    np.testing.assert_allclose(pair_weights(PAIRS, "sqrt"), [0.2, 0.2, 0.6])
    np.testing.assert_allclose(pair_weights(PAIRS, "uniform"), [1 / 3] * 3)
    np.testing.assert_allclose(pair_weights(PAIRS, {"force": 2.0, "red/force": 3.0, "blue": 0.5}), [0.75, 0.125, 0.125])
    for bad, message in (
        ({"blu": 1.0}, "mean 'blue'"),
        ({"red": -1.0}, "at least 0"),
        ({"red": 0.0, "blue": 0.0}, "nothing"),
    ):
        with pytest.raises(InputError, match=message):
            pair_weights(PAIRS, bad)


@pytest.mark.parametrize("draws, together", [(0, False), (1, False), (2, True), (4, False)])
def test_each_pair_counts_as_much_as_its_weight(draws: int, together: bool) -> None:
    total: dict[str, float] = {}
    source = sampler(draws=draws, together=together)
    for _ in range(1500):
        step = source.next()
        assert sum(batch.share for batch in step) == pytest.approx(1)
        for batch in step:
            assert len(batch.asks) == (2 if together and batch.sensor == "red" else 1)
            for name, ask in zip(batch.tasks, batch.asks, strict=True):
                total[name] = total.get(name, 0) + batch.share * ask.weight / 1500
    assert total == pytest.approx({"red/force": 0.2, "red/slip": 0.2, "blue/force": 0.6}, abs=0.03)


def test_the_sampler_resumes_exactly() -> None:
    def drawn(source: PairSampler, steps: int) -> list:
        return [[(b.label, float(b.readings[0]), b.share) for b in source.next()] for _ in range(steps)]

    whole = drawn(sampler(), 20)
    first, second = sampler(), sampler()
    drawn(first, 8)
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    assert drawn(second, 12) == whole[8:]


def test_a_pair_drawn_twice_is_one_batch_of_twice_the_share() -> None:
    step = sampler(draws=4).next()
    together = joined(step)
    assert len({batch.label for batch in together}) == len(together) < 4
    assert sum(batch.share for batch in together) == pytest.approx(1)
    assert sum(batch.size for batch in together) == sum(batch.size for batch in step)


def test_tasks_that_share_touches_have_the_losses_they_have_alone(data: str) -> None:
    config = TouchPretrainConfig(
        data, tasks=("force", "object", "contact", "mask"), sensors=("red",), agent=SMALL, batch_size=12,
        pairs_per_step=1, device="cpu", share_touches=True,
    )  # fmt: skip
    run = Run(config, "/nowhere", Workers.alone("cpu"))
    batch = run._produce()[0]
    run.close()
    assert [ask.task for ask in batch.asks] == ["force", "object", "contact", "mask"]
    run.agent.eval()
    together = run.trainer.objective(run.agent, batch)
    for ask in batch.asks:
        rows = slice(None) if ask.rows is None else ask.rows
        alone = replace(batch, readings=batch.readings[rows], asks=(replace(ask, rows=None),))
        loss = run.trainer.objective(run.agent, alone)["loss"]
        torch.testing.assert_close(together[f"{ask.task}/loss"], loss, rtol=1e-4, atol=1e-6)
    shares = sum(ask.weight * together[f"{ask.task}/loss"] for ask in batch.asks)
    torch.testing.assert_close(together["loss"], shares)


def test_held_out_pairs_are_never_sampled_and_unlabelled_sensors_still_teach(data: str) -> None:
    tasks = make_tasks(["force", "slip", "mae"])
    corpus = open_touch_data(data)
    pairs = corpus.pairs(tasks, (("red", "force"), ("blue", "*")))
    names = {pair.name for pair in pairs}
    assert names == {"red/slip", "red/mae", "blue/mae", "pad/force", "pad/slip", "pad/mae"}
    with pytest.raises(InputError, match="did you mean 'blue'"):
        corpus.pairs(tasks, (("blu", "force"),))


def test_pairs_need_labels(tmp_path: Path) -> None:
    write_touch(tmp_path, ("red", "blue"), {"train": 5}, without={"blue": ("force_n",)})
    corpus = open_touch_data(tmp_path)
    assert {p.name for p in corpus.pairs(make_tasks(["force", "slip"]))} == {"red/force", "red/slip", "blue/slip"}
    with pytest.raises(InputError, match="'wear': no data set has labels wear_grade"):
        corpus.pairs(make_tasks(["wear"], {"wear": {"task": "force", "field": "wear_grade"}}))
