"""Labelled touch: trials of `tactile/touch` by its expert, every contact through every sensor. No Ray, no disk."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Any

import numpy as np

from trunkline.envs.spec import TaskSpec
from trunkline.envs.tactile.readings import Contacts, Reading, Readings, contact_seeds
from trunkline.envs.tactile.sensor import TouchSensor, load_touch_sensor
from trunkline.envs.tactile.touch import Touch
from trunkline.envs.tactile.touch_labels import contact_labels
from trunkline.errors import InputError

_BLOCK = 64  # contacts read at a time
_APPROACH_SHARE = 4  # of the frames before the first touch every fourth of those that are due is kept


@dataclass(frozen=True)
class TouchRecord:
    """One contact.

    Attributes:
        spec: the trial.
        frame: control steps since its start.
        labels: what all sensors share; see `touch_labels.contact_labels`, and `trial_idx`, `frame_idx`, `contact_id`.
        images: by sensor: (H, W, 3) uint8, or a taxel array (rows, cols, channels) float32.
        masks: by sensor: which cells of its gel the object presses, (h, w) bool.
        own: by sensor: the labels that differ from gel to gel: `has_contact`, `z_mm` and `depth_mm`.
    """

    spec: TaskSpec
    frame: int
    labels: dict[str, Any]
    images: dict[str, np.ndarray] = field(repr=False)
    masks: dict[str, np.ndarray] = field(repr=False)
    own: dict[str, dict[str, Any]] = field(repr=False)

    @property
    def contact_id(self) -> str:
        """The same for the frames of all sensors, different for every contact."""
        return str(self.labels["contact_id"])

    def fields(self, sensor: str) -> dict[str, Any]:
        """All labels of one sensor's frame, JSON values."""
        return {**self.labels, **self.own[sensor], "sensor": sensor}


def touch_frames(
    specs: Iterable[TaskSpec],
    sensors: Sequence[str | TouchSensor],
    resolution: int | tuple[int, int] = 64,
    num_envs: int = 16,
    threads: int = 1,
    stride: int = 2,
) -> Iterator[TouchRecord]:
    """Run trials and record them.

    A record depends on its TaskSpec and `stride` alone: not on `num_envs`, `threads` or the other specs. Records come
    in the order in which the simulations make them; those of one trial in the order of time.

    Args:
        specs: trials of `tactile/touch`.
        sensors: names, files or sensors of the catalogue.
        resolution: rows and columns of images; taxel arrays have their own.
        num_envs: trials at a time.
        threads: physics threads; 0 for one a core.
        stride: control steps from one frame to the next; before the first touch only every fourth of those is kept.

    Raises:
        InputError: no sensor, two of the same name, an unknown one, or a TaskSpec of another task.
    """
    catalogue = [s if isinstance(s, TouchSensor) else load_touch_sensor(s) for s in sensors]
    named = {sensor.name: sensor for sensor in catalogue}
    if not named or len(named) < len(catalogue):
        raise InputError(f"sensors={[s.name for s in catalogue]}: give at least one, each once")
    if stride < 1 or num_envs < 1:
        raise InputError(f"stride={stride}, num_envs={num_envs}: at least 1 each")
    size = (resolution, resolution) if isinstance(resolution, int) else (resolution[0], resolution[1])
    queue = iter(specs)
    first = list(islice(queue, num_envs))
    if not first:
        return
    world = Touch("touch", len(first), ("touch_command",), threads)
    readings = Readings(world.rig, named, size)
    world.reset(options={"tasks": chain(first, queue)})
    waiting = _Waiting()
    while world.active.any():
        due = world.due_frames(stride, _APPROACH_SHARE)
        if len(due):
            waiting.add(world, readings, due)
        if waiting.count >= _BLOCK:
            yield from waiting.read(readings)
        world.step(world.expert_actions())
    yield from waiting.read(readings)
    world.close()


class _Waiting:
    """Contacts that wait until there are enough of them: sensors read many as cheaply as a few."""

    def __init__(self) -> None:
        self.count = 0
        self._contacts: list[Contacts] = []
        self._trials: list[tuple[TaskSpec, int, dict[str, Any]]] = []

    def add(self, world: Touch, readings: Readings, ids: np.ndarray) -> None:
        """Take the present contacts of simulations `ids`."""
        self.count += len(ids)
        self._contacts.append(readings.contacts(ids))
        for i, labels in zip(ids, contact_labels(world.rig, ids), strict=True):
            spec, frame = world.specs[i], int(world.elapsed[i])
            assert spec is not None
            labels |= {"trial_idx": spec.seed, "frame_idx": frame, "contact_id": f"{spec.id}-{frame:03d}"}
            self._trials.append((spec, frame, labels))

    def read(self, readings: Readings) -> Iterator[TouchRecord]:
        """Records of all that wait, which then does no longer."""
        contacts, trials = self._contacts, self._trials
        self.count, self._contacts, self._trials = 0, [], []
        if not trials:
            return
        seeds = contact_seeds(np.array([t.seed for t, _, _ in trials]), np.array([frame for _, frame, _ in trials]))
        felt = readings.read(Contacts.join(contacts), seeds)
        for k, (spec, frame, labels) in enumerate(trials):
            own = {name: _own(reading, k, labels) for name, reading in felt.items()}
            images = {name: reading.values[k] for name, reading in felt.items()}
            masks = {name: reading.mask[k] for name, reading in felt.items()}
            yield TouchRecord(spec, frame, labels, images, masks, own)


def _own(reading: Reading, k: int, labels: dict[str, Any]) -> dict[str, Any]:
    """Labels that differ from gel to gel: the object sinks deeper into a softer one."""
    return {
        "has_contact": bool(reading.mask[k].any()),
        "z_mm": float(labels["z_mm"]) - float(reading.move[k]) * 1e3,
        "depth_mm": float(reading.depth[k]) * 1e3,
    }
