"""Environments that tests run in other processes; they need gymnasium and NumPy alone."""

import os
import signal
import subprocess
import time
from pathlib import Path

import gymnasium
import numpy as np
from gymnasium import spaces

INTEGERS = tuple(f"{sign}int{bits}" for bits in (8, 16, 32, 64) for sign in ("u", ""))
DTYPES = ("bool", *INTEGERS, "float16", "float32", "float64")


class Walk(gymnasium.Env):
    """Ten steps along a line that the seed and the actions decide.

    Args:
        trouble: [seed, step, what] of each episode that goes wrong: "die", "hang" or "raise"; step 0 is the reset.
        once: a folder where it is noted that something went wrong, so that it does so once only.
        child: whether a process is started, as some simulators do; its id is written to this file.
    """

    observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)
    action_space = spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, trouble=(), once=None, child=None):
        self.trouble = {(seed, step): what for seed, step, what in trouble}
        self.once = once
        if child:
            Path(child).write_text(str(subprocess.Popen(["sleep", "1000"]).pid))

    def reset(self, *, seed=None, options=None):
        self.seed, self.steps = seed, 0
        self.state = np.random.default_rng(seed).normal(size=3).astype(np.float32)
        self._go_wrong()
        return self.state, {}

    def step(self, action):
        self.steps += 1
        self._go_wrong()
        self.state = self.state + np.float32([*action, 1])
        return self.state, float(action[0]), self.steps == 10, False, {"success": bool(self.state[0] > 0)}

    def _go_wrong(self):
        what = self.trouble.get((self.seed, self.steps))
        if what is None:
            return
        if self.once is not None:
            note = Path(self.once) / f"{self.seed}-{self.steps}"
            if note.exists():
                return
            note.touch()
        if what == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        elif what == "hang":
            time.sleep(1000)
        else:
            raise ZeroDivisionError("the world is flat")


class Classic:
    """`Walk` as gym had it before 0.26."""

    observation_space = Walk.observation_space
    action_space = Walk.action_space

    def __init__(self):
        self.walk = Walk()
        self.next_seed = None

    def seed(self, seed):
        self.next_seed = seed

    def reset(self):
        return self.walk.reset(seed=self.next_seed)[0]

    def step(self, action):
        observation, reward, _, _, info = self.walk.step(action)
        late = self.walk.steps == 10
        return observation, reward, late, {**info, "TimeLimit.truncated": late}

    def close(self):
        pass


class Everything(gymnasium.Env):
    """Every kind of space and dtype; what is seen is a function of the step."""

    observation_space = spaces.Dict(
        {
            "boxes": spaces.Dict(
                {
                    dtype: spaces.Box(0, 1, (2, 3), np.dtype(dtype).type)
                    if dtype == "bool"
                    else spaces.Box(0, 100, (2, 3), np.dtype(dtype).type)
                    for dtype in DTYPES
                }
            ),
            "colour": spaces.Discrete(5),
            "switches": spaces.MultiBinary(4),
            "choices": spaces.MultiDiscrete([3, 4]),
            "name": spaces.Text(10),
        }
    )
    action_space = spaces.Discrete(3, start=-1)

    def __init__(self, wrong_shape=False):
        self.wrong_shape = wrong_shape

    def _see(self):
        ramp = np.arange(6).reshape(2, 3) + self.steps
        return {
            "boxes": {dtype: (ramp % 2 if dtype == "bool" else ramp).astype(dtype) for dtype in DTYPES},
            "colour": self.action + 1,
            "switches": np.arange(4, dtype=np.int8) % 2,
            "choices": np.array([2] if self.wrong_shape else [2, 3]),
            "name": "nobody",
        }

    def reset(self, *, seed=None, options=None):
        self.steps, self.action = 0, -1
        return self._see(), {}

    def step(self, action):
        assert self.action_space.contains(action)
        self.steps, self.action = self.steps + 1, action
        return self._see(), 0.0, False, False, {}
