"""Gel images: what the camera of an optical sensor sees when something presses into its gel.

The gel's shape (`pyramid`) turns the surface normals; K coloured lights (Lambert) then change the background image; dots
printed on the gel move with it (`markers`); the camera adds noise. B images, H rows, W columns.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from trunkline.envs.tactile.sensor import TouchSensor
from trunkline.envs.tactile.start import find_device, start_warp
from trunkline.errors import InputError

Images = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
_WORKING_PIXELS = 2**19  # in flight at once on a CPU, so that the planes stay in its cache


class Optics:
    """The optics of one sensor.

    An image depends on its depth, shear and seed alone: not on its place in the batch nor, up to rounding, on the device.

    Args:
        sensor: an optical sensor.
        num: images in a typical call; it sizes the buffers, calls with more or fewer are fine.
        resolution: rows and columns of the images; None: the sensor's own.
        device: of Warp: "cpu", "cuda", "cuda:1", …

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
        from trunkline.envs.tactile.pyramid import Pyramid
        from trunkline.envs.tactile.resample import Resample

        rows, cols = sensor.resolution
        pitch = np.array(sensor.pixel_pitch_mm)
        on_cpu = find_device(device).is_cpu
        count = max(1, min(num, _WORKING_PIXELS // (rows * cols))) if on_cpu else max(1, num)
        self._gel = gel = Pyramid(count, rows, cols, sensor.gel.smoothing_mm / float(np.sqrt(pitch.prod())), device)
        self._resample = Resample(rows, cols)
        self._out = gel.plane(gel.grids[0], dtype=warp.uint8, depth=3)
        self._seeds = warp.zeros(count, dtype=warp.uint32, device=gel.device)
        self.background, background = self._look(gel)
        self._background = warp.array(background, dtype=warp.uint32, device=gel.device)
        self._markers = None
        if sensor.markers is not None:
            from trunkline.envs.tactile.markers import MarkerField

            self._markers = MarkerField(sensor, gel)
        self._shading = self._lights(warp, pitch * 1e-3)

    def render(
        self, depth: npt.ArrayLike, shear: npt.ArrayLike | None = None, seeds: npt.ArrayLike | None = None
    ) -> Images:
        """Images of pressed gels.

        Args:
            depth: (B, h, w) m ≥ 0, how far things reach into the undeformed gel; any h × w cells over the whole gel.
            shear: (B, 3) tangential movement of the contact since touch-down: x and y in m, then the turn about its centre
                in rad, counter-clockwise; None: none.
            seeds: (B,) of the noise, uint32; None: 0.

        Returns:
            (B, H, W, 3) counts.

        Raises:
            InputError: a shape that does not fit, or a depth that is negative or not a number.
        """
        depth = self._checked(depth)
        shear = self._per_image(shear, "shear", (len(depth), 3), np.float32)
        seeds = self._per_image(seeds, "seeds", (len(depth),), np.uint32)
        images = np.empty((len(depth), *self.sensor.resolution, 3), np.uint8)
        for part in self._parts(len(depth)):
            count = len(images[part])
            self._gel.press(self._resample(depth[part]))
            if self._markers is not None:
                self._markers.move(shear[part])
            self._shade(seeds[part])
            images[part] = self._gel.view(self._out, depth=3)[:count]
        return images

    def shape(self, depth: npt.ArrayLike) -> Floats:
        """Depth (B, H, W) in m of the gel's deformed surface, contact and free gel."""
        depth = self._checked(depth)
        shapes = np.empty((len(depth), *self.sensor.resolution), np.float32)
        for part in self._parts(len(depth)):
            self._gel.press(self._resample(depth[part]))
            shapes[part] = self._gel.view(self._gel.shape[0])[: len(shapes[part])]
        return shapes

    def marker_positions(self, depth: npt.ArrayLike, shear: npt.ArrayLike) -> Floats:
        """Chart coordinates (B, markers, 2) in m of the printed dots, row by row.

        Raises:
            InputError: the sensor has no markers.
        """
        if self._markers is None:
            raise InputError(f"touch sensor {self.sensor.name!r} has no markers")
        depth = self._checked(depth)
        shear = self._per_image(shear, "shear", (len(depth), 3), np.float32)
        places = []
        for part in self._parts(len(depth)):
            self._gel.press(self._resample(depth[part]))
            places.append(self._markers.move(shear[part]))
        return np.concatenate(places)

    def _shade(self, seeds: npt.NDArray[np.uint32]) -> None:
        gel, markers = self._gel, self._markers
        self._seeds.assign(np.pad(seeds, (0, gel.num - len(seeds))))
        coverage = gel.shape[0] if markers is None else markers.coverage
        args = [gel.shape[0], coverage, self._background, self._marker_colour, self._seeds, *self._shading]
        gel.launch(self._kernel, len(seeds), gel.grids[0], [*args, self._out, gel.grids[0]])

    def _lights(self, warp: Any, pitch: npt.NDArray[np.float64]) -> list[Any]:
        """Directions, colours, slopes a unit of Sobel's sums, and noise, as the kernel takes them."""
        from trunkline.envs.tactile.kernels import MAX_LIGHTS, Vectors, shade_kernel

        lights = 4 if len(self.sensor.lights) <= 4 else MAX_LIGHTS
        self._kernel = shade_kernel(self._gel.block, lights, self.sensor.markers is not None)
        directions, colours = np.zeros((2, MAX_LIGHTS, 3), np.float32)
        for row, light in enumerate(self.sensor.lights):
            azimuth, elevation = np.deg2rad([light.azimuth_deg, light.elevation_deg])
            flat = np.cos(elevation)
            directions[row] = flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation)
            colours[row] = light.colour
        markers = self.sensor.markers
        self._marker_colour = warp.vec3(*(markers.colour if markers is not None else (0.0, 0.0, 0.0)))
        slopes = [float(1 / (8 * p)) for p in pitch]
        return [Vectors(directions), Vectors(colours), *slopes, float(self.sensor.noise)]

    def _look(self, gel: Any) -> tuple[Images, npt.NDArray[np.uint32]]:
        """The untouched gel's image (H, W, 3), and a plane of words: red, green, blue, then the lights' gain."""
        sensor = self.sensor
        assert sensor.background is not None
        rows, cols = sensor.resolution
        x = (np.arange(cols) + 0.5) / cols * 2 - 1
        y = 1 - (np.arange(rows) + 0.5) / rows * 2
        image = np.broadcast_to(np.array(sensor.background.colour), (rows, cols, 3)).copy()
        for light in sensor.lights:
            azimuth = np.deg2rad(light.azimuth_deg)
            nearness = x[None, :] * np.cos(azimuth) + y[:, None] * np.sin(azimuth)
            image += sensor.background.gradient * nearness[..., None] * np.array(light.colour)
        dimming = 1 - sensor.background.vignette * (x[None, :] ** 2 + y[:, None] ** 2) / 2
        dimming = dimming * sensor.gel.mask(rows, cols)
        colours = np.clip(np.rint(image * dimming[..., None]), 0, 255).astype(np.uint8)
        gains = np.clip(np.rint(255 * dimming), 0, 255).astype(np.uint8)
        words = np.zeros((1, gel.grids[0].plane // gel.grids[0].stride, gel.grids[0].stride), np.uint32)
        from trunkline.envs.tactile.kernels import HALO

        parts = np.concatenate([colours, gains[..., None]], -1).astype(np.uint32) << np.array([0, 8, 16, 24], np.uint32)
        words[:, HALO : HALO + rows, HALO : HALO + cols] = parts.sum(-1, dtype=np.uint32)
        return colours, np.pad(words.ravel(), (0, 2 * gel.grids[0].stride + 64))

    def _parts(self, count: int) -> list[slice]:
        return [slice(first, first + self._gel.num) for first in range(0, count, self._gel.num)]

    def _checked(self, depth: npt.ArrayLike) -> Floats:
        array = np.ascontiguousarray(depth, np.float32)
        if array.ndim != 3 or 0 in array.shape:
            raise InputError(f"depth of shape {array.shape} must be (images, rows, columns)")
        if not array.min() >= 0:  # also false for a number that is none
            raise InputError(f"depth holds {array.min()}; it must be zero where nothing touches, metres ≥ 0 elsewhere")
        return array

    def _per_image(self, values: npt.ArrayLike | None, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
        array = np.zeros(shape, dtype) if values is None else np.ascontiguousarray(values, dtype)
        if array.shape != shape:
            raise InputError(f"{name} of shape {array.shape} must be {shape}, one for each depth")
        return array
