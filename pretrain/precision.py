"""The forward pass in bfloat16."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# On an H100 cuDNN's attention takes half the time of flash attention 2, which was made for GPUs before it.
ATTENTION = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


@contextmanager
def bfloat16(device: torch.device) -> Iterator[None]:
    """Autocast to bfloat16, with the fastest attention that the device has."""
    with torch.autocast(device.type, torch.bfloat16), sdpa_kernel(ATTENTION, set_priority=True):
        yield
