"""A run's folder: whose it is, its checkpoints, and the latest of them.

<folder>/config.json, metrics.jsonl, TensorBoard events, checkpoints/step_<8 digits>/
"""

import json
import re
import shutil
from pathlib import Path

from trunkline.errors import InputError
from trunkline.files import write_text
from trunkline.pretrain.config import PretrainConfig

_NAME = re.compile(r"step_(\d{8})")


class RunFolder:
    """The folder of one pretraining run.

    Args:
        path: made if it does not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def check(self, config: PretrainConfig) -> None:
        """See that the folder is this run's, or free.

        Raises:
            InputError: it is another run's (names the first key that differs), or holds something else.
        """
        file = self.path / "config.json"
        if not file.exists():
            if self.path.is_dir() and any(self.path.glob("[!.]*")):
                raise InputError(f"{self.path} is not empty and no run of this kind; choose another output folder")
            return
        try:
            other = json.loads(file.read_text())
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{file} is not a configuration: {error}; choose another output folder") from None
        difference = config.difference(other if isinstance(other, dict) else {})
        if difference is not None:
            raise InputError(f"{self.path} is the folder of another run: {difference}; choose another one")

    def claim(self, config: PretrainConfig) -> None:
        """Make the folder this run's."""
        self.path.mkdir(parents=True, exist_ok=True)
        write_text(self.path / "config.json", json.dumps(config.to_json(), indent=1, sort_keys=True))

    def checkpoint(self, step: int) -> Path:
        """Where the checkpoint after `step` updates is."""
        return self.path / "checkpoints" / f"step_{step:08d}"

    def latest(self) -> tuple[int, Path] | None:
        """The newest checkpoint and its step, or None."""
        folder = self.path / "checkpoints"
        found = [(int(m[1]), p) for p in folder.glob("step_*") if (m := _NAME.fullmatch(p.name))]
        return max(found, default=None)

    def prune(self, keep: int) -> None:
        """Remove all but the newest `keep` checkpoints."""
        folder = self.path / "checkpoints"
        for old in sorted(p for p in folder.glob("step_*") if _NAME.fullmatch(p.name))[:-keep]:
            shutil.rmtree(old)
