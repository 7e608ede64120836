"""Gradients of many tasks combined, and sensors that agree about the same contact."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from touch_data import SMALL, write_touch

from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.combine import TrunkCombiner, make_aggregator
from trunkline.pretrain.loop import Run
from trunkline.pretrain.touch.alignment import ContactStream, info_nce, vicreg
from trunkline.pretrain.touch.config import AlignmentConfig, TouchPretrainConfig
from trunkline.pretrain.touch.corpus import open_touch_data
from trunkline.pretrain.train import pretrain
from trunkline.pretrain.workers import Workers


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


# Gradients


def step_gradients(data: str, aggregator: str | None) -> dict[str, torch.Tensor]:
    corpus = open_touch_data(data)
    config = TouchPretrainConfig(
        data, tasks=("force", "slip", "object"), agent=SMALL, batch_size=24, pairs_per_step=3, device="cpu",
        aggregator=aggregator or "equal", alignment=AlignmentConfig(0.5),
    )  # fmt: skip
    del corpus
    run = Run(config, "/nowhere", Workers.alone("cpu"))
    if aggregator is None:
        run.trainer._combiner = TrunkCombiner(run.agent, lambda jacobian: jacobian.mean(0))
    scalars = run.trainer.gradients(run._produce())
    run.close()
    gradients = {n: p.grad for n, p in run.agent.named_parameters() if p.grad is not None}
    return {"loss": scalars["loss"], **gradients}


def test_the_mean_of_the_rows_is_the_gradient_of_equal_weights(data: str) -> None:
    plain, mean = step_gradients(data, "equal"), step_gradients(data, None)
    assert plain.keys() == mean.keys()
    for name, value in plain.items():
        torch.testing.assert_close(mean[name], value, rtol=1e-4, atol=1e-6)


def test_an_aggregator_changes_the_trunk_alone(data: str) -> None:
    plain, combined = step_gradients(data, "equal"), step_gradients(data, "UPGrad")
    for name, value in plain.items():
        if name.startswith("trunk"):
            continue
        torch.testing.assert_close(combined[name], value, rtol=1e-4, atol=1e-6)
    changed = [
        n for n in plain if n.startswith("trunk") and not torch.allclose(plain[n], combined[n], rtol=1e-2, atol=1e-6)
    ]
    assert changed


@pytest.mark.parametrize("name", ["UPGrad", "DualProj", "MGDA", "PCGrad", "AlignedMTL", "IMTLG", "Mean"])
def test_aggregators_follow_no_gradient_uphill(name: str) -> None:
    aggregator = make_aggregator(name)
    assert aggregator is not None
    jacobian = torch.tensor([[-4.0, 1.0, 1.0], [6.0, 1.0, 1.0]])
    combined = aggregator(jacobian)
    if name == "UPGrad":  # the figures of torchjd's documentation
        torch.testing.assert_close(combined, torch.tensor([0.2929, 1.9004, 1.9004]), atol=1e-3, rtol=1e-3)
    if name not in ("Mean", "IMTLG", "AlignedMTL"):
        assert bool((jacobian @ combined >= -1e-2).all())


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("UPGard", {}, "did you mean 'UPGrad'"),
        ("CAGrad", {"c": 0.5}, r"pip install|aggregator='CAGrad'"),
        ("NashMTL", {"n_tasks": 3}, r"pip install|remembers"),
        ("GradVac", {}, "remembers"),
        ("MGDA", {"epsilonn": 1}, "epsilonn"),
        ("equal", {"c": 1}, "take none"),
    ],
)
def test_aggregators_that_cannot_be_had(name: str, options: dict, message: str) -> None:
    try:
        aggregator = make_aggregator(name, options)
    except InputError as error:
        assert re.search(message, str(error))
    else:
        assert name == "CAGrad" and aggregator is not None  # its solvers are installed here


# Alignment


def test_contacts_are_felt_by_two_sensors(data: str) -> None:
    corpus = open_touch_data(data)
    stream, again = ContactStream(corpus, 6, seed=1), ContactStream(corpus, 6, seed=1)
    seen = set()
    for _ in range(12):
        batch = next(stream)
        assert batch.other is not None and batch.size == len(batch.other[1]) == 6
        seen.add((batch.sensor, batch.other[0]))
    assert seen == {("blue", "pad"), ("blue", "red"), ("pad", "red")}
    again.load_state_dict({"step": 12})
    assert torch.equal(next(stream).readings, next(again).readings)
    batch = next(s for s in iter(stream.__next__, None) if (s.sensor, s.other[0]) == ("pad", "red"))
    dataset = {tuple(s.reading.ravel().tolist()): s.labels["contact_id"] for s in corpus.datasets["pad"][0].samples()}
    images = [(s.labels["contact_id"], s.reading) for s in corpus.datasets["red"][0].samples()]
    for one, two in zip(batch.readings, batch.other[1], strict=True):
        contact = dataset[tuple(one.ravel().tolist())]
        assert any(c == contact and np.array_equal(image, two.numpy()) for c, image in images)
    stream.close(), again.close()


def test_workers_align_contacts_of_their_own(data: str) -> None:
    corpus = open_touch_data(data, sensors=("red", "pad"))
    parts = [next(ContactStream(corpus, 1000, 0, rank, 2)).readings for rank in range(2)]
    assert sum(map(len, parts)) == 120
    whole = {tuple(r.ravel().tolist()) for part in parts for r in part}
    assert len(whole) == 120


def test_alignment_is_small_where_partners_agree() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(16, 8, generator=generator)
    other = torch.randn(16, 8, generator=generator)
    for loss in (lambda a, b: info_nce(a, b, 0.1), vicreg):
        assert float(loss(one, one)) < float(loss(one, other))
    with pytest.raises(InputError, match="did you mean 'infonce'"):
        AlignmentConfig(kind="infonc")


@pytest.mark.parametrize("kind", ["infonce", "vicreg"])
def test_alignment_makes_sensors_agree(data: str, tmp_path: Path, kind: Any) -> None:
    config = TouchPretrainConfig(
        data, tasks=("contact",), agent=SMALL, steps=60, batch_size=8, pairs_per_step=1, lr=2e-3, warmup=5,
        log_every=20, alignment=AlignmentConfig(1.0, kind, batch_size=24), sensors=("red", "pad"), device="cpu",
    )  # fmt: skip
    pretrain(config, tmp_path)
    rows = read_metrics(tmp_path)
    before, after = (
        {k.rpartition("/")[2]: v for k, v in row.items() if "alignment" in k} for row in (rows[0], rows[-1])
    )
    if kind == "infonce":  # cross-entropy over 24 contacts; uninformed it is log 24 = 3.2
        assert after["loss"] < 1 < 2 < before["loss"]
    else:
        assert after["agreement"] > 2 * before["agreement"]
    with pytest.raises(InputError, match="no two sensors have touches of the same contact_id"):
        pretrain(replace(config, sensors=("red",)), tmp_path / "one")
