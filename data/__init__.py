"""Episodes on disk: LeRobotDataset v3.0 writer and reader, streaming, statistics, metrics.

Legend: B batch, T time, A action dimensions, C channels.
"""
