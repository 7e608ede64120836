"""A finetuning run's folder: whose it is, its checkpoints, and the latest of them.

<folder>/config.json, metrics.jsonl, TensorBoard events, checkpoints/<8 digits: iterations>/
"""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trunkline.agents.agent import Agent
from trunkline.agents.checkpoint import save_agent
from trunkline.errors import InputError
from trunkline.files import write_text
from trunkline.rollout.rl.algorithm import Finetuner
from trunkline.rollout.rl.config import ELSEWHERE, FinetuneConfig
from trunkline.schema import to_plain

_NAME = re.compile(r"\d{8}")


class RunFolder:
    """The folder of one finetuning run.

    Args:
        config: the run.
        folder: made if it does not exist.
    """

    def __init__(self, config: FinetuneConfig, folder: Path) -> None:
        self.config = config
        self.folder = folder

    def check(self) -> None:
        """See that the folder is this run's or nobody's.

        Raises:
            InputError: it is another run's (names the first key that differs).
        """
        file = self.folder / "config.json"
        if not file.exists():
            if self.folder.is_dir() and any(self.folder.glob("[!.]*")):
                raise InputError(f"{self.folder} is not empty and no run of this kind; choose another output folder")
            return
        try:
            theirs = json.loads(file.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not a configuration: {error}; choose another output folder") from None
        mine = self._plain()
        for key in sorted(mine.keys() | theirs.keys()):
            if key not in ELSEWHERE and mine.get(key) != theirs.get(key):
                raise InputError(
                    f"{self.folder} is the folder of another run: {key} is {mine.get(key)!r}, the run there has "
                    f"{theirs.get(key)!r}; choose another one"
                )

    def claim(self) -> None:
        """Make the folder this run's."""
        file = self.folder / "config.json"
        if not file.exists():
            write_text(file, json.dumps(self._plain(), indent=1, sort_keys=True))

    def _plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = json.loads(json.dumps(to_plain(self.config)))
        return plain

    def checkpoint(self, iteration: int) -> Path:
        """Where the checkpoint after `iteration` updates is."""
        return self.folder / "checkpoints" / f"{iteration:08d}"

    def _all(self) -> list[Path]:
        return sorted(p for p in (self.folder / "checkpoints").glob("*") if _NAME.fullmatch(p.name))

    def latest(self) -> tuple[int, Path] | None:
        """The newest checkpoint and its iteration."""
        found = self._all()
        return (int(found[-1].name), found[-1]) if found else None

    def save(self, algorithm: Finetuner, agent: Agent) -> Path:
        """Write the agent with everything that is needed to go on; heads that RL does not use stay as they were."""
        weights = algorithm.weights()
        state = agent.state_dict()
        for name, value in weights.items():
            part, _, key = name.partition(".")
            if part == "policy" and key in state:
                state[key] = torch.from_numpy(np.array(value))
        agent.load_state_dict(state)
        path = self.checkpoint(algorithm.update_index)
        training = {
            "iteration": algorithm.update_index,
            "kl_coefficient": self.config.ppo.kl_at(algorithm.update_index),
            "critic": {name.partition(".")[2]: value for name, value in weights.items() if name.startswith("critic.")},
            "optimizers": algorithm.optimizer_state(),
        }
        save_agent(agent, path, training)
        for old in self._all()[: -self.config.keep]:
            shutil.rmtree(old)
        return path
