"""The catalogue of touch sensors: one YAML file describes one sensor, whole.

The built-in files stand in `sensors/` beside this module. A user adds a sensor by writing one file: its path (ending
in `.yaml`) serves wherever a name does, and the folders in the environment variable TRUNKLINE_TOUCH_SENSORS are
searched too.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from trunkline.envs.spec import SensorSpec
from trunkline.envs.tactile.gel import Array, Gel
from trunkline.envs.tactile.parts import Background, Light, Markers, TaxelLayout
from trunkline.errors import InputError, unknown
from trunkline.schema import build, to_plain

FOLDERS_VARIABLE = "TRUNKLINE_TOUCH_SENSORS"
MAX_LIGHTS = 8  # that the kernels take


@dataclass(frozen=True)
class TouchSensor:
    """One tactile sensor.

    Attributes:
        name: as its file's.
        kind: `optical`, a camera behind a gel; `taxels`, an array of discrete elements.
        gel: the shape and stiffness of what is touched.
        resolution: native rows and columns of a reading; of taxels at listed positions, (their number, 1).
        frame_rate: readings a second.
        sources: which published values the file rests on, and which are estimates.
        noise: standard deviation of the readings' noise, in counts of 255 or, for taxels, in their units.
        lights, background, markers: of an optical sensor.
        taxels: of a taxel array.
    """

    name: str
    kind: Literal["optical", "taxels"]
    gel: Gel
    resolution: tuple[int, int]
    frame_rate: float
    sources: tuple[str, ...]
    noise: float = 0.0
    lights: tuple[Light, ...] = ()
    background: Background | None = None
    markers: Markers | None = None
    taxels: TaxelLayout | None = None

    def __post_init__(self) -> None:
        if self.frame_rate <= 0:
            raise InputError(f"touch sensor {self.name!r}: frame_rate={self.frame_rate} must be positive")
        if self.noise < 0:
            raise InputError(f"touch sensor {self.name!r}: noise={self.noise} must not be negative")
        if not self.sources:
            raise InputError(
                f"touch sensor {self.name!r}: sources is empty; name what its values rest on, or 'estimated'"
            )
        if min(self.resolution) < 1:
            raise InputError(f"touch sensor {self.name!r}: resolution={self.resolution} must be positive")
        if self.kind == "optical":
            if not self.lights or self.background is None or self.taxels is not None:
                raise InputError(f"touch sensor {self.name!r}: kind 'optical' needs lights and a background, no taxels")
            if len(self.lights) > MAX_LIGHTS:
                raise InputError(f"touch sensor {self.name!r} has {len(self.lights)} lights; the most is {MAX_LIGHTS}")
        elif self.taxels is None or self.lights or self.background is not None or self.markers is not None:
            raise InputError(
                f"touch sensor {self.name!r}: kind 'taxels' needs taxels; no lights, background or markers"
            )
        elif self.taxels.positions_mm is not None and self.resolution != (len(self.taxels.positions_mm), 1):
            count = len(self.taxels.positions_mm)
            raise InputError(f"touch sensor {self.name!r}: {count} positions_mm need resolution: [{count}, 1]")

    @property
    def pixel_pitch_mm(self) -> tuple[float, float]:
        """Millimetres along x and y from one pixel (or taxel of a grid) to the next, at the native resolution."""
        return self.gel.size_mm[0] / self.resolution[1], self.gel.size_mm[1] / self.resolution[0]

    def with_resolution(self, resolution: tuple[int, int] | None) -> "TouchSensor":
        """The same sensor read at another resolution (rows, columns); None leaves it native.

        Raises:
            InputError: it is a taxel array, whose number of elements is what it is.
        """
        if resolution is None or tuple(resolution) == self.resolution:
            return self
        if self.kind == "taxels":
            raise InputError(f"touch sensor {self.name!r} has {self.resolution} taxels, not {tuple(resolution)}")
        return replace(self, resolution=(int(resolution[0]), int(resolution[1])))

    def spec(self, resolution: tuple[int, int] | None = None, name: str | None = None) -> SensorSpec:
        """What an encoder must know of the readings; its `form` is the whole file but the name, rate and sources."""
        sensor = self.with_resolution(resolution)
        form: dict[str, Any] = to_plain(sensor)
        for key in ("name", "frame_rate", "sources", "resolution"):
            del form[key]
        name = name or self.name
        if sensor.taxels is None:
            form["pixel_pitch_mm"] = list(sensor.pixel_pitch_mm)
            shape = (*sensor.resolution, 3)
            return SensorSpec(name, "tactile_rgb", shape, "uint8", 0.0, 255.0, frame_rate=self.frame_rate, form=form)
        layout = sensor.taxels
        form["positions_mm"] = (sensor.taxel_positions() * 1e3).round(4).tolist()
        low = -layout.full_scale if layout.channels == 3 else 0.0
        shape = (*sensor.resolution, layout.channels)
        return SensorSpec(
            name, "taxels", shape, "float32", low, layout.full_scale, None, None, layout.units, self.frame_rate, form
        )

    def surface(self, rows: int, cols: int) -> tuple[Array, Array]:
        """Points (P, 3) in m and inward unit normals (P, 3) of rows × cols cells of the undeformed gel, row by row.

        In the pad's frame: the apex at the origin, +z out of the gel, x right, y up; row 0 on top.
        """
        return self.gel.place(self.gel.chart(rows, cols))

    def areas(self, rows: int, cols: int) -> Array:
        """Area in m² of the gel in each of rows × cols cells, (rows, cols); zero where a cell holds none."""
        return self.gel.areas(rows, cols)

    @property
    def stiffness(self) -> float:
        """The gel's Winkler modulus in N/m³."""
        return self.gel.stiffness_n_mm3 * 1e9

    def taxel_positions(self) -> Array:
        """Chart coordinates (taxels, 2) in m, x right and y up.

        Raises:
            InputError: the sensor is optical.
        """
        if self.taxels is None:
            raise InputError(f"touch sensor {self.name!r} is optical; it has no taxels")
        if self.taxels.positions_mm is not None:
            return np.array(self.taxels.positions_mm, float) * 1e-3
        return self.gel.chart(*self.resolution)


def touch_sensor_names() -> list[str]:
    """Names of the built-in sensors and of those in the folders of TRUNKLINE_TOUCH_SENSORS, sorted."""
    return sorted(_catalogue())


def load_touch_sensor(name_or_path: str | Path) -> TouchSensor:
    """The sensor of that name, or in that file.

    Args:
        name_or_path: a name in the catalogue, or the path of a file that ends in `.yaml`.

    Raises:
        InputError: no such sensor (with the nearest match), no such file, or a key or value that is wrong (named).
    """
    text = str(name_or_path)
    if text.endswith(".yaml"):
        path = Path(text).expanduser()
        if not path.is_file():
            raise InputError(f"touch sensor file {text!r} does not exist")
        return _read(path.stem, path)
    catalogue = _catalogue()
    if text not in catalogue:
        raise unknown("touch sensor", text, catalogue)
    return _read(text, catalogue[text])


def _catalogue() -> dict[str, Any]:
    """Files by sensor name."""
    found = {f.name.removesuffix(".yaml"): f for f in _yaml_files(files("trunkline.envs.tactile") / "sensors")}
    for folder in filter(None, os.environ.get(FOLDERS_VARIABLE, "").split(os.pathsep)):
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise InputError(f"{FOLDERS_VARIABLE}: {folder!r} is not a folder")
        for file in _yaml_files(path):
            name = file.name.removesuffix(".yaml")
            if name in found:
                raise InputError(f"touch sensor {name!r} is defined twice: {found[name]} and {file}; rename one")
            found[name] = file
    return found


def _yaml_files(folder: Any) -> list[Any]:
    return [file for file in folder.iterdir() if file.name.endswith(".yaml")]


def _read(name: str, file: Any) -> TouchSensor:
    if not isinstance(file, Path):  # in an archive
        return _parse(name, file, 0)
    return _parse(name, file, file.stat().st_mtime_ns)


@lru_cache(maxsize=256)
def _parse(name: str, file: Any, modified: int) -> TouchSensor:
    """The sensor in a file as it was at the time `modified`: worlds ask for the whole catalogue, parsing takes long."""
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"touch sensor file {file}: {' '.join(str(error).split())}") from None
    if not isinstance(values, Mapping):
        raise InputError(f"touch sensor file {file} must be a mapping of keys to values")
    try:
        sensor = build(TouchSensor, values)
    except InputError as error:
        raise InputError(f"touch sensor file {file}: {error}") from None
    if sensor.name != name:
        raise InputError(f"touch sensor file {file}: name={sensor.name!r} must be the file's, {name!r}")
    return sensor
