"""The insertion benchmark at debug size: arms, their starts, and what comes of a pretrained T3."""

import json

import pytest
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.retarget import retarget
from trunkline.agents.t3 import t3_config
from trunkline.cli import main as cli
from trunkline.commands.run import main
from trunkline.envs.manifest import Manifest
from trunkline.envs.registry import sample_tasks
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.errors import InputError
from trunkline.rollout.insertion.config import InsertionConfig
from trunkline.rollout.insertion.plan import InsertionPlan, Job
from trunkline.rollout.report import build_report
from trunkline.rollout.results import read_results

SMALL = [
    "experiment=debug",
    "tasks=[]",
    "held_out=[]",
    "parts.insertion.pretrained=t3",
    "parts.insertion.sensors=[digit,wedge]",
    "parts.insertion.arms=[no_touch,pretrained]",
    "parts.insertion.image_size=16",
    "parts.insertion.demonstrations=1",
    "parts.insertion.contexts=2",
    "parts.insertion.episodes=1",
    "parts.insertion.imitate={steps: 2, batch_size: 8}",
    "parts.insertion.finetune={steps: 8, num_envs: 2, fragment_length: 4, ppo: {epochs: 1, minibatches: 1}}",
]


@pytest.fixture
def t3(tmp_path):
    """A checkpoint of a T3 that knows two sensors."""
    sensors = {name: load_touch_sensor(name).spec((16, 16)) for name in ("digit", "gs_black")}
    agent = Agent(sensors, {}, t3_config("pico", image=16, patch=8), seed=3)
    (tmp_path / "run").mkdir()
    save_agent(agent, tmp_path / "run" / "t3")
    return tmp_path / "run" / "t3"


def test_encoders_serve_sensors_of_other_names(t3, tmp_path):
    retarget(t3, tmp_path / "pads", {"touch_left": "digit", "touch_right": "digit"})
    source, agent = load_agent(t3), load_agent(tmp_path / "pads")
    assert list(agent.sensors) == ["touch_left", "touch_right"]
    for part in ("encoders/touch_left", "encoders/touch_right"):
        for name, tensor in source.parts["encoders/digit"].state_dict().items():
            assert torch.equal(agent.parts[part].state_dict()[name], tensor)
    image = torch.zeros(1, 16, 16, 3, dtype=torch.uint8)
    assert torch.equal(agent.encode({"touch_left": image}), source.encode({"digit": image}))
    with pytest.raises(InputError, match="did you mean 'digit'"):
        retarget(t3, tmp_path / "other", {"touch_left": "digi"})


def test_a_known_sensor_brings_its_encoder_and_another_the_trunk_alone(t3):
    plan = InsertionPlan(InsertionConfig(pretrained="t3", sensors=("digit", "wedge"), image_size=16), t3.parent)
    source = load_agent(t3)
    for sensor, names in (("digit", ["touch_left", "touch_right"]), ("wedge", [])):
        agent, start = plan.start(Job("pretrained", sensor, 0))
        assert start is not None and agent.width == source.config.width
        loaded = load_agent(start)
        assert list(loaded.sensors) == names
        assert torch.equal(loaded.trunk.norm.weight, source.trunk.norm.weight)
    assert plan.start(Job("scratch", "digit", 0))[1] is None


@pytest.mark.ray
@pytest.mark.slow
def test_the_benchmark_runs_end_to_end_and_resumes(ray_session, t3, capsys):
    folder = t3.parent
    t3.rename(folder.parent / "t3")  # a run's folder starts empty
    command = [*SMALL, f"folder={folder}", f"parts.insertion.pretrained={folder.parent / 't3'}"]
    main(command)
    rows = read_results(folder / "insertion" / "results.parquet")
    jobs = ["no_touch", "pretrained.digit", "pretrained.wedge"]
    assert {row["arm"] for row in rows} == {f"{job}.{s}" for job in jobs for s in ("imitation", "rl")} | {
        "expert",
        "random",
    }
    assert len(rows) == 8 * 3  # an episode a connector
    numbers = json.loads((folder / "report.json").read_text())["insertion"]
    assert numbers["digit/rl"]["expert"]["all"]["value"] == 1.0 and numbers["wedge/imitation"]["pretrained"]["17"]
    assert "Insertion by touch" in (folder / "report.html").read_text()
    capsys.readouterr()
    main(command)
    assert "insertion/train: done before" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("parts.insertion.arms=[pretraned]", "did you mean 'pretrained'"),
        ("parts.insertion.sensors=[magnetic_4x4]", "is a taxel array"),
        ("parts.insertion.imitate={stepz: 2}", "did you mean"),
        ("parts.insertion.episodes=0", "must be at least 1"),
    ],
)
def test_a_bad_benchmark_is_refused_before_anything_is_written(override, message, tmp_path, capsys):
    assert cli(["run", *SMALL, f"folder={tmp_path / 'run'}", override]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_damaged_table_is_refused_in_one_line(tmp_path):
    folder = tmp_path / "insertion"
    Manifest(tuple(sample_tasks("tactile/insertion", 2, 0, "test/offset"))).save(folder / "manifests" / "test.json")
    (folder / "results.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(InputError, match=r"results\.parquet"):
        build_report(tmp_path)
