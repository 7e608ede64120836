"""Touch tasks: their targets, their metrics, and the evaluation of an agent on them."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from touch_data import SMALL, contacts, datasets, write_touch

from trunkline.agents.agent import Agent
from trunkline.data.fota import TouchBatch
from trunkline.errors import InputError
from trunkline.pretrain.touch.corpus import open_touch_data, read_labels
from trunkline.pretrain.touch.evaluate import evaluate_cells, evaluate_touch
from trunkline.pretrain.touch.kinds import Regression
from trunkline.pretrain.touch.metrics import classification, overlap, pose_change, regression
from trunkline.pretrain.touch.pose import random_pairs
from trunkline.pretrain.touch.setup import make_tensors
from trunkline.pretrain.touch.task import make_tasks, touch_task


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(write_touch(tmp_path_factory.mktemp("touch"), trials={"train": 30, "val": 15}))


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


def test_labels_that_no_sample_has_usable_are_named(tmp_path: Path) -> None:
    write_touch(tmp_path, ("red", "blue"), {"train": 5})
    for shard in (tmp_path / "red" / "train").glob("*.tar"):
        text = shard.read_bytes()
        shard.write_bytes(re.sub(rb'"force_n": \[([^,]*)', lambda m: b'"force_n": [' + b"NaN".ljust(len(m[1])), text))
    corpus = open_touch_data(tmp_path)
    tasks = make_tasks(["force", "slip"])
    with pytest.raises(InputError, match=r"red: no sample has a usable label force_n of task 'force'; .*\[red,force\]"):
        corpus.fit(tasks, corpus.pairs(tasks))
    corpus.fit(tasks, corpus.pairs(tasks, (("red", "force"),)))


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
