"""One contact through many sensors: from a rig's present state to an image or a taxel array of every sensor."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from trunkline.envs.tactile.feel import Feel
from trunkline.envs.tactile.optics import Optics
from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.tactile.touch_rig import Rig
from trunkline.envs.tactile.underside import Underside

TOUCHES = 1e-5  # m of depth from which a cell counts as in contact
_TAXEL_CELLS = 32  # a side, of the field that taxel arrays read
_MOST_CELLS = 96  # a side, of the field that images are made from; the optics interpolates


@dataclass(frozen=True)
class Contacts:
    """What n contacts leave on any gel.

    Attributes:
        heights: of the objects' undersides, (n, COUNT, COUNT) float32, m; see `Underside.heights`.
        force: pressing, (n,), N.
        drag: along x and y on the gel, (n, 2), N.
        shear: how far the gel's surface was carried along x and y (m) and turned (rad), (n, 3).
    """

    heights: np.ndarray
    force: np.ndarray
    drag: np.ndarray
    shear: np.ndarray

    @classmethod
    def join(cls, parts: Sequence["Contacts"]) -> "Contacts":
        """Contacts one after the other."""
        return cls(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(cls)))


@dataclass(frozen=True)
class Reading:
    """What one sensor felt in n contacts.

    Attributes:
        values: (n, *shape), as the sensor's SensorSpec says.
        mask: which cells of the gel the object presses, (n, h, w) bool.
        move: how far the object sank into this gel beyond its pose in the simulation, (n,), m; see `Feel.press`.
        depth: of the deepest point, (n,), m.
    """

    values: np.ndarray
    mask: np.ndarray
    move: np.ndarray
    depth: np.ndarray


class Readings:
    """Reads the sensors of a rig.

    Args:
        rig: whose contacts.
        sensors: by the name that readings go by.
        resolution: rows and columns of images; taxel arrays have their own.
    """

    def __init__(self, rig: Rig, sensors: Mapping[str, TouchSensor], resolution: tuple[int, int]) -> None:
        self._rig = rig
        self._underside = Underside(rig)
        cells = (min(resolution[0], _MOST_CELLS), min(resolution[1], _MOST_CELLS))
        self._feel: dict[str, Feel] = {}
        self._optics: dict[str, Optics] = {}
        self._taxels: dict[str, Any] = {}
        self._salt = {name: zlib.crc32(name.encode()) for name in sensors}
        for name, sensor in sensors.items():
            if sensor.kind == "optical":
                self._feel[name] = Feel(sensor, *cells)
                self._optics[name] = Optics(sensor, rig.batch.nsim, resolution)
            else:
                from trunkline.envs.tactile.taxels import Taxels

                self._feel[name] = Feel(sensor, _TAXEL_CELLS, _TAXEL_CELLS)
                self._taxels[name] = Taxels(sensor, rig.batch.nsim)

    def contacts(self, ids: np.ndarray) -> Contacts:
        """The present contacts of simulations `ids`."""
        rig = self._rig
        touching = rig.contact[ids]
        force = np.where(touching, np.maximum(rig.force[ids, 2], 0.0), 0.0).astype(np.float32)
        drag = np.where(touching[:, None], -rig.force[ids, :2], 0.0).astype(np.float32)  # the force is the pad's
        shear = np.where(touching[:, None], rig.pad[ids], 0.0).astype(np.float32)
        return Contacts(self._underside.heights(ids), force, drag, shear)

    def read(self, contacts: Contacts, seeds: np.ndarray) -> dict[str, Reading]:
        """Readings of n contacts by every sensor.

        Args:
            contacts: as `contacts` gives them.
            seeds: (n,) of the sensors' noise; the same seed and contact give the same readings.
        """
        readings = {}
        for name, feel in self._feel.items():
            depth, move = feel.press(contacts.heights, contacts.force)
            noise = _mix(seeds, self._salt[name])
            if name in self._optics:
                values = self._optics[name].render(depth, contacts.shear, noise)
            else:
                values = self._taxels[name].read(depth, contacts.shear, noise, contacts.drag)
            readings[name] = Reading(values, depth > TOUCHES, move, depth.reshape(len(depth), -1).max(1))
        return readings


def _mix(seeds: np.ndarray, salt: int) -> np.ndarray:
    """Seeds of one sensor: those of the contacts, scattered by a multiplicative hash."""
    words = (np.asarray(seeds).astype(np.uint64) ^ np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    mixed: np.ndarray = (words >> np.uint64(32)).astype(np.uint32)
    return mixed


def contact_seeds(seeds: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """One uint32 for a frame of an episode, from the TaskSpec's seed and the control steps done, (n,) each."""
    words = (seeds.astype(np.uint64) * np.uint64(4099) + frames.astype(np.uint64)) * np.uint64(0xD6E8FEB86659FD93)
    mixed: np.ndarray = (words >> np.uint64(32)).astype(np.uint32)
    return mixed
