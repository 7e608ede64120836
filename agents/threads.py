"""How many threads torch computes with."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch

from trunkline.envs.spec import SensorSpec


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Compute with `count` threads inside (0: as many as outside).

    An agent's layers are small: threads that wait for each other at every one of them gain little on free cores and
    lose a factor of ten on shared ones.
    """
    before = torch.get_num_threads()
    if count:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_for(sensors: Mapping[str, SensorSpec]) -> int:
    """Threads for an agent with these sensors: one where all are vectors, else 0, as many as torch has."""
    return int(all(len(sensor.shape) <= 1 for sensor in sensors.values()))
