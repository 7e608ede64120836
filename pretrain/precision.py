"""The forward pass in bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# On an H100 flash attention 2, made for GPUs before it, was a quarter of a step; cuDNN has kernels made for it.
ATTENTION = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@contextmanager
def bfloat16(device: torch.device) -> Iterator[None]:
    """Autocast to bfloat16, cuDNN's attention before others."""
    with torch.autocast(device.type, torch.bfloat16), sdpa_kernel(ATTENTION, set_priority=True):
        yield
