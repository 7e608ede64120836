"""Reinforcement learning on RLlib's new API stack, stepping native batches of worlds."""
