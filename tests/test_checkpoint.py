"""Checkpoints: round trips, strict and partial loading, crashes, bad files, training state."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, load_into, load_training, save_agent, save_training
from trunkline.agents.config import AgentConfig
from trunkline.envs.spec import ActionSpec, SensorSpec
from trunkline.errors import InputError

SENSORS = {
    "proprio": SensorSpec("proprio", "proprio", (5,), mean=(1.0,) * 5, std=(2.0,) * 5),
    "camera": SensorSpec("camera", "rgb", (16, 16, 3), dtype="uint8", form={"fov": 60}),
}
ACTIONS = {"point": ActionSpec("point", (2,)), "ALE/Pong:v5": ActionSpec("ALE/Pong:v5", (1,), choices=(6,))}
CONFIG = AgentConfig(
    width=16,
    depth=1,
    dropout=0.1,
    encoders={"camera": {"name": "conv", "channels": [4, 4], "keypoints": 4}},
    policy={"hidden": [8]},
    value={"hidden": [8]},
)


def make(seed: int = 0, config: AgentConfig = CONFIG, sensors=SENSORS) -> Agent:
    agent = Agent(sensors, ACTIONS, config, seed)
    agent.make_head("inverse_point", "inverse_dynamics", "point", hidden=[8], dropout=0.2)
    return agent.eval()


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "proprio": rng.normal(size=(3, 5)).astype(np.float32),
        "camera": rng.integers(0, 255, (3, 16, 16, 3)).astype(np.uint8),
    }


def same(a: Agent, b: Agent, parts=None) -> bool:
    return all(
        torch.equal(x, y)
        for part in parts or a.parts
        for x, y in zip(a.part(part).state_dict().values(), b.part(part).state_dict().values(), strict=True)
    )


@pytest.fixture
def saved(tmp_path) -> Path:
    save_agent(make(seed=1), tmp_path / "a", training={"step": 7})
    return tmp_path / "a"


def test_round_trip_is_bit_exact_and_self_contained(saved):
    original, loaded = make(seed=1), load_agent(saved)
    assert same(original, loaded) and not loaded.training
    assert [n for n, _ in loaded.named_parameters()] == [n for n, _ in original.named_parameters()]
    assert loaded.sensors == original.sensors and loaded.actions == original.actions
    assert loaded.config == original.config and loaded.heads["inverse_point"].dropout == 0.2
    assert np.array_equal(original.act(batch(), action="point")[0], loaded.act(batch(), action="point")[0])
    assert "trunk: " in str(loaded.load_report) and not loaded.load_report.differences
    names = {str(p.relative_to(saved)) for p in saved.rglob("*") if p.is_file()}
    assert names == {
        "agent.json",
        "trunk.safetensors",
        "encoders/proprio.safetensors",
        "encoders/camera.safetensors",
        "heads/value.safetensors",
        "heads/policy_point.safetensors",
        "heads/policy_ALE%2FPong%3Av5.safetensors",
        "heads/inverse_point.safetensors",
        "training/state.json",
        "training/tensors.safetensors",
    }


def test_heads_keep_their_order_and_removed_ones_stay_away(tmp_path):
    agent = make()
    agent.add_action(ActionSpec("late", (1,)))
    agent.remove_head("value")
    save_agent(agent, tmp_path / "a")
    assert list(load_agent(tmp_path / "a").heads) == list(agent.heads)


def test_unbounded_actions_survive(tmp_path):
    action = ActionSpec("free", (1,), low=-np.inf, high=np.inf)
    save_agent(Agent({"proprio": SENSORS["proprio"]}, {"free": action}, AgentConfig(width=16)), tmp_path / "a")
    assert load_agent(tmp_path / "a").actions["free"] == action


# Parts


def test_load_into_named_parts_brings_their_statistics(saved):
    agent = make(seed=2, sensors={**SENSORS, "proprio": replace(SENSORS["proprio"], mean=None, std=None)})
    heads = make(seed=2)
    report = load_into(agent, saved, parts=["encoders/proprio", "trunk"])
    original = make(seed=1)
    assert same(agent, original, ["encoders/proprio", "trunk"]) and not same(agent, original, ["encoders/camera"])
    assert same(agent, heads, ["heads/value", "encoders/camera"])
    assert agent.sensors["proprio"].mean == (1.0,) * 5
    assert set(report.loaded) == {"encoders/proprio", "trunk"} and "encoders/camera" in report.untouched
    assert "kept the weights they had: encoders/camera" in str(report)


def test_load_agent_of_some_parts_leaves_the_rest_fresh(saved):
    agent = load_agent(saved, parts=["encoders"])
    assert same(agent, make(seed=1)) and agent.load_report.untouched[0] == "trunk"  # the same seed made both


def test_parts_can_be_swapped_between_checkpoints(tmp_path, saved):
    save_agent(make(seed=5), tmp_path / "b")
    agent = load_agent(saved)
    load_into(agent, tmp_path / "b", parts=["heads"])
    assert same(agent, make(seed=1), ["trunk"]) and same(agent, make(seed=5), ["heads/value", "heads/policy_point"])


@pytest.mark.parametrize(
    ("config", "part", "message"),
    [
        ({"mlp_ratio": 4.0}, "trunk", "built with mlp_ratio=2.0"),
        ({"depth": 2}, "trunk", "built with depth=1"),
        ({"attention_heads": 2}, "trunk", "built with attention_heads=4, the agent's with 2"),
        ({"encoders": {"proprio": {"hidden": [9]}}}, "encoders/proprio", r"built with hidden=\[128\]"),
        ({"policy": {"hidden": [9]}}, "heads/policy_point", r"built with hidden=\[8\]"),
    ],
)
def test_another_architecture_is_an_error_unless_allowed(saved, config, part, message):
    agent = make(seed=2, config=AgentConfig(**{**CONFIG.to_json(), **config}))
    before = {name: value.clone() for name, value in agent.state_dict().items()}
    with pytest.raises(InputError, match=message):
        load_into(agent, saved, parts=["encoders/camera", part])
    assert all(torch.equal(agent.state_dict()[name], value) for name, value in before.items())  # nothing was loaded
    report = load_into(agent, saved, parts=[part], allow=[part])
    assert report.differences[part] and f"{part}: allowed: " in str(report)


def test_whole_load_needs_the_same_parts(saved):
    agent = make(seed=2)
    agent.remove_head("inverse_point")
    with pytest.raises(InputError, match="'heads/inverse_point': not in the agent"):
        load_into(agent, saved)
    assert same(load_agent(saved, parts=["trunk"]), make(seed=1), ["trunk"])
    agent.add_sensor(SensorSpec("extra", "proprio", (2,)))
    with pytest.raises(InputError, match="'encoders/extra': not in the checkpoint"):
        load_into(agent, saved, allow=["heads/inverse_point"])
    load_into(agent, saved, allow=["heads/inverse_point", "extra"])
    with pytest.raises(InputError, match="did you mean 'trunk'"):
        load_into(agent, saved, parts=["trnk"])
    with pytest.raises(InputError, match="did you mean 'camera'"):
        load_into(agent, saved, allow=["camra"])


# Sensors


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"shape": (32, 32, 3)}, r"shape \(16, 16, 3\) is not \(32, 32, 3\)"),
        ({"form": {"fov": 90}}, "fov"),
        ({"modality": "tactile_rgb"}, "modality 'rgb' is not 'tactile_rgb'"),
    ],
)
def test_another_sensor_is_an_error_unless_allowed(saved, change, message):
    camera = replace(SENSORS["camera"], **change)
    with pytest.raises(InputError, match=message):
        load_agent(saved, sensors={"camera": camera})
    agent = load_agent(saved, sensors={"camera": camera}, allow=["camera"])
    assert agent.sensors["camera"] == camera and "another sensor" in agent.load_report.differences["encoders/camera"][0]


def test_a_world_with_fewer_or_more_sensors(saved):
    agent = load_agent(saved, sensors={"proprio": replace(SENSORS["proprio"], mean=None, std=None)})
    assert agent.load_report.unseen == ("camera",) and agent.sensors["proprio"].mean == (1.0,) * 5
    agent.act({"proprio": np.zeros(5)}, action="point")
    touch = SensorSpec("touch", "proprio", (4,))
    with pytest.raises(InputError, match=r"unknown sensor 'touch'.*allow=\['encoders/touch'\]"):
        load_agent(saved, sensors={"touch": touch})
    grown = load_agent(saved, sensors={"touch": touch}, allow=["touch"])
    assert grown.sensors["touch"] == touch and grown.load_report.differences["encoders/touch"]


def test_another_body_of_the_same_name(saved):
    agent = Agent(SENSORS, {"point": ActionSpec("point", (2,), low=-5.0)}, CONFIG)
    with pytest.raises(InputError, match="another body"):
        load_into(agent, saved, parts=["heads/policy_point"])


# Files


def edit(path: Path, change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def rewrite(path: Path, change) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda p: rewrite(p / "trunk.safetensors", lambda t: t.pop("norm.bias")), "lacks the tensor 'norm.bias'"),
        (
            lambda p: rewrite(p / "trunk.safetensors", lambda t: t.update(extra=torch.zeros(1))),
            "has an extra tensor 'extra'",
        ),
        (
            lambda p: rewrite(p / "trunk.safetensors", lambda t: t.update({"norm.bias": torch.zeros(3)})),
            r"'norm.bias' has shape \(3,\), the agent's has \(16,\)",
        ),
        (lambda p: (p / "heads/value.safetensors").unlink(), "value.safetensors is missing"),
        (lambda p: truncate(p / "heads/value.safetensors"), "value.safetensors is not a whole safetensors file"),
        (lambda p: (p / "trunk.safetensors").write_bytes(b""), "trunk.safetensors is not a whole"),
        (lambda p: truncate(p / "agent.json"), "agent.json is not JSON"),
        (lambda p: (p / "agent.json").unlink(), "lacks agent.json"),
        (lambda p: (p / "agent.json").write_text("[]"), "no JSON object"),
        (lambda p: edit(p / "agent.json", lambda v: v.update(format="other")), "format 'other'"),
        (lambda p: edit(p / "agent.json", lambda v: v.pop("heads")), "lacks 'heads'"),
        (lambda p: edit(p / "agent.json", lambda v: v["config"].update(widht=3)), "did you mean 'width'"),
        (lambda p: edit(p / "agent.json", lambda v: v["config"]["encoders"].pop("camera")), "no encoder for sensor"),
        (
            lambda p: edit(p / "agent.json", lambda v: v["config"]["encoders"]["camera"].update(name="lidar_net")),
            "sensor 'camera' needs unknown encoder 'lidar_net'.*install the distribution",
        ),
        (
            lambda p: edit(p / "agent.json", lambda v: v["heads"]["value"].update(kind="quantiles")),
            "head 'value' needs unknown head 'quantiles'",
        ),
        (lambda p: shutil.rmtree(p), "no checkpoint at"),
    ],
)
def test_damaged_checkpoints_name_the_damage(saved, damage, message):
    damage(saved)
    with pytest.raises(InputError, match=message):
        load_agent(saved)


def test_nothing_else_is_overwritten(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    with pytest.raises(InputError, match="not replaced"):
        save_agent(make(), tmp_path / "mine")
    (tmp_path / "file").write_text("words")
    with pytest.raises(InputError, match="not replaced"):
        save_agent(make(), tmp_path / "file")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "words"


def test_full_disk_keeps_the_old_checkpoint(saved, monkeypatch):
    def full(self, data):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(InputError, match="no space left"):
            save_agent(make(seed=9), saved)
    assert same(load_agent(saved), make(seed=1)) and [p.name for p in saved.parent.iterdir()] == ["a"]


class Killed(BaseException):
    """What stands for SIGKILL."""


def test_a_crash_at_any_moment_leaves_one_whole_checkpoint(tmp_path, monkeypatch):
    tiny = AgentConfig(width=4, depth=1, attention_heads=1, policy={"hidden": []}, value={"hidden": []})
    old, new = (Agent({"proprio": SENSORS["proprio"]}, {}, tiny, seed) for seed in (1, 2))
    outcomes = set()
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)  # counted below, but slow and without effect on the names
    for last in range(1000):
        shutil.rmtree(tmp_path)
        save_agent(old, tmp_path / "a", training={"step": 1})
        calls = 0

        def dying(function, last=last):
            def run(*args, **kwargs):
                nonlocal calls
                calls += 1
                if calls > last:  # also the clean-up, which a killed process does not do
                    raise Killed
                return function(*args, **kwargs)

            return run

        with monkeypatch.context() as patch:
            for owner, name in (
                (Path, "rename"),
                (Path, "write_bytes"),
                (Path, "write_text"),
                (Path, "mkdir"),
                (shutil, "rmtree"),
                (os, "fsync"),
            ):
                patch.setattr(owner, name, dying(getattr(owner, name)))
            try:
                save_agent(new, tmp_path / "a", training={"step": 2})
                survived = True
            except Killed:
                survived = False
        loaded, step = load_agent(tmp_path / "a"), load_training(tmp_path / "a")["step"]
        assert same(loaded, old if step == 1 else new)
        outcomes.add(step)
        if last % 5 == 0:  # and the next save goes through
            save_agent(new, tmp_path / "a", training={"step": 3})
            assert load_training(tmp_path / "a")["step"] == 3 and [p.name for p in tmp_path.iterdir()] == ["a"]
        if survived:
            break
    assert outcomes == {1, 2} and survived and last > 10


# Training state


def test_training_state_is_bit_exact(tmp_path):
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    model(torch.randn(4, 3)).sum().backward()
    optimiser.step()
    shared = torch.arange(6.0)
    tree = {
        "optimiser": optimiser.state_dict(),
        "rng": {"torch": torch.get_rng_state(), "numpy": np.random.default_rng(3).bit_generator.state},
        "legacy": np.random.RandomState(1).get_state(),
        "numbers": [1, 2**130, -0.0, 0.1, float("inf"), float("nan"), True, None, "text", b"\x00\xff"],
        "types": (np.float32(0.1), np.int64(3), np.bool_(True), np.arange(4, dtype=np.uint16), np.zeros((0, 2))),
        "views": [shared[:3], shared[3:], shared, shared.view(2, 3).t()],
        "odd": {"$tensor": 1, 4: {"$float": "x"}, True: 2, 2.5: 3},
        "half": torch.tensor([1.5], dtype=torch.bfloat16),
        "empty": {},
    }
    save_training(tmp_path / "t", tree)
    assert identical(load_training(tmp_path / "t"), tree)
    other = torch.optim.AdamW(model.parameters(), lr=1.0)
    other.load_state_dict(load_training(tmp_path / "t")["optimiser"])
    assert other.param_groups[0]["lr"] == 1e-3
    save_training(tmp_path / "t", {"step": 1})
    assert load_training(tmp_path / "t") == {"step": 1}


def identical(a, b) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(a) == list(b) and all(identical(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return repr(a) == repr(b)


def test_bad_training_state(tmp_path, saved):
    with pytest.raises(TypeError, match=r"a\.b\[1\] is a set"):
        save_training(tmp_path / "t", {"a": {"b": [0, {1}]}})
    assert not (tmp_path / "t").exists()
    assert load_training(saved) == {"step": 7}
    save_agent(make(), tmp_path / "plain")
    with pytest.raises(InputError, match="cannot be resumed"):
        load_training(tmp_path / "plain")
    with pytest.raises(InputError, match="no training state at"):
        load_training(tmp_path / "none")
    truncate(saved / "training" / "state.json")
    with pytest.raises(InputError, match="truncated"):
        load_training(saved)


def test_a_training_runs_folder_means_its_last_checkpoint(tmp_path):
    for number in (2, 10):
        save_agent(make(seed=number), tmp_path / "run" / "checkpoints" / f"{number:08d}")
    assert same(load_agent(tmp_path / "run"), make(seed=10))
    (tmp_path / "empty" / "checkpoints").mkdir(parents=True)
    with pytest.raises(InputError, match=r"lacks agent\.json"):
        load_agent(tmp_path / "empty")
