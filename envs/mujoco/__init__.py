"""Worlds stepped by `mujoco.batch`."""
