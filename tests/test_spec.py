"""Specs, manifests, registries and typed configuration: round trips, hashes, and messages that help."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from typing import Any, Literal

import numpy as np
import pytest

from trunkline.envs.manifest import Manifest
from trunkline.envs.random import generator, generators
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec
from trunkline.errors import InputError
from trunkline.files import replacing
from trunkline.registry import Registry
from trunkline.schema import build, to_plain


def test_specs_survive_json():
    sensor = SensorSpec("camera", "depth", (8, 8, 4), "uint8", form={"fovy": 45.0}).with_statistics(
        np.zeros(4), np.ones(4)
    )
    action = ActionSpec("keys", (2,), choices=(3, 4))
    task = TaskSpec("a/b", 3, {"goal": [0.1, 0.2]}, "test/goal", 10)
    for spec in (sensor, action, task):
        assert type(spec).from_json(json.loads(json.dumps(spec.to_json()))) == spec
    assert task.axis == "goal" and TaskSpec.from_json(task.to_json()).id == task.id
    for changes, message in (
        ({"max_steps": 0}, "max_steps=0"),
        ({"max_steps": "5"}, "max_steps='5'"),
        ({"colour": 1}, "no field 'colour'"),
    ):
        with pytest.raises(InputError, match=message):
            TaskSpec.from_json({**task.to_json(), **changes})
    with pytest.raises(InputError, match="lacks field 'seed'"):
        TaskSpec.from_json({name: value for name, value in task.to_json().items() if name != "seed"})
    with pytest.raises(InputError, match="not finite"):
        _ = TaskSpec.from_json({**task.to_json(), "params": {"x": float("nan")}}).id


def test_sensor_difference_ignores_statistics_and_names_the_rest():
    sensor = SensorSpec("x", "proprio", (3,))
    assert sensor.difference(sensor.with_statistics(np.zeros(3), np.ones(3))) is None
    assert "shape" in str(sensor.difference(SensorSpec("x", "proprio", (4,))))


def test_manifest_round_trip_and_tampering(tmp_path):
    manifest = Manifest(tuple(sample_tasks("fake/reach", 5, 0, "train")))
    path = tmp_path / "m.json"
    manifest.save(path)
    assert Manifest.load(path).sha256 == manifest.sha256
    text = path.read_text()
    path.write_text(text.replace('"max_steps": 30', '"max_steps": 31', 1))
    with pytest.raises(InputError, match="was changed"):
        Manifest.load(path)
    path.write_text(text[:-40])
    with pytest.raises(InputError, match="truncated"):
        Manifest.load(path)
    path.write_text("{}")
    with pytest.raises(InputError, match="not a manifest"):
        Manifest.load(path)
    with pytest.raises(InputError, match="no manifest at"):
        Manifest.load(tmp_path / "none.json")
    with pytest.raises(InputError, match="twice"):
        Manifest((*manifest.tasks, manifest.tasks[0]))


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "f"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_registry_names_the_nearest_and_refuses_doubles():
    registry = Registry("widget", "trunkline.test_widgets")
    registry.register("square")(dict)
    assert registry.get("square") is dict
    with pytest.raises(InputError, match="did you mean 'square'"):
        registry.get("sqare")
    with pytest.raises(InputError, match="defined twice"):
        registry.register("square")(list)


def test_a_plug_in_whose_name_is_taken_is_reported(monkeypatch):
    points = [EntryPoint("square", "builtins:list", "trunkline.test_widgets")]
    monkeypatch.setattr("trunkline.registry.entry_points", lambda group: points)
    registry = Registry("widget", "trunkline.test_widgets")
    registry.register("square")(dict)
    assert registry.get("square") is dict and registry.names() == ["square"]
    assert "the name is taken by builtins" in registry.broken()["square"]


@dataclass(frozen=True)
class Inner:
    rate: float = 0.1
    names: tuple[str, ...] = ()
    kind: Literal["a", "b"] = "a"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Outer:
    steps: int
    inner: Inner = field(default_factory=Inner)
    note: str | None = None


def test_typed_configuration():
    built = build(Outer, {"steps": 3.0, "inner": {"rate": 1, "names": ["x"]}})
    assert built == Outer(3, Inner(1.0, ("x",)))
    assert build(Outer, to_plain(built)) == built


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 1, "inner": {"rat": 1}}, "did you mean 'inner.rate'"),
        ({}, "steps is missing"),
        ({"steps": "many"}, "steps='many' must be of type int"),
        ({"steps": True}, "must be of type int"),
        ({"steps": 10**400}, "steps=an integer of 1329 bits must be a finite number"),
        ({"steps": float("nan")}, "steps=nan must be a finite number"),
        ({"steps": 1, "inner": {"rate": float("inf")}}, "inner.rate=inf must be a finite number"),
        ({"steps": 1, "note": 2024}, "note=2024 must be of type str"),
        ({"steps": 1, "inner": {"kind": "c"}}, "unknown value of inner.kind 'c'"),
        ({"steps": 1, "inner": {"names": "x"}}, "must be a list"),
        ({"steps": 1, "inner": 3}, "must be a group"),
    ],
)
def test_typed_configuration_refuses(values, message):
    with pytest.raises(InputError, match=message):
        build(Outer, values)


@pytest.mark.parametrize(
    "key", [(), ("a",), ("a", 3), ("tabletop", "push", "train", 12345), ("a", 2**40), ("a", 1, 2, 3, 4)]
)
def test_generators_seeded_together_are_the_same_as_alone(key):
    for index, rng in enumerate(generators(*key, count=50)):
        assert rng.bit_generator.state == generator(*key, index).bit_generator.state
