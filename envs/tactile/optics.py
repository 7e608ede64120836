"""Gel images: what the camera of an optical sensor sees when something presses into its gel.

The gel's shape (`pyramid`) turns the surface normals; coloured lights (Lambert) then change the background image; dots
printed on the gel move with it (`markers`); the camera adds noise. B images, H rows, W columns.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile.resample import resample
from trunkline.envs.tactile.sensor import MAX_LIGHTS, TouchSensor
from trunkline.envs.warp import find_device, start_warp
from trunkline.errors import InputError

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]
_WORKING_PIXELS = 2**18  # in flight at once on a CPU, so that the planes stay in its cache


class Optics:
    """The optics of one sensor.

    An image depends on its depth, shear and seed alone: not on its place in the batch, nor (rounding apart) the device.

    Args:
        sensor: an optical sensor.
        num: images in a typical call; it sizes the buffers, calls with more or fewer are fine.
        resolution: rows and columns of the images; None: the sensor's own.
        device: of Warp: "cpu", "cuda", "cuda:1", …

    Attributes:
        background: the image (H, W, 3) of the untouched gel, without noise and markers.

    Raises:
        InputError: the sensor is a taxel array, or there is no such device.
    """

    def __init__(
        self, sensor: TouchSensor, num: int, resolution: tuple[int, int] | None = None, device: str = "cpu"
    ) -> None:
        if sensor.background is None:
            raise InputError(f"touch sensor {sensor.name!r} is a taxel array; read it with Taxels")
        self.sensor = sensor = sensor.with_resolution(resolution)
        warp = start_warp()
        # These define kernels, and so need a started Warp.
        from trunkline.envs.tactile.markers import MarkerField
        from trunkline.envs.tactile.pyramid import Pyramid

        rows, cols = sensor.resolution
        on_cpu = find_device(device).is_cpu
        count = max(1, min(num, _WORKING_PIXELS // (rows * cols)) if on_cpu else num)
        bend = sensor.gel.smoothing_mm / float(np.sqrt(np.prod(sensor.pixel_pitch_mm)))
        self._gel = gel = Pyramid(count, rows, cols, bend, device)
        self._markers = None if sensor.markers is None else MarkerField(sensor, gel)
        self._out = gel.plane(gel.grids[0], dtype=warp.uint8, depth=3)
        self._seeds = warp.zeros(count, dtype=warp.uint32, device=gel.device)
        self.background = _background(sensor)
        self._shading = self._record(warp)

    def render(
        self, depth: npt.ArrayLike, shear: npt.ArrayLike | None = None, seeds: npt.ArrayLike | None = None
    ) -> Images:
        """Images of pressed gels.

        Args:
            depth: (B, h, w) m ≥ 0, how far things reach into the undeformed gel; any h × w cells over the whole gel.
            shear: (B, 3) tangential movement of the contact since touch-down: x and y in m, then the turn about its
                centre in rad, counter-clockwise; None: none.
            seeds: (B,) of the noise, uint32; None: 0.

        Returns:
            (B, H, W, 3) counts.

        Raises:
            InputError: a shape that does not fit, or a depth that is negative or not a number.
        """
        fields = _checked(depth)
        movements = _one_each(shear, "shear", (len(fields), 3), np.float32)
        words: Words = _one_each(seeds, "seeds", (len(fields),), np.uint32)
        images = np.empty((len(fields), *self.sensor.resolution, 3), np.uint8)
        for part in self._parts(len(fields)):
            self._gel.press(resample(fields[part], self.sensor.resolution))
            if self._markers is not None:
                self._markers.move(movements[part])
            self._shade(words[part])
            images[part] = self._gel.view(self._out, depth=3)[: len(words[part])]
        return images

    def shape(self, depth: npt.ArrayLike) -> Floats:
        """Depth (B, H, W) in m of the gel's deformed surface below the undeformed one, in contact and free."""
        fields = _checked(depth)
        shapes = np.empty((len(fields), *self.sensor.resolution), np.float32)
        for part in self._parts(len(fields)):
            self._gel.press(resample(fields[part], self.sensor.resolution))
            shapes[part] = self._gel.view(self._gel.shape[0])[: len(shapes[part])]
        return shapes

    def marker_positions(self, depth: npt.ArrayLike, shear: npt.ArrayLike | None = None) -> Floats:
        """Chart coordinates (B, dots, 2) in m of the printed dots, row by row from the top left.

        Raises:
            InputError: the sensor has no markers.
        """
        if self._markers is None:
            raise InputError(f"touch sensor {self.sensor.name!r} has no markers")
        fields = _checked(depth)
        movements = _one_each(shear, "shear", (len(fields), 3), np.float32)
        places = []
        for part in self._parts(len(fields)):
            self._gel.press(resample(fields[part], self.sensor.resolution))
            self._markers.move(movements[part])
            places.append(self._markers.places(len(movements[part])))
        return np.concatenate(places)

    def _shade(self, seeds: Words) -> None:
        if self._gel.device.is_cpu:
            self._seeds.numpy()[: len(seeds)] = seeds
        else:
            self._seeds.assign(np.pad(seeds, (0, self._gel.num - len(seeds))))
        self._shading.set_dim(self._gel.threads(len(seeds), self._gel.grids[0]))
        self._shading.launch()

    def _record(self, warp: Any) -> Any:
        """The launch that draws the images."""
        from trunkline.envs.tactile import kernels, shade_kernels

        sensor, gel, markers = self.sensor, self._gel, self._markers
        directions, colours = np.zeros((2, MAX_LIGHTS, 3), np.float32)
        for row, light in enumerate(sensor.lights):
            azimuth, elevation = np.deg2rad([light.azimuth_deg, light.elevation_deg])
            along = np.cos(elevation)
            directions[row] = along * np.cos(azimuth), along * np.sin(azimuth), np.sin(elevation)
            colours[row] = light.colour
        # Sobel's sums are 8 pixel pitches wide.
        slopes = [1e3 / (8 * pitch) for pitch in sensor.pixel_pitch_mm]
        ink = warp.vec3(*(sensor.markers.colour if sensor.markers is not None else (0.0, 0.0, 0.0)))
        look = warp.array(self._look(gel.grids[0], kernels.HALO), dtype=warp.uint32, device=gel.device)
        coverage = gel.shape[0] if markers is None else markers.coverage
        light_args = [shade_kernels.Vectors(directions), shade_kernels.Vectors(colours), *slopes, sensor.noise]
        args = [gel.shape[0], coverage, look, ink, self._seeds, *light_args, self._out, gel.grids[0]]
        kernel = shade_kernels.shade_kernel(gel.block, len(sensor.lights), markers is not None)
        return gel.command(kernel, gel.threads(gel.num, gel.grids[0]), args)

    def _look(self, grid: Any, edge: int) -> Words:
        """A plane of words: the background's red, green and blue, and the gain of the lights, a byte each."""
        rows, cols = self.sensor.resolution
        gain = np.rint(255 * _dimming(self.sensor)).astype(np.uint32)
        red, green, blue = self.background.astype(np.uint32).transpose(2, 0, 1)
        words = np.zeros((grid.plane // grid.stride + 3, grid.stride), np.uint32)
        words[edge : edge + rows, edge : edge + cols] = red | green << 8 | blue << 16 | gain << 24
        return words.ravel()

    def _parts(self, count: int) -> list[slice]:
        return [slice(first, min(first + self._gel.num, count)) for first in range(0, count, self._gel.num)]


def _dimming(sensor: TouchSensor) -> npt.NDArray[np.float64]:
    """Share (H, W) of the light that is left by the vignette and, beyond a dome's rim, by the lack of gel."""
    assert sensor.background is not None
    rows, cols = sensor.resolution
    x, y = _image_coordinates(rows, cols)
    return np.asarray((1 - sensor.background.vignette * (x**2 + y**2) / 2) * sensor.gel.mask(rows, cols))


def _background(sensor: TouchSensor) -> Images:
    """The untouched gel (H, W, 3): its colour, brighter in each light's colour towards that light."""
    assert sensor.background is not None
    x, y = _image_coordinates(*sensor.resolution)
    image = np.zeros((*sensor.resolution, 3)) + sensor.background.colour
    for light in sensor.lights:
        azimuth = np.deg2rad(light.azimuth_deg)
        nearness = x * np.cos(azimuth) + y * np.sin(azimuth)
        image += sensor.background.gradient * nearness[..., None] * np.array(light.colour)
    return np.clip(np.rint(image * _dimming(sensor)[..., None]), 0, 255).astype(np.uint8)


def _image_coordinates(rows: int, cols: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """From -1 to 1, x right (1, W) and y up (H, 1)."""
    return (np.arange(cols)[None, :] + 0.5) / cols * 2 - 1, 1 - (np.arange(rows)[:, None] + 0.5) / rows * 2


def _checked(depth: npt.ArrayLike) -> Floats:
    array = np.ascontiguousarray(depth, np.float32)
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"depth of shape {array.shape} must be (images, rows, columns)")
    if not array.min() >= 0:  # also false for what is not a number
        raise InputError(f"depth holds {array.min()}; it must be zero where nothing touches, metres ≥ 0 elsewhere")
    return array


def _one_each(values: npt.ArrayLike | None, name: str, shape: tuple[int, ...], dtype: Any) -> npt.NDArray[Any]:
    array = np.zeros(shape, dtype) if values is None else np.ascontiguousarray(values, dtype)
    if array.shape != shape:
        raise InputError(f"{name} of shape {array.shape} must be {shape}, one for each depth")
    return array
