"""Worlds: vectorised tasks with named sensors, one contract for every engine."""
