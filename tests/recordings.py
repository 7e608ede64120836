"""Made-up episodes for the tests of data sets."""

import json

import numpy as np

from trunkline.data.episode import Episode
from trunkline.data.reader import EpisodeDataset
from trunkline.data.writer import EpisodeWriter, WriterConfig
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

ACTION = ActionSpec("gripper", (2,))
SMALL = WriterConfig(shard_episodes=4)
VECTORS = {spec.name: spec for spec in (SensorSpec("proprio", "proprio", (3,)), SensorSpec("goal", "goal", (3,)))}
EVERYTHING = VECTORS | {
    spec.name: spec
    for spec in (
        SensorSpec("scalar", "proprio", ()),
        SensorSpec("gap", "proprio", (1,)),
        SensorSpec("matrix", "markers", (4, 3)),
        SensorSpec("camera", "depth", (6, 8, 4), "uint8"),
        SensorSpec("depth", "depth", (6, 8, 1), "float16"),
        SensorSpec("rgb", "rgb", (16, 32, 3), "uint8"),
        SensorSpec("voxels", "voxels", (2, 3, 4, 5)),
    )
}


def make_episode(number, sensors=VECTORS, task="fake/reach", length=None):
    """Random readings under the seed `number`; every third episode succeeds."""
    rng = np.random.default_rng([7, number])
    length = int(rng.integers(3, 12)) if length is None else length
    observations = {}
    for name, spec in sensors.items():
        shape = (length, *spec.shape)
        if spec.modality == "rgb":  # smooth, so that video keeps it nearly
            ramp = np.linspace(0, 100, int(np.prod(spec.shape[:2]))).reshape(spec.shape[:2])
            observations[name] = (
                ramp[None, :, :, None] + 10.0 * np.arange(length)[:, None, None, None] + np.zeros(3)
            ).astype(np.uint8)
        elif spec.dtype == "uint8":
            observations[name] = rng.integers(0, 256, shape).astype(np.uint8)
        else:
            observations[name] = rng.normal(2.0, 3.0, shape).astype(spec.dtype)
    spec = TaskSpec(task, number, {"goal": [0.25, number]}, "train", 50)
    actions = rng.uniform(-1, 1, (length, 2)).astype(np.float32)
    rewards = rng.normal(size=length).astype(np.float32)
    return Episode(spec, observations, actions, rewards, number % 3 == 0, (number % 10) / 10)


def write(root, episodes, sensors=VECTORS, config=SMALL):
    """A data set of these episodes."""
    with EpisodeWriter(root, sensors, ACTION, 20, config) as writer:
        for episode in episodes:
            writer.add(episode)
    return EpisodeDataset(root)


def edit_info(change):
    """A function that changes what a data set's info.json holds."""

    def damage(root):
        path = root / "meta/info.json"
        info = json.loads(path.read_text())
        change(info)
        path.write_text(json.dumps(info))

    return damage
