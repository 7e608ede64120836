"""Gel images from depth maps on one core: the time of a 640×480 image, images/s at 64² and 224², peak memory.

Sensor: GelSight Mini (three lights); with printed dots as well. Rivals: Taxim's published 28 ms a 640×480 image on a
CPU, and the same picture by NumPy and SciPy in this run (its Gaussians are Taxim's, at full resolution). Limit: 2.8 ms.
Where there is a CUDA device, images/s there too. Each figure is the best of many short rounds, as other processes only
slow a core down. `compile_s` is what the first use of a sensor costs a machine that has no cached kernels.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trunkline.envs.tactile.optics import Optics
from trunkline.envs.tactile.sensor import TouchSensor, load_touch_sensor
from trunkline.envs.warp import start_warp

TAXIM_MS = 28.0
LIMIT_MS = 2.8
ROUNDS = 60


def memory_mb(field: str) -> float:
    """VmRSS (now) or VmHWM (peak) of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {field} in /proc/self/status")


def pressed(sensor: TouchSensor, rows: int, cols: int, count: int) -> np.ndarray:
    """Balls of 5 mm radius, each elsewhere and pressed to another depth, (count, rows, cols) m."""
    chart = sensor.gel.chart(rows, cols)
    fields = []
    for i in range(count):
        away = np.linalg.norm(chart - 2e-3 * np.array([np.cos(i), np.sin(i)]), axis=-1)
        drop = 5e-3 - np.sqrt(np.maximum(25e-6 - away**2, 0))
        fields.append(np.maximum((0.3 + 0.9 * i / count) * 1e-3 - drop, 0).reshape(rows, cols))
    return np.array(fields, np.float32)


def best(job: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Seconds of the fastest of several runs, after one to warm up."""
    job()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        job()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(name: str, size: tuple[int, int], count: int, device: str = "cpu", rounds: int = ROUNDS) -> float:
    """Seconds of one image in batches of `count`."""
    sensor = load_touch_sensor(name)
    optics = Optics(sensor, count, size, device)
    depth = pressed(sensor, *size, count)
    shear, seeds = np.full((count, 3), 1e-4), np.arange(count)
    return best(lambda: optics.render(depth, shear, seeds), rounds) / count


def in_numpy(sensor: TouchSensor, size: tuple[int, int]) -> Callable[[np.ndarray], np.ndarray]:
    """The same picture, written down plainly."""
    from scipy.ndimage import gaussian_filter

    background = Optics(sensor, 1, size).background.astype(np.float32)
    pitch = np.array(sensor.gel.size_mm)[::-1] * 1e-3 / size
    lights = []
    for light in sensor.lights:
        azimuth, elevation = np.deg2rad([light.azimuth_deg, light.elevation_deg])
        toward = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
        lights.append((toward.astype(np.float32), np.array(light.colour, np.float32)))
    rng = np.random.default_rng(0)

    def render(depth: np.ndarray) -> np.ndarray:
        shape = depth
        for width in (101, 51, 21, 11, 5):
            # OpenCV's deviation for a kernel of that many pixels, cut off where the kernel ends.
            shape = gaussian_filter(shape, 0.3 * ((width - 1) * 0.5 - 1) + 0.8, truncate=3.2)
            shape = np.maximum(shape, depth)
        down, across = np.gradient(shape, *pitch)
        normal = np.stack([-across, down, np.ones_like(shape)], -1)
        normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
        image = background.copy()
        for toward, colour in lights:
            image += (np.maximum(normal @ toward, 0) - toward[2])[..., None] * colour
        image += sensor.noise * rng.standard_normal(image.shape, dtype=np.float32)
        return np.clip(image + 0.5, 0, 255).astype(np.uint8)

    return render


def cold() -> None:
    """The first image of a sensor, kernels not yet compiled."""
    with tempfile.TemporaryDirectory() as folder:
        start_warp().config.kernel_cache_dir = folder
        start = time.perf_counter()
        Optics(load_touch_sensor("gelsight_mini"), 1, (64, 64)).render(np.zeros((1, 64, 64)))
        print(json.dumps({"compile_s": time.perf_counter() - start}))


def memory() -> None:
    """What a renderer of 64 images adds to a process in which Warp is running, at its peak."""
    figures = {}
    start_warp()
    sensor = load_touch_sensor("gelsight_mini")
    Optics(sensor, 1, (32, 32)).render(np.zeros((1, 32, 32)))  # loads the kernels
    for size, count in (((64, 64), 64), ((224, 224), 64), ((480, 640), 8)):
        depth = pressed(sensor, *size, count)
        before = memory_mb("VmRSS")
        optics = Optics(sensor, count, size)
        for _ in range(5):
            optics.render(depth)
        figures[f"peak_mb_{size[1]}x{size[0]}x{count}"] = memory_mb("VmHWM") - before
    print(json.dumps(figures))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("cold", "memory"))
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to run on")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {arguments.core})
    if arguments.part:
        {"cold": cold, "memory": memory}[arguments.part]()
        return
    figures: dict[str, float] = {}
    sensor = load_touch_sensor("gelsight_mini")
    vga, size_64, size_224 = (480, 640), (64, 64), (224, 224)
    figures["ms_640x480"] = 1e3 * measure("gelsight_mini", vga, 1)
    figures["ms_640x480_markers"] = 1e3 * measure("gelsight_mini_markers", vga, 1)
    figures["fps_64"] = 1 / measure("gelsight_mini", size_64, 64)
    figures["fps_64_markers"] = 1 / measure("gelsight_mini_markers", size_64, 64)
    figures["fps_224"] = 1 / measure("gelsight_mini", size_224, 8)
    figures["fps_64_single"] = 1 / measure("gelsight_mini", size_64, 1)
    plain = in_numpy(sensor, vga)
    depth = pressed(sensor, *vga, 1)[0]
    figures["numpy_ms_640x480"] = 1e3 * best(lambda: plain(depth), 5)
    for part in ("memory", "cold"):
        command = [sys.executable, __file__, "--part", part, "--core", str(arguments.core)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        figures |= json.loads(done.stdout.splitlines()[-1])
    if start_warp().is_cuda_available():
        figures["cuda_fps_64"] = 1 / measure("gelsight_mini", size_64, 4096, "cuda", 10)
        figures["cuda_fps_224"] = 1 / measure("gelsight_mini", size_224, 1024, "cuda", 10)
        figures["cuda_ms_640x480"] = 1e3 * measure("gelsight_mini", vga, 1, "cuda")
    figures["over_taxim"] = TAXIM_MS / figures["ms_640x480"]
    print(
        f"640×480: {figures['ms_640x480']:.2f} ms a core, limit {LIMIT_MS} ms; Taxim's published time is {TAXIM_MS} ms"
    )
    print(json.dumps({name: round(value, 3 if value < 100 else 0) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
