"""Encoders, one module each: a sensor's raw readings (B, *shape) to tokens (B, N, D)."""
