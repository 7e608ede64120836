"""Normalisation statistics for an agent that starts with no data set: measured under random actions."""

from collections.abc import Mapping

import numpy as np

from trunkline.envs.random import generator
from trunkline.envs.registry import sample_tasks
from trunkline.envs.spec import SensorSpec
from trunkline.rollout.rl.fragment import Group

SIMULATIONS, STEPS, EVERY = 32, 60, 5


def measure_statistics(
    groups: tuple[Group, ...], sensors: Mapping[str, SensorSpec], seed: int
) -> dict[str, SensorSpec]:
    """The sensors with mean and deviation, per element (vectors) or per channel, over the tasks' training contexts."""
    readings: dict[str, list[np.ndarray]] = {name: [] for name in sensors}
    for group in groups:
        for task in group.tasks:
            rng = generator("statistics", task, seed)
            world = group.make_worlds(task, SIMULATIONS)
            world.action_space.seed(int(rng.integers(2**31)))
            contexts = sample_tasks(task, SIMULATIONS * STEPS // EVERY, int(rng.integers(2**31)), "train")
            observations, _ = world.reset(options={"tasks": contexts})
            for step in range(STEPS):
                if step % EVERY == 0:
                    for name in readings.keys() & set(group.sensors):
                        readings[name].append(_rows(observations[name], sensors[name]))
                # Actions held for a while lead further than ones that change at every step.
                if step % EVERY == 0:
                    actions = world.action_space.sample()
                observations = world.step(actions)[0]
            world.close()
    measured = {}
    for name, spec in sensors.items():
        if spec.mean is None and readings[name]:
            values = np.concatenate(readings[name]).astype(np.float64)
            spec = spec.with_statistics(values.mean(0), values.std(0))
        measured[name] = spec
    return measured


def _rows(values: np.ndarray, spec: SensorSpec) -> np.ndarray:
    """(rows, elements) of a vector sensor, (rows, channels) of an image."""
    return values.reshape(len(values), -1) if len(spec.shape) <= 1 else values.reshape(-1, spec.shape[-1])
