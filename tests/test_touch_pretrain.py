"""Learning from labelled touch: tasks, sampling of pairs, combined gradients, alignment, exact resume, evaluation."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from touch_data import SENSORS, contacts, write_touch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, load_training
from trunkline.agents.config import AgentConfig
from trunkline.agents.t3 import t3_config
from trunkline.data.fota import FotaDataset, FotaWriter, TouchBatch
from trunkline.data.metrics import read_metrics
from trunkline.errors import InputError
from trunkline.pretrain.combine import TrunkCombiner, make_aggregator
from trunkline.pretrain.loop import Run
from trunkline.pretrain.touch.alignment import ContactStream, info_nce, vicreg
from trunkline.pretrain.touch.batch import Ask, TouchTensors, joined
from trunkline.pretrain.touch.config import AlignmentConfig, TouchPretrainConfig
from trunkline.pretrain.touch.corpus import open_touch_data, read_labels
from trunkline.pretrain.touch.evaluate import evaluate_cells, evaluate_touch
from trunkline.pretrain.touch.kinds import Regression
from trunkline.pretrain.touch.metrics import classification, overlap, pose_change, regression
from trunkline.pretrain.touch.pose import random_pairs
from trunkline.pretrain.touch.sampling import Group, Pair, PairSampler, make_groups, pair_weights
from trunkline.pretrain.touch.setup import make_tensors
from trunkline.pretrain.touch.task import make_tasks, touch_task
from trunkline.pretrain.train import pretrain, read_config
from trunkline.pretrain.workers import Workers

LABELLED = ("object", "texture", "smoothness", "force", "slip", "contact", "mask", "pose_3d", "pose_6d")
SMALL = replace(
    t3_config("nano", image=32),
    width=32, depth=1, attention_heads=2,
    encoders={
        "*:tactile_rgb": {"name": "t3", "patch": 8, "depth": 1, "heads": 2},
        "*:taxels": {"name": "taxels", "depth": 1, "heads": 2},
    },
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


@pytest.fixture
def config(data: str) -> TouchPretrainConfig:
    return TouchPretrainConfig(
        data, tasks=LABELLED, agent=SMALL, steps=4, batch_size=24, pairs_per_step=3, lr=1e-3, warmup=2, log_every=1,
        checkpoint_every=2, device="cpu", shuffle_buffer=64,
    )  # fmt: skip


def losses(folder: Path) -> list[dict[str, float]]:
    return [
        {name: value for name, value in row.items() if name not in ("samples_per_s", "data_wait")}
        for row in read_metrics(folder)
    ]


def assert_same_run(a: Path, b: Path, steps: int) -> None:
    assert losses(a)[:steps] == losses(b)[:steps]
    name = f"checkpoints/{steps:08d}"
    one, two = load_agent(a / name).state_dict(), load_agent(b / name).state_dict()
    assert one.keys() == two.keys()
    assert all(torch.equal(one[key], two[key]) for key in one)
    first, second = load_training(a / name), load_training(b / name)
    assert first["samplers"] == second["samplers"]
    for moment, tensors in first["optimiser"].items():
        assert all(torch.equal(value, second["optimiser"][moment][key]) for key, value in tensors.items())


class Interrupted(Exception):
    pass


def stop_at(step: int):
    def progress(at: int, values) -> None:
        if at == step:
            raise Interrupted

    return progress


# Learning


def test_every_task_is_learned_with_every_sensor_from_the_autoencoder_on(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, log_every=10, device="cpu", lr=2e-3, warmup=5)
    start = pretrain(TouchPretrainConfig(data, steps=20, pairs_per_step=0, batch_size=36, **options), tmp_path / "mae")
    rows = read_metrics(tmp_path / "mae")
    assert rows[-1]["loss"] < 0.9 * rows[0]["loss"]
    before = load_agent(start)
    assert {name for name in before.heads if name.startswith("mae")} == {"mae_images_192", "mae_taxels_1"}
    assert before.sensors["red"].mean is not None and before.sensors["red"].modality == "tactile_rgb"

    tasks = ("force", "mask", "pose_3d", "contact")
    config = TouchPretrainConfig(
        data, tasks=tasks, init_from=str(start), steps=100, pairs_per_step=4, batch_size=48, validation_data=data,
        **options,
    )  # fmt: skip
    checkpoint = pretrain(config, tmp_path / "tasks")
    agent = load_agent(checkpoint)
    assert set(agent.heads) == {"value", *tasks}  # the decoders stay behind
    rows = [row for row in read_metrics(tmp_path / "tasks") if "loss" in row]
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"]
    assert {"red/force/loss", "blue/mask/loss", "pad/pose_3d/loss"} <= {name for row in rows for name in row}
    measured = {(row["sensor"], row["task"]): row for row in evaluate_touch(agent, datasets(data), tasks)}
    assert set(measured) == {(s, t) for s in SENSORS for t in tasks} - {("pad", "mask")}  # taxels have no masks
    assert measured["red", "mask"]["value"] > measured["red", "mask"]["chance"] + 0.15
    assert measured["pad", "pose_3d"]["value"] > 0.4
    validation = next(row for row in read_metrics(tmp_path / "tasks") if "validation/force" in row)
    assert validation["step"] == 100
    assert validation["validation/red/mask"] == pytest.approx(measured["red", "mask"]["value"], abs=1e-6)


def datasets(data: str, split: str = "val") -> list[FotaDataset]:
    return [FotaDataset(Path(data) / name, split) for name in SENSORS]


def test_init_from_takes_trunk_and_encoders_bit_for_bit_and_later_sensors_are_fresh(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, steps=2, batch_size=8, device="cpu")
    start = pretrain(TouchPretrainConfig(data, sensors=("red",), **options), tmp_path / "mae")
    config = TouchPretrainConfig(data, tasks=("force",), init_from=str(start), **options)
    run = Run(config, tmp_path / "next", Workers.alone("cpu"))
    before = load_agent(start)
    assert set(run.agent.encoders) == set(SENSORS)
    for part in ("trunk", "encoders/red"):
        theirs = run.agent.part(part).state_dict()
        assert all(torch.equal(value, theirs[name]) for name, value in before.part(part).state_dict().items())
    assert run.agent.sensors["blue"].mean is not None
    run.close()
    with pytest.raises(InputError, match="did you mean 'trunk'"):
        pretrain(replace(config, init_parts=("trnk",)), tmp_path / "next")


def test_a_head_of_the_checkpoint_keeps_its_scale_and_must_know_all_classes(data: str, tmp_path: Path) -> None:
    options: dict[str, Any] = dict(agent=SMALL, steps=1, batch_size=8, device="cpu")
    given = {"force": {"mean": [0.0, 0.0, 1.0], "std": [2.0, 2.0, 2.0]}, "object": {"classes": 3}}
    first = TouchPretrainConfig(data, tasks=("force", "object"), task_options=given, **options)
    start = pretrain(first, tmp_path / "a")
    second = TouchPretrainConfig(data, tasks=("force",), init_from=str(start), **options)
    run = Run(second, tmp_path / "b", Workers.alone("cpu"))
    assert run.agent.heads["force"].std == (2.0, 2.0, 2.0)
    run.close()
    third = replace(second, tasks=("object",), task_options={"object": {"classes": 5}})
    with pytest.raises(InputError, match=r"head 'object' has classes=3, the data needs 5"):
        pretrain(third, tmp_path / "c")


def test_parts_are_unfrozen_when_their_time_comes(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, unfreeze={"trunk": 3}, freeze=("trunk",), tasks=("force",), checkpoint_every=1, keep=9)
    pretrain(config, tmp_path / "whole")
    weights = [load_agent(tmp_path / f"whole/checkpoints/{n:08d}").trunk.state_dict() for n in (1, 3, 4)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[1][name], weights[2][name]) for name in weights[0])
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "parts", stop_at(3))
    pretrain(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)


# Tasks


def test_a_task_is_one_class_with_its_fields(data: str) -> None:
    @touch_task("height")
    @dataclass(frozen=True)
    class Height(Regression):
        field: str = "z_mm"

    tasks = make_tasks(["height", "grasped"], {"grasped": {"task": "contact"}})
    corpus = open_touch_data(data)
    fitted = corpus.fit(tasks, corpus.pairs(tasks))
    agent = Agent(corpus.sensors, {}, SMALL)
    for name, task in fitted.items():
        task.make_heads(agent, name, agent.encoders)
    z = np.concatenate([t["z_mm"] for t in [read_labels(d, ["z_mm"]) for d in datasets(data, "train")]])
    touches = np.concatenate(
        [t["has_contact"] for t in [read_labels(d, ["has_contact"]) for d in datasets(data, "train")]]
    )
    assert agent.heads["height"].mean == pytest.approx((z[touches].mean(),), rel=1e-5)
    assert {row["task"] for row in evaluate_touch(agent, datasets(data), fitted)} == {"height", "grasped"}
    with pytest.raises(InputError, match="did you mean 'texture'"):
        make_tasks(["textur"])
    with pytest.raises(InputError, match="feild"):
        make_tasks(["object"], {"object": {"feild": "x"}})


def test_rows_without_a_label_or_a_contact_are_left_out() -> None:
    readings = np.zeros((4, 2, 2, 3), np.uint8)
    fields = {"obj_idx": np.array([0, -2, 1, 2]), "has_contact": np.array([True, True, False, True])}
    task = make_tasks(["object"], {"object": {"classes": 3}})["object"]
    made = make_tensors({"object": (task, 1.0)}, TouchBatch("red", readings, fields))
    assert made is not None and made.size == 2 and made.label == "red/object"
    assert made.asks[0].target is not None and made.asks[0].target.tolist() == [0, 2]
    none = TouchBatch("red", readings[1:3], {name: values[1:3] for name, values in fields.items()})
    assert make_tensors({"object": (task, 1.0)}, none) is None
    both = make_tensors(
        {"object": (task, 0.5), "contact": (make_tasks(["contact"])["contact"], 0.5)},
        TouchBatch("red", readings, fields),
    )
    assert both is not None and (both.size, both.label, both.tasks) == (4, "red", ["red/object", "red/contact"])
    assert both.asks[0].rows is not None and both.asks[0].rows.tolist() == [0, 3] and both.asks[1].rows is None
    with pytest.raises(InputError, match="is 7, but there are 3 classes"):
        task.target(fields | {"obj_idx": np.array([0, 1, 7, 2])}, None)


def test_targets_of_two_touches_are_the_change_between_them() -> None:
    one, two = contacts(1, seed=3)[:2]
    fields = [
        {k: np.array([v]) for k, v in touch.items() if k.endswith("_mm") or k.startswith("quat")}
        for touch in (one, two)
    ]
    task = make_tasks(["pose_6d"])["pose_6d"]
    target, valid = task.target(*fields)
    shift = np.array([two[n] - one[n] for n in ("x_mm", "y_mm", "z_mm")])
    angle = 2 * np.arctan2(one["quat_z"], one["quat_w"])
    turn = np.array([[np.cos(angle), np.sin(angle), 0], [-np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    np.testing.assert_allclose(target[0], [*(turn @ shift), 1, 0, 0, 0, 1, 0], atol=1e-5)
    assert valid.tolist() == [True]


def test_metrics() -> None:
    right = classification(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert (right.value, right.chance, right.others["accuracy"]) == (0.75, 0.5, 0.75)
    target = np.random.default_rng(0).standard_normal((200, 2))
    assert regression(target, target).value == 1
    assert regression(np.broadcast_to(target.mean(0), target.shape), target).value == pytest.approx(0)
    still = np.concatenate([target, np.ones((200, 1))], 1)  # what does not vary cannot be explained
    assert regression(still * 0.5, still).value == pytest.approx(0.75, abs=0.02)
    mask = np.zeros((10, 4, 4), bool)
    mask[:, :2] = True
    mask[5:, 2] = True
    assert overlap(mask, mask).value == 1
    assert overlap(mask, mask).chance == pytest.approx((1 + 2 / 3) / 2)
    same = np.tile([0, 0, 0, 1, 0, 0, 0, 1, 0], (5, 1)).astype(float)
    turned = np.tile([3, 4, 0, 0, 1, 0, -1, 0, 0], (5, 1)).astype(float)
    others = pose_change(turned, same).others
    assert others["translation_rmse_mm"] == pytest.approx(5) and others["rotation_error_deg"] == pytest.approx(90)


def test_partners_are_others_of_the_trial() -> None:
    trial = np.array([3, 1, 3, 2, 1, 3])
    first, second = random_pairs(trial)
    assert sorted(first.tolist()) == [0, 1, 2, 4, 5]
    assert (trial[first] == trial[second]).all() and (first != second).all()


# Sampling


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


def test_alignment_makes_sensors_agree(data: str, tmp_path: Path) -> None:
    config = TouchPretrainConfig(
        data, tasks=("contact",), agent=SMALL, steps=60, batch_size=8, pairs_per_step=1, lr=2e-3, warmup=5,
        log_every=20, alignment=AlignmentConfig(1.0, batch_size=24), sensors=("red", "pad"), device="cpu",
    )  # fmt: skip
    pretrain(config, tmp_path)
    rows = read_metrics(tmp_path)
    assert rows[-1]["pad+red/alignment/agreement"] > 2 * rows[0]["pad+red/alignment/agreement"]
    with pytest.raises(InputError, match="no two sensors have touches of the same contact_id"):
        pretrain(replace(config, sensors=("red",)), tmp_path / "one")


# Whole runs


@pytest.mark.parametrize("aggregator, shared", [("equal", True), ("UPGrad", False), ("PCGrad", False)])
def test_two_steps_and_two_more_are_four(
    config: TouchPretrainConfig, tmp_path: Path, aggregator: str, shared: bool
) -> None:
    config = replace(
        config,
        share_touches=shared,
        tasks=(*LABELLED, "mae"),
        aggregator=aggregator,
        alignment=AlignmentConfig(0.3),
        hold_out=(("red", "force"),),
    )
    pretrain(config, tmp_path / "whole")
    with pytest.raises(Interrupted):
        pretrain(config, tmp_path / "parts", stop_at(3))  # the checkpoint is of step 2
    pretrain(config, tmp_path / "parts")
    assert_same_run(tmp_path / "whole", tmp_path / "parts", 4)
    assert not any(name.startswith("red/force") for row in losses(tmp_path / "whole") for name in row)


def test_recomputing_blocks_changes_no_loss(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, tasks=("force", "mae"))
    pretrain(config, tmp_path / "plain")
    pretrain(replace(config, checkpointing=True), tmp_path / "recomputed")
    kept, recomputed = ([row["loss"] for row in losses(tmp_path / name)] for name in ("plain", "recomputed"))
    np.testing.assert_allclose(kept, recomputed, rtol=1e-5)
    plain = AgentConfig(width=32, encoders={"*": {"name": "conv"}})
    with pytest.raises(InputError, match="checkpointing=true"):
        pretrain(replace(config, tasks=("force",), sensors=("red",), agent=plain, checkpointing=True), tmp_path / "x")


KILLED = """
import json, sys
from trunkline.pretrain.train import pretrain, read_config

def progress(step, values):
    assert "ray" not in sys.modules

pretrain(read_config(json.loads(sys.argv[1])), sys.argv[2], progress)
"""


def test_a_killed_run_goes_on_bit_for_bit_and_needs_no_ray(config: TouchPretrainConfig, tmp_path: Path) -> None:
    config = replace(config, steps=400, checkpoint_every=7, aggregator="UPGrad", decoders=1, batch_size=6, threads=1)
    command = [sys.executable, "-c", KILLED, json.dumps(config.to_json()), str(tmp_path / "killed")]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
    deadline = time.monotonic() + 60
    while len(read_metrics(tmp_path / "killed")) < 9 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = len(read_metrics(tmp_path / "killed"))
    for name in ("killed", "whole"):
        with pytest.raises(Interrupted):
            pretrain(config, tmp_path / name, stop_at(resumed + 8))
    assert_same_run(tmp_path / "whole", tmp_path / "killed", (resumed + 7) // 7 * 7)


def test_readings_that_are_not_finite_stop_the_run_and_are_named(config: TouchPretrainConfig, tmp_path: Path) -> None:
    with FotaWriter(tmp_path / "data" / "pad", "train", SENSORS["pad"]) as writer:
        for i, touch in enumerate(contacts(4)):
            reading = np.full(SENSORS["pad"].shape, 1e38 if i == 9 else 0.1 * i, np.float32)
            writer.add(str(i), reading, touch)
    config = replace(config, data=str(tmp_path / "data"), tasks=("force",), lr=1e30, clip=0.0, steps=50, warmup=0)
    with pytest.raises(InputError, match=r"(loss|grad_norm) is (nan|inf) at step \d+, on a batch of pad/force"):
        pretrain(config, tmp_path / "run")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"data": "/nowhere"}, "/nowhere"),
        ({"split": "tset"}, "no data set in .* has a split"),
        ({"sensors": ("rde",)}, "did you mean 'red'"),
        ({"tasks": ("forse",)}, "did you mean 'force'"),
        ({"hold_out": (("rde", "force"),)}, "did you mean 'red'"),
        ({"hold_out": (("red", "*"), ("blue", "*"), ("pad", "*"))}, "no sensor to learn from"),
        ({"pair_weights": {"blue/fore": 1.0}}, "did you mean 'blue/force'"),
        ({"batch_size": 2}, "raise batch_size"),
        ({"aggregator": "upgrad"}, "did you mean 'UPGrad'"),
        ({"init_from": "/nowhere"}, "no checkpoint"),
        ({"unfreeze": {"trunck": 3}}, "did you mean 'trunk'"),
        ({"unfreeze": {"trunk": 2, "encoders": 2, "heads": 2}}, "nothing learns before update 2"),
        ({"workers": 2}, "needs a running Ray"),
    ],
)
def test_bad_input_is_named_and_writes_nothing(
    config: TouchPretrainConfig, tmp_path: Path, change: dict, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        pretrain(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_configurations_survive_json() -> None:
    config = TouchPretrainConfig(
        "d",
        size="nano",
        tasks=("force",),
        hold_out=(("red", "force"),),
        alignment=AlignmentConfig(0.5),
        unfreeze={"trunk": 9},
    )
    assert read_config(json.loads(json.dumps(config.to_json()))) == config
    assert config.architecture.trunk == "t3"
    for bad, message in (
        ({"task": ["force"]}, "did you mean 'tasks'"),
        ({"hold_out": [["red"]]}, "2 items"),
        ({"tasks": ["force", "force"]}, "twice"),
        ({"size": "nani"}, "did you mean 'nano'"),
        ({"hold_out": [["red", "forc"]], "tasks": ["force"]}, "did you mean 'force'"),
    ):
        with pytest.raises(InputError, match=message):
            read_config({"data": "d", "objective": "touch", **bad})


# Evaluation


def test_cells_measure_and_resample_by_trial(data: str) -> None:
    corpus = open_touch_data(data, "val")
    tasks = corpus.fit(
        make_tasks(["force", "object", "pose_3d"]), corpus.pairs(make_tasks(["force", "object", "pose_3d"]))
    )
    agent = Agent(corpus.sensors, {}, SMALL)
    for name, task in tasks.items():
        task.make_heads(agent, name, agent.encoders)
    agent.train()
    cells = evaluate_cells(agent, datasets(data), tasks)
    assert agent.training and len(cells) == 9
    cell = cells[0]
    assert cell.row() | {"sensor": "red", "metric": "r2", "chance": 0.0, "trials": 15} == cell.row()
    draws = cell.resample(50)
    assert len(draws) == 50 and abs(draws.mean() - cell.measure().value) < 3 * draws.std() + 1e-6
    again = evaluate_cells(agent, datasets(data), tasks, batch_size=7)
    assert [c.row()["n"] for c in again] == [c.row()["n"] for c in cells]
    np.testing.assert_allclose(again[0].predicted, cell.predicted, atol=1e-5)
    few = evaluate_touch(agent, datasets(data), tasks, limit=10)
    assert {row["n"] for row in few} == {10}
    borrowed = evaluate_cells(agent, [datasets(data)[1]], {"force": tasks["force"]}, through="red")[0]
    assert borrowed.sensor == "blue" and not np.allclose(borrowed.predicted, cells[3].predicted)
    with pytest.raises(InputError, match="did you mean 'red'"):
        evaluate_touch(agent, datasets(data), tasks, through="rde")


# Many workers


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray.data.context")  # Ray Train makes a default one
def test_two_workers_combine_gradients_alike(config: TouchPretrainConfig, tmp_path: Path, ray_session: None) -> None:
    config = replace(
        config, workers=2, steps=6, checkpoint_every=3, aggregator="PCGrad", tasks=("force", "slip"),
        unfreeze={"trunk": 2}, alignment=AlignmentConfig(0.5),
    )  # fmt: skip
    checkpoint = pretrain(config, tmp_path)
    rows = read_metrics(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, 7))
    assert len(load_training(checkpoint)["samplers"]) == 2
