"""The same on a GPU as on a CPU, to rounding: voxel worlds, what is seen of them, and gel images."""

import numpy as np
import pytest

from trunkline.envs.minecraft import actions
from trunkline.envs.minecraft.terrain import BIOMES, generate
from trunkline.envs.registry import make_worlds, sample_tasks
from trunkline.envs.tactile.optics import Optics
from trunkline.envs.tactile.sensor import load_touch_sensor
from trunkline.envs.warp import start_warp

pytestmark = pytest.mark.skipif(not start_warp().is_cuda_available(), reason="this machine has no CUDA device")
DEVICES = ("cpu", "cuda:0")
COUNT, STEPS = 8, 40


@pytest.mark.parametrize("biome", range(len(BIOMES)))
def test_terrain_is_the_same_to_the_bit(biome):
    size = (64, 64, 64)
    blocks = []
    for device in DEVICES:
        array = start_warp().zeros((2, size[0] * size[1] * size[2]), dtype=start_warp().uint8, device=device)
        generate(array, np.arange(2), np.array([3, 4]), np.full(2, biome), size, device)
        blocks.append(array.numpy())
    np.testing.assert_array_equal(*blocks)


def play(task, device):
    """Readings and outcomes of a few episodes under the same actions."""
    sensors = ("rgb", "depth", "segmentation", "status", "goal_view", "target_view")
    specs = sample_tasks(f"minecraft/{task}", COUNT, 5)
    world = make_worlds(f"minecraft/{task}", COUNT, sensors=sensors, device=device, ticks_per_step=4)
    rng = np.random.default_rng(0)
    seen, _ = world.reset(options={"tasks": specs})
    frames = [seen]
    for _ in range(STEPS):
        action = np.tile(actions.IDLE, (COUNT, 1))
        action[:, actions.FORWARD] = rng.integers(3, size=COUNT)
        action[:, actions.YAW] += rng.integers(-1, 2, size=COUNT)
        action[:, actions.HANDS] = rng.integers(4, size=COUNT)
        seen, *_ = world.step(action)
        frames.append({name: np.array(value) for name, value in seen.items()})
    return frames


_HUNT = pytest.mark.xfail(
    reason="on an H100 one agent of eight was elsewhere than on the CPU after 160 ticks among mobs"
)


@pytest.mark.parametrize("task", ["approach", "break", "place", pytest.param("hunt", marks=_HUNT)])
def test_episodes_are_the_same_to_rounding(task):
    """Rounding can move an edge by a pixel and, seldom, what an agent that rubs along a wall touches."""
    on_cpu, on_gpu = (play(task, device) for device in DEVICES)
    np.testing.assert_allclose(on_cpu[-1]["status"], on_gpu[-1]["status"], atol=1e-4)
    for name in ("rgb", "goal_view"):
        apart = [np.abs(a[name].astype(int) - b[name].astype(int)) > 2 for a, b in zip(on_cpu, on_gpu, strict=True)]
        assert np.mean(apart) < 0.005, name
    apart = [(a["segmentation"] != b["segmentation"]).mean() for a, b in zip(on_cpu, on_gpu, strict=True)]
    assert np.mean(apart) < 0.005


@pytest.mark.parametrize("name", ["gelsight_mini_markers", "densetact", "digit"])
def test_gel_images_are_the_same_to_rounding(name):
    rng = np.random.default_rng(0)
    depth = np.zeros((4, 64, 64), np.float32)
    depth[:, 20:40, 24:44] = rng.uniform(1e-4, 6e-4, (4, 1, 1))
    images = [
        np.asarray(
            Optics(load_touch_sensor(name), 4, (64, 64), device).render(depth, np.full((4, 3), 1e-4), np.arange(4))
        )
        for device in DEVICES
    ]
    assert images[0].std() > 1
    assert np.abs(images[0].astype(int) - images[1].astype(int)).max() <= 1
