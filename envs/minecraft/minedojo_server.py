"""MineDojo itself, served over a socket. Run by path in an interpreter that has MineDojo; see `minedojo.py`.

    python minedojo_server.py --socket PATH

It stands alone but for `remote/server.py`, which it finds beside its own folder. It runs on Python 3.9 and later.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

_WIRE = os.path.join(os.path.dirname(os.path.dirname(os.path.realpath(__file__))), "remote", "server.py")


def load_wire() -> Any:
    """The module `remote/server.py`."""
    spec = importlib.util.spec_from_file_location("trunkline_wire", _WIRE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def plain(value: Any) -> Any:
    """An observation as it can travel: texts as lists."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    array = np.asarray(value)
    if array.dtype.kind in "US":
        return {"texts": [str(text) for text in array.ravel()], "shape": list(array.shape)}
    return array


class Game:
    """The methods: one environment of MineDojo's."""

    def __init__(self) -> None:
        self.env: Any = None

    def methods(self) -> dict[str, Any]:
        """What can be called, by name."""
        return {"make": self.make, "reset": self.reset, "step": self.step}

    def make(self, task_id: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Make the environment, which does not launch the game; what it asks for and how many choices there are."""
        self.close()
        minedojo = importlib.import_module("minedojo")
        given = {key: _tupled(value) for key, value in kwargs.items()}
        # MineDojo takes no argument twice: what a named task already says is changed there.
        named = getattr(minedojo.tasks, "ALL_TASKS_SPECS", {}).get(task_id, {})
        for key in [key for key in given if key in named]:
            named[key] = given.pop(key)
        self.env = minedojo.make(task_id, **given)
        parts = sorted(_leaves(self.env.observation_space))
        prompt = str(getattr(self.env, "task_prompt", "")) if task_id != "open-ended" else ""
        return {"choices": [int(n) for n in self.env.action_space.nvec], "observation": parts, "prompt": prompt}

    def reset(self) -> Any:
        """Begin an episode; the first one launches the game."""
        return plain(self.env.reset())

    def step(self, action: Sequence[int]) -> dict[str, Any]:
        """Take MineDojo's eight choices."""
        observation, reward, done, info = self.env.step(np.asarray(action, np.int64))
        success = bool(getattr(self.env, "is_successful", False))
        alive = bool(info.get("is_alive", True)) if isinstance(info, Mapping) else True
        return {
            "observation": plain(observation),
            "reward": float(reward),
            "done": bool(done),
            "success": success,
            "alive": alive,
        }

    def close(self) -> None:
        """End the game."""
        if self.env is not None:
            self.env.close()
            self.env = None


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _leaves(space: Any, path: str = "") -> list[str]:
    if type(space).__name__ != "Dict":
        return [path[1:]]
    return [name for key, part in space.spaces.items() for name in _leaves(part, f"{path}/{key}")]


def main() -> None:
    """Serve until the client is gone."""
    here = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or os.curdir) != here]  # it has a `minedojo.py`
    wire = load_wire()
    game = Game()
    try:
        wire.serve(game.methods(), "minedojo", "0.1")
    finally:
        game.close()


if __name__ == "__main__":
    main()
