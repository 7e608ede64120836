"""Fixtures that several test files share."""

import pytest


@pytest.fixture(scope="module")
def ray_session():
    """Ray on two CPUs, private and on loopback, for one test file; code that opens a session of its own joins it."""
    from trunkline.rollout import ray_session as session

    with session.ray_session(num_cpus=2, object_store_mb=128):
        yield
