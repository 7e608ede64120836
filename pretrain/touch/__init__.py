"""Learning from labelled touch of many sensors: tasks, sampling of (sensor, task) pairs, evaluation."""
