"""Starting Warp, silently and only when a sensor is first read."""

import functools
import os
import sys
import tempfile
from typing import Any

from trunkline.errors import InputError

_NO_DRIVER = "Warp CUDA warning: Could not find or load the NVIDIA CUDA driver"


@functools.cache
def start_warp() -> Any:
    """The `warp` module, started; its kernels are cached in the user's cache folder, as Warp does by default."""
    import warp

    warp.config.log_level = warp.LOG_WARNING
    # Warp's native code says on stderr that there is no CUDA driver, whatever the log level; only that is dropped.
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            warp.init()
        finally:
            os.dup2(kept, 2)
            os.close(kept)
        caught.seek(0)
        lines = caught.read().decode(errors="replace").splitlines()
    for line in lines:
        if not line.startswith(_NO_DRIVER):
            print(line, file=sys.stderr)
    return warp


def find_device(name: str) -> Any:
    """The Warp device of that name.

    Raises:
        InputError: this machine has none.
    """
    warp = start_warp()
    try:
        return warp.get_device(name)
    except (ValueError, RuntimeError):
        known = ", ".join(device.alias for device in warp.get_devices())
        raise InputError(f"device {name!r} does not exist here; there are: {known}") from None
