"""Arrays in memory that several processes have mapped: what is written there need not be sent."""

import fcntl
import mmap
import os
import tempfile
from collections.abc import Mapping

import numpy as np

_ALIGNMENT = 64  # bytes of a cache line: two processes never write to the same one


class SharedArrays:
    """Named arrays in one anonymous mapping, reached by others through an inherited file descriptor.

    The memory has no name in any folder, so nothing is left behind when its processes are gone.

    Attributes:
        fd: the file descriptor.
        size: bytes of the mapping.
        offsets: where each array begins.
        arrays: the arrays, zero at first.
    """

    def __init__(self) -> None:
        if hasattr(os, "memfd_create"):
            self.fd = os.memfd_create("trunkline", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        else:
            with tempfile.TemporaryFile() as file:
                self.fd = os.dup(file.fileno())
        self.size = 0
        self.offsets: dict[str, int] = {}
        self.arrays: dict[str, np.ndarray] = {}

    def allocate(self, forms: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
        """Make room for arrays of these shapes and dtypes; once, before others map the memory."""
        assert not self.size, "allocated once"
        for name, (shape, dtype) in forms.items():
            self.offsets[name] = self.size
            bytes_needed = int(np.prod(shape)) * np.dtype(dtype).itemsize
            self.size += -(-bytes_needed // _ALIGNMENT) * _ALIGNMENT
        self.size = max(self.size, mmap.PAGESIZE)
        os.ftruncate(self.fd, self.size)
        if hasattr(os, "memfd_create"):  # nobody who has the descriptor can shrink the memory under the others
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
        memory = mmap.mmap(self.fd, self.size)
        for name, (shape, dtype) in forms.items():
            self.arrays[name] = np.ndarray(shape, dtype, memory, self.offsets[name])

    def close(self) -> None:
        """Let go of the memory; it is unmapped when its last array is gone."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        self.arrays = {}
