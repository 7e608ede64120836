"""The example distribution with a sensor of its own, installed as a stranger would."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import trunkline

EXAMPLE = Path(__file__).parents[1] / "examples" / "new_sensor"
SOURCE = Path(trunkline.__file__).parents[1]


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> Path:
    """A folder with the example installed; the build is of a copy, so that it leaves nothing in the checkout."""
    folder = tmp_path_factory.mktemp("plugin")
    copy, target = folder / "source", folder / "target"
    shutil.copytree(EXAMPLE, copy)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--target", target]
    subprocess.run([*pip, *options, copy], check=True, capture_output=True)
    return target


def run(code: str, *folders: Path) -> str:
    path = os.pathsep.join(map(str, (*folders, SOURCE)))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


USE = """
import numpy as np
from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import load_agent, save_agent
from trunkline.agents.config import AgentConfig
from trunkline.agents.registry import find_encoder
from trunkline.envs.registry import families, make_worlds, sample_tasks

assert find_encoder("range_scan").modalities == ("range_scan",) and "rangeworld" in families()
specs = sample_tasks("rangeworld/corridor", 60, 0, "train") + sample_tasks("rangeworld/corridor", 40, 0, "test/goal")
world = make_worlds("rangeworld/corridor", num_envs=25)
actions = {world.action_spec.name: world.action_spec}

config = AgentConfig(width=16, depth=1, encoders={"scan": {"name": "range_scan", "sectors": 8}})
agent = Agent(world.sensors, actions, config)
assert type(agent.encoders["scan"]).__module__ == "range_scan"
assert type(Agent(world.sensors, actions).encoders["scan"]).__module__ == "range_scan"  # it claims the modality
save_agent(agent, PATH)
agent = load_agent(PATH, sensors=world.sensors)

def rate(policy):
    observations, _ = world.reset(options={"tasks": specs})
    successes = 0
    while world.active.any():
        observations, *_, info = world.step(policy(observations))
        successes += int(info["success"].sum())
    return successes / len(specs)

rng = np.random.default_rng(0)
print(rate(lambda o: world.expert_actions()))
print(rate(lambda o: rng.uniform(-1, 1, (25, 2)).astype(np.float32)))
rate(lambda o: agent.act(o)[0])
print(agent.act({"scan": np.ones(32)})[0].shape)
"""


def test_encoder_and_world_are_found_and_used(installed, tmp_path):
    output = run(f"PATH = {str(tmp_path / 'checkpoint')!r}\n{USE}", installed)
    expert, random, shape = output.split("\n", 2)
    assert float(expert) >= 0.95 and float(random) <= 0.1 and shape.strip() == "(2,)"
    without = f"""
from trunkline.agents.checkpoint import load_agent
from trunkline.errors import InputError
try:
    load_agent({str(tmp_path / "checkpoint")!r})
except InputError as error:
    print(error)
"""
    assert "install the distribution that provides 'range_scan'" in run(without)


def test_the_readme_shows_a_whole_encoder():
    readme = (EXAMPLE.parents[1] / "README.md").read_text()
    shown = next(code for code in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "@encoder" in code)
    use = """
import numpy as np
from trunkline.agents.agent import Agent
from trunkline.envs.spec import ActionSpec
agent = Agent({"scan": SensorSpec("scan", "range_scan", (32,))}, {"rover": ActionSpec("rover", (2,))})
print(type(agent.encoders["scan"]).__name__, agent.act({"scan": np.ones(32)})[0].shape)
"""
    assert run(shown + use).strip() == "RangeScanEncoder (2,)"


def test_plugin_that_fails_to_import_is_reported(tmp_path):
    metadata = tmp_path / "broken-1.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text("[trunkline.encoders]\nsonar = broken_sonar:Sonar\n")
    (tmp_path / "broken_sonar.py").write_text("raise RuntimeError('no driver')\n")
    code = """
from trunkline.agents.agent import Agent
from trunkline.agents.config import AgentConfig
from trunkline.envs.spec import SensorSpec
from trunkline.errors import InputError
try:
    Agent({"s": SensorSpec("s", "sonar", (3,))}, {}, AgentConfig(encoders={"s": {"name": "sonar"}}))
except InputError as error:
    print(error)
"""
    assert "RuntimeError: no driver" in run(code, tmp_path)
