"""Labelled touch on Ray: trials of `tactile/touch`, every contact through every sensor, a FoTa data set a sensor.

A chunk of trials becomes one shard of every data set, in the plan's order, so the same plan gives the same files on
any number of CPUs. The same call again goes on with the chunks that are missing.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota.dataset import FotaDataset
from trunkline.data.fota.shards import find_shards
from trunkline.data.fota.writer import FotaWriter
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.sensor import TouchSensor, load_touch_sensor
from trunkline.envs.tactile.touch_frames import touch_frames
from trunkline.errors import InputError
from trunkline.files import write_text

SPLITS = {"train": "train", "val": "validation/trial", "test": "test/trial"}
_NUM_ENVS = 16

# One contact: its key, the labels of every sensor, readings and masks by sensor.
Frame = tuple[str, dict[str, dict[str, Any]], dict[str, np.ndarray], dict[str, np.ndarray]]


def generate(
    root: Path,
    split: str,
    trials: int,
    sensors: Sequence[str],
    *,
    seed: int = 0,
    chunk: int = 50,
    image_size: int = 64,
    say: Callable[[str], None] = print,
) -> int:
    """Write one split of every sensor's data set; a Ray session is there.

    Args:
        root: folder of the data sets, `<root>/<sensor>/<split>/data-000000.tar`.
        split: "train", "val" or "test"; they share no trial.
        trials: how many.
        sensors: names or files of the catalogue.
        seed: of the trials.
        chunk: trials of a shard.
        image_size: pixels a side of optical sensors' frames.
        say: called with lines of progress.

    Returns:
        Samples in the data sets, over all sensors.

    Raises:
        InputError: an unknown sensor, a data set of another sensor or other trials in the folder, or a full disk.
    """
    import ray

    catalogue = [load_touch_sensor(sensor) for sensor in sensors]
    specs = sample_tasks("tactile/touch", trials, seed, SPLITS[split])
    chunks = [specs[i : i + chunk] for i in range(0, trials, chunk)]
    for sensor in catalogue:  # says at once if the folder is someone else's
        FotaWriter(root / sensor.name, split, _spec(sensor, image_size)).close()
    _claim(root, split, {"seed": seed, "chunk": chunk, "image_size": image_size})
    cpus = int(ray.cluster_resources().get("CPU", 1))
    shares = [share for i in range(cpus) if (share := catalogue[i::cpus])]
    record = ray.remote(num_cpus=1, max_retries=3)(_record)
    write = ray.remote(num_cpus=1, max_retries=3)(_write)
    first = min(len(find_shards(root / sensor.name / split)) for sensor in catalogue)
    started = ((number, record.remote(chunks[number], catalogue, image_size)) for number in range(first, len(chunks)))
    # Chunks are written in order, and no more wait than there are CPUs: memory stays bounded.
    for number, frames in _ahead(started, cpus):
        ray.get([write.remote(root, split, share, image_size, number, frames) for share in shares])
        say(f"touch/{split}: {min(trials, (number + 1) * chunk)}/{trials} trials")
    return sum(len(FotaDataset(root / sensor.name, split)) for sensor in catalogue)


def _claim(root: Path, split: str, plan: dict[str, int]) -> None:
    """Note what trials are generated; shards of two plans in one data set would share trials or skip some."""
    path = root / f"{split}.json"
    if not path.exists():
        write_text(path, json.dumps(plan))
        return
    try:
        there = json.loads(path.read_text())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not JSON ({error}); choose another folder") from None
    for name, value in plan.items():
        if there.get(name) != value:
            raise InputError(f"{path} is of {name}={there.get(name)}, not {value}; choose another folder")


def _spec(sensor: TouchSensor, image_size: int) -> Any:
    return sensor.spec((image_size, image_size) if sensor.kind == "optical" else None)


def _ahead(started: Iterator[tuple[int, Any]], count: int) -> Iterator[tuple[int, Any]]:
    waiting = list(islice(started, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(started, 1))


def _write(
    root: Path, split: str, sensors: Sequence[TouchSensor], image_size: int, number: int, frames: Sequence[Frame]
) -> None:
    """Append a chunk to some sensors' data sets, those that lack it."""
    for sensor in sensors:
        if len(find_shards(root / sensor.name / split)) > number:
            continue
        with FotaWriter(root / sensor.name, split, _spec(sensor, image_size)) as writer:
            for key, fields, readings, masks in frames:
                writer.add(key, readings[sensor.name], fields[sensor.name], masks.get(sensor.name))


def _record(specs: Sequence[TaskSpec], sensors: Sequence[TouchSensor], image_size: int) -> list[Frame]:
    """The contacts of some trials, ordered by trial and time."""
    frames: list[Frame] = []
    optical = {sensor.name for sensor in sensors if sensor.kind == "optical"}
    for contact in touch_frames(specs, sensors, image_size, num_envs=min(_NUM_ENVS, len(specs))):
        masks = {name: _enlarged(mask, image_size) for name, mask in contact.masks.items() if name in optical}
        fields = {name: contact.fields(name) for name in contact.images}
        frames.append((contact.contact_id, fields, dict(contact.images), masks))
    order = {spec.id: number for number, spec in enumerate(specs)}
    frames.sort(key=lambda frame: (order[frame[0].rpartition("-")[0]], frame[0]))
    return frames


def _enlarged(mask: np.ndarray, size: int) -> np.ndarray:
    """A mask on the gel's cells as one of `size` pixels a side."""
    if mask.shape == (size, size):
        return mask
    rows, cols = (np.arange(size) * n // size for n in mask.shape)
    larger: np.ndarray = mask[np.ix_(rows, cols)]
    return larger
