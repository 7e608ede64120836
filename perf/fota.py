"""The FoTa stream against webdataset: samples/s on one core with decoding, and peak memory over 1 and 10 shards.

Both read the same ten shards (224×224 JPEGs of quality 95 with labels) with the same shuffle buffer, decode them with
Pillow and collate batches of 64, pinned to one core, by turns in one process; webdataset with its own `decode("rgb8")`
and `batched`. Memory is that of a fresh process that reads two epochs, and includes the interpreter and libraries.
Limits: ratio at least 1, and as much memory for ten shards as for one.
"""

import argparse
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from trunkline.data.fota import FotaConfig, FotaDataset, FotaStream, FotaWriter
from trunkline.envs.spec import SensorSpec

SIZE, SHARDS, SHARD_SAMPLES, BUFFER, BATCH = 224, 10, 1000, 500, 64
SENSOR = SensorSpec("gel", "tactile_rgb", (SIZE, SIZE, 3), "uint8")


def make_images(count: int) -> list[np.ndarray]:
    """Smooth coloured backgrounds, a pressed dome, the noise of a camera: about as compressible as gel images."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    images = []
    for _ in range(count):
        ground = gaussian_filter(rng.normal(size=(SIZE, SIZE, 3)), (20, 20, 0))
        ground = (ground - ground.min()) / np.ptp(ground) * 120 + 60
        dome = np.maximum(0, 40 - np.hypot(rows - rng.uniform(60, 160), columns - rng.uniform(60, 160)))
        slopes = np.gradient(dome)
        shade = np.stack([40 * slopes[0], 40 * slopes[1], -40 * slopes[0]], -1)
        images.append(np.clip(ground + shade + rng.normal(0, 3, ground.shape), 0, 255).astype(np.uint8))
    return images


def write(root: Path, shards: int) -> float:
    """Write a data set; samples/s."""
    images = make_images(64)
    start = time.perf_counter()
    with FotaWriter(root, "train", SENSOR, FotaConfig(shard_samples=SHARD_SAMPLES)) as writer:
        for i in range(shards * SHARD_SAMPLES):
            pose = {name: 0.1 * i for name in ("x_mm", "y_mm", "z_mm", "quat_x", "quat_y", "quat_z")}
            labels = {"has_contact": True, "obj_idx": i % 24, "obj_name": "dome", "trial_idx": i // 20, "frame_idx": i}
            writer.add(f"gel_{i:07d}", images[i % len(images)], {**labels, **pose, "quat_w": 1.0})
    return shards * SHARD_SAMPLES / (time.perf_counter() - start)


def ours(root: Path, workers: int) -> Iterator[Any]:
    return FotaStream(FotaDataset(root), BATCH, shuffle_buffer=BUFFER, workers=workers)


def theirs(root: Path) -> Iterator[Any]:
    import webdataset

    shards = [str(path) for path in sorted((root / "train").glob("*.tar"))]
    data = webdataset.WebDataset(shards, shardshuffle=len(shards), seed=0, empty_check=False)
    return iter(data.shuffle(BUFFER).decode("rgb8").to_tuple("jpg", "json").batched(BATCH).repeat())


def speed(stream: Iterator[Any], batches: int) -> float:
    start = time.perf_counter()
    for batch in itertools.islice(stream, batches):
        readings = batch.readings if hasattr(batch, "readings") else batch[0]
        assert readings.dtype == np.uint8 and readings.shape[1:] == SENSOR.shape
    return batches * BATCH / (time.perf_counter() - start)


def compare(root: Path, rounds: int) -> dict[str, float]:
    """Median samples/s of rounds taken by turns, and the median of the rounds' ratios."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    streams = {"one": ours(root, 1), "none": ours(root, 0), "webdataset": theirs(root)}
    for stream in streams.values():
        speed(stream, 2)
    batches = SHARDS * SHARD_SAMPLES // BATCH // 4
    times = {name: np.array([]) for name in streams}
    for _ in range(rounds):
        for name, stream in streams.items():
            times[name] = np.append(times[name], speed(stream, batches))
    medians = {name: float(np.median(values)) for name, values in times.items()}
    print(f"samples/s on one core: {', '.join(f'{name} {value:.0f}' for name, value in medians.items())}")
    return {
        "samples_per_s": medians["one"],
        "webdataset": medians["webdataset"],
        "ratio": float(np.median(times["one"] / times["webdataset"])),
    }


def peak(root: Path) -> dict[str, float]:
    """Peak memory of this process after two epochs."""
    stream = FotaStream(FotaDataset(root), BATCH, shuffle_buffer=BUFFER)
    for _ in itertools.islice(stream, 2 * stream.num_samples // BATCH):
        pass
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return {"peak_mb": int(line.split()[1]) / 1024}


def child(part: str, root: Path, rounds: int) -> dict[str, float]:
    """Run one part in a fresh process."""
    command = [sys.executable, __file__, "--part", part, "--root", str(root), "--rounds", str(rounds)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    *words, last = done.stdout.splitlines()
    print("\n".join(words)) if words else None
    return dict(json.loads(last))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("compare", "peak"))
    parser.add_argument("--root", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.part:
        warnings.simplefilter("ignore")  # webdataset's own
        part = compare(arguments.root, arguments.rounds) if arguments.part == "compare" else peak(arguments.root)
        print(json.dumps(part))
        return
    with tempfile.TemporaryDirectory() as folder:
        one, ten = Path(folder) / "one", Path(folder) / "ten"
        write(one, 1)
        written = write(ten, SHARDS)
        size = sum(path.stat().st_size for path in ten.rglob("*.tar")) / 1e6
        print(f"{SHARDS * SHARD_SAMPLES} samples in {SHARDS} shards, {size:.0f} MB, written at {written:.0f} samples/s")
        figures = child("compare", ten, arguments.rounds)
        figures["peak_mb_1_shard"] = child("peak", one, 1)["peak_mb"]
        figures["peak_mb_10_shards"] = child("peak", ten, 1)["peak_mb"]
    rounded = {name: round(value, 3 if name == "ratio" else 1) for name, value in figures.items()}
    print(json.dumps(rounded))


if __name__ == "__main__":
    main()
