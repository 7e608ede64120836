"""Warp kernels of the voxel world, one idea a file; import them only after `envs.warp.start_warp`."""
