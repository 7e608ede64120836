"""Minecraft: a batched voxel world in Warp kernels."""
