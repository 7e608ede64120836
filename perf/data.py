"""The reader against the pretraining step: frames/s and peak memory on a data set five times its buffer.

Shuffled inverse-dynamics pairs with 64×64×4 uint8 images and two vectors are read in a fresh process, whose memory is
measured; beside it plain Arrow decodes the same columns in order, one thread, without shuffling: the limit. The step
is one update of an agent with a convolutional encoder. Limit: the reader is at least twice as fast as the step.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from trunkline.data.episode import Episode
from trunkline.data.reader import EpisodeDataset
from trunkline.data.stream import FrameStream
from trunkline.data.writer import EpisodeWriter
from trunkline.envs.spec import ActionSpec, SensorSpec, TaskSpec

BUFFER_FRAMES = 4096
LENGTH = 128
EPISODES = 5 * BUFFER_FRAMES // LENGTH
BATCH = 256
ACTION = ActionSpec("gripper", (4,))
SENSORS = {
    spec.name: spec
    for spec in (
        SensorSpec("camera", "depth", (64, 64, 4), "uint8"),
        SensorSpec("proprio", "proprio", (9,)),
        SensorSpec("goal", "goal", (3,)),
    )
}


def make_episode(number: int) -> Episode:
    """A smooth background with a textured patch that moves, about as compressible as a rendered scene."""
    rng = np.random.default_rng(number)
    rows, columns = np.mgrid[:64, :64]
    background = (rows[..., None] * rng.uniform(0.5, 2, 4) + columns[..., None] * rng.uniform(0.5, 2, 4)).astype(
        np.uint8
    )
    camera = np.repeat(background[None], LENGTH, 0)
    patch = rng.integers(0, 256, (24, 24, 4)).astype(np.uint8)
    for frame, (row, column) in enumerate(rng.integers(0, 40, (LENGTH, 2))):
        camera[frame, row : row + 24, column : column + 24] = patch
    vectors = {name: rng.normal(size=(LENGTH, *SENSORS[name].shape)).astype(np.float32) for name in ("proprio", "goal")}
    actions = rng.uniform(-1, 1, (LENGTH, 4)).astype(np.float32)
    task = TaskSpec("fake/reach", number, {}, "train", LENGTH)
    return Episode(task, {"camera": camera, **vectors}, actions, np.zeros(LENGTH, np.float32), True, 1.0)


def memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def read(root: str) -> dict[str, float]:
    """Frames/s of a shuffled epoch and the growth of this process's memory."""
    dataset = EpisodeDataset(root)
    before = memory_mb("VmRSS")
    stream = FrameStream(dataset, BATCH, buffer_frames=BUFFER_FRAMES)
    next(stream)
    batches = 2 * stream.num_samples // BATCH
    start = time.perf_counter()
    for _ in range(batches):
        next(stream)
    seconds = time.perf_counter() - start
    stream.close()
    return {"frames_per_s": batches * BATCH / seconds, "peak_mb": memory_mb("VmHWM") - before}


def decode(root: str) -> dict[str, float]:
    """Frames/s of Arrow alone, in order, one thread."""
    import pyarrow.parquet as pq

    start, frames = time.perf_counter(), 0
    columns = ["observation.camera", "observation.state", "observation.goal", "action"]
    for path in sorted(Path(root).glob("data/*/*.parquet")):
        file = pq.ParquetFile(path)
        for group in range(file.num_row_groups):
            frames += file.read_row_group(group, columns=columns, use_threads=False).num_rows
    return {"arrow_frames_per_s": frames / (time.perf_counter() - start)}


def step(root: str) -> dict[str, float]:
    """Frames/s of the pretraining step, its batches ready in memory."""
    import torch

    from trunkline.agents.agent import Agent
    from trunkline.agents.config import AgentConfig
    from trunkline.pretrain.batch import merge
    from trunkline.pretrain.objectives.inverse_dynamics import InverseDynamics
    from trunkline.pretrain.optimiser import Optimiser
    from trunkline.pretrain.step import Trainer

    dataset = EpisodeDataset(root)
    config = AgentConfig(encoders={"camera": {"name": "conv"}})
    agent = Agent(dataset.sensors, {ACTION.name: dataset.action_spec}, config, seed=0)
    objective = InverseDynamics()
    objective.build(agent)
    stream = FrameStream(dataset, BATCH, buffer_frames=BUFFER_FRAMES)
    batches = [merge([(next(stream), 1.0)], agent.actions) for _ in range(4)]
    stream.close()
    optimiser = Optimiser(agent, lr=1e-3, steps=100)
    trainer = Trainer(agent, objective, optimiser, device=torch.device("cpu"))
    trainer.update(batches[0])
    times = []
    for number in range(8):
        start = time.perf_counter()
        trainer.update(batches[number % 4])
        times.append(time.perf_counter() - start)
    return {"step_frames_per_s": BATCH / float(np.median(times))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("read", "decode", "step"))
    parser.add_argument("--root")
    arguments = parser.parse_args()
    if arguments.part:
        print(json.dumps(globals()[arguments.part](arguments.root)))
        return
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with EpisodeWriter(Path(folder) / "set", SENSORS, ACTION, 20) as writer:
            for number in range(EPISODES):
                writer.add(make_episode(number))
        frames = EPISODES * LENGTH
        figures = {"write_frames_per_s": frames / (time.perf_counter() - start)}
        size = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6
        raw = frames * sum(np.prod(s.shape) * np.dtype(s.dtype).itemsize for s in SENSORS.values()) / 2**20
        print(f"{frames} frames, {raw:.0f} MB in memory, {size:.0f} MB on disk; buffer {BUFFER_FRAMES} frames")
        for part in ("read", "decode", "step"):
            command = [sys.executable, __file__, "--part", part, "--root", str(Path(folder) / "set")]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            figures |= json.loads(done.stdout.splitlines()[-1])
    figures["buffer_mb"], figures["data_mb"] = raw / 5, raw
    rounded = {name: round(float(value), 1) for name, value in figures.items()}
    over = {name: figures["frames_per_s"] / figures[f"{name}_frames_per_s"] for name in ("step", "arrow")}
    print(json.dumps(rounded | {f"over_{name}": round(ratio, 2) for name, ratio in over.items()}))


if __name__ == "__main__":
    main()
