"""Fixtures that several test files share."""

import pytest
import torch


def pytest_collection_modifyitems(items):
    """Files with slow tests first, so that one process is not left with them when the other has nothing to do."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session", autouse=True)
def one_torch_thread():
    """Two test processes on two cores wait for each other's threads otherwise; the models here are tiny."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ray_session():
    """Ray on two CPUs, private and on loopback, for one test file; code that opens a session of its own joins it."""
    from trunkline.rollout import ray_session as session

    with session.ray_session(num_cpus=2, object_store_mb=128):
        yield


@pytest.fixture(scope="session")
def installed():
    """The folder of the protocol server's packages, installed if need be."""
    from trunkline.envs.minecraft.server_process import PACKAGES
    from trunkline.errors import InputError

    try:
        return PACKAGES.install()
    except InputError as error:
        pytest.skip(f"the protocol server cannot be installed: {error}")
