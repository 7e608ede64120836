"""The touch benchmark: one contact through many sensors, and which (sensor, task) pairs transfer without training."""
