"""Synthesised Minecraft tasks a second, on one core: terrains, targets, starts, goal cameras, and the hashed manifest.

All six interactions in equal shares, from the training split, as `trunkline tasks synthesize` makes them. `hours` is
what 100,000 would take; `bytes_per_task` is of the manifest.

    python perf/tasks.py [count]
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from trunkline.envs.manifest import Manifest
from trunkline.envs.minecraft.goals import INTERACTIONS
from trunkline.envs.minecraft.synthesis import synthesize

GOAL = 100_000


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3072
    synthesize(dict.fromkeys(INTERACTIONS, 1), 1)  # compiles the kernels
    begun = time.perf_counter()
    specs = synthesize(dict.fromkeys(INTERACTIONS, count // len(INTERACTIONS)), 0)
    made = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tasks.json"
        manifest = Manifest(tuple(spec for some in specs.values() for spec in some))
        manifest.save(path)
        saved = time.perf_counter()
        loaded = Manifest.load(path)
        read = time.perf_counter()
        size = path.stat().st_size
    assert loaded.sha256 == manifest.sha256
    done = len(manifest)
    rate = done / (saved - begun)
    print(f"{done} tasks: made in {made - begun:.1f} s, saved in {saved - made:.1f} s, read in {read - saved:.1f} s")
    result = {"tasks_per_s": round(rate, 1), "hours": round(GOAL / rate / 3600, 3), "bytes_per_task": size // done}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
