"""Run by MineDojo's own Python: prints its spaces as JSON. `minedojo_spaces.json` was made with it, MineDojo 0.1.

~/.cache/trunkline/minedojo/*/bin/python tests/minedojo_spaces.py
"""

import json
import logging

import numpy as np

logging.disable(logging.CRITICAL)

import gym  # noqa: E402
import minedojo  # noqa: E402

RAYS = [(0.0, 0.0, 10.0), (0.1, -0.2, 5.0)]


def described(space):
    """One leaf; all of its bounds are the same, None stands for none."""
    found = {"space": type(space).__name__, "shape": list(space.shape)}
    found["dtype"] = "str" if found["space"] == "Text" else np.dtype(space.dtype).name
    if found["space"] == "Box":
        for name in ("low", "high"):
            (bound,) = np.unique(getattr(space, name))
            found[name] = float(bound) if np.isfinite(bound) else None
    if found["space"] == "MultiDiscrete":
        found["nvec"] = [int(n) for n in space.nvec]
    if found["space"] == "Discrete":
        found["n"] = int(space.n)
    return found


def leaves(space, path=""):
    """All leaves by their paths."""
    if not isinstance(space, gym.spaces.Dict):
        return {path[1:]: described(space)}
    return {name: leaf for key, part in space.spaces.items() for name, leaf in leaves(part, path + "/" + key).items()}


env = minedojo.make("open-ended", image_size=(160, 256), use_voxel=True, use_lidar=True, lidar_rays=RAYS)
action = env.action_space
found = {
    "source": "MineDojo 0.1 on gym 0.21.0, NumPy 1.23.5 and Python 3.11: tests/minedojo_spaces.py",
    "action": {
        "nvec": [int(n) for n in action.nvec],
        "no_op": [int(n) for n in action.no_op()],
        "dtype": str(action.dtype),
    },
    "observation": leaves(env.observation_space),
}
print(json.dumps(found, indent=1))
