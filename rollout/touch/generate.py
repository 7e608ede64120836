"""Labelled touch on Ray: trials of `tactile/touch`, every contact through every sensor, a FoTa data set a sensor.

A chunk of trials becomes one shard of every data set, in the plan's order, so the same plan gives the same files on
any number of CPUs. The same call again goes on with the chunks that are missing.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from trunkline.data.fota.shards import find_shards
from trunkline.data.fota.writer import FotaWriter
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.sensor import TouchSensor, load_touch_sensor
from trunkline.envs.tactile.touch_frames import touch_frames

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
        InputError: an unknown sensor, a data set of another sensor in the folder, or a full disk.
    """
    import ray

    catalogue = [load_touch_sensor(sensor) for sensor in sensors]
    specs = sample_tasks("tactile/touch", trials, seed, SPLITS[split])
    chunks = [specs[i : i + chunk] for i in range(0, trials, chunk)]
    record = ray.remote(num_cpus=1, max_retries=3)(_record)
    with ExitStack() as stack:
        writers = {
            s.name: stack.enter_context(FotaWriter(root / s.name, split, _spec(s, image_size))) for s in catalogue
        }
        done = {name: len(find_shards(root / name / split)) for name in writers}
        missing = [number for number in range(len(chunks)) if number >= min(done.values())]
        started = ((number, record.remote(chunks[number], catalogue, image_size)) for number in missing)
        # Results are taken in order, and no more wait than there are CPUs: memory stays bounded.
        for number, result in _ahead(started, int(ray.cluster_resources().get("CPU", 1))):
            frames: list[Frame] = ray.get(result)
            for name, writer in writers.items():
                if done[name] <= number:
                    for key, fields, readings, masks in frames:
                        writer.add(key, readings[name], fields[name], masks.get(name))
                    writer.flush()
            say(f"touch/{split}: {min(trials, (number + 1) * chunk)}/{trials} trials, {len(frames)} contacts more")
        return sum(len(writer) for writer in writers.values())


def _spec(sensor: TouchSensor, image_size: int) -> Any:
    return sensor.spec((image_size, image_size) if sensor.kind == "optical" else None)


def _ahead(started: Iterator[tuple[int, Any]], count: int) -> Iterator[tuple[int, Any]]:
    waiting = list(islice(started, count))
    while waiting:
        yield waiting.pop(0)
        waiting.extend(islice(started, 1))


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
