"""What an insertion benchmark measured: every arm's success with every connector, from `<run>/insertion/`."""

from pathlib import Path

import numpy as np

from trunkline.envs.manifest import Manifest
from trunkline.errors import InputError
from trunkline.rollout.insertion.config import ARMS
from trunkline.rollout.insertion.plan import STAGES
from trunkline.rollout.results import read_results
from trunkline.rollout.statistics import Interval, Scores, difference, estimate

REFERENCES = ("expert", "random")


class InsertionResults:
    """Success rates with intervals, over training seeds and contexts.

    Args:
        folder: of the part.

    Raises:
        InputError: a results table or manifest that is damaged, or not of each other.
    """

    def __init__(self, folder: Path) -> None:
        manifest = Manifest.load(folder / "manifests" / "test.json")
        self.pins = tuple(sorted({int(spec.params["pins"]) for spec in manifest}))
        places = {spec.id: (int(spec.params["pins"]), index) for index, spec in enumerate(manifest)}
        of_pins = {pins: [i for p, i in places.values() if p == pins] for pins in self.pins}
        column = {i: of.index(i) for of in of_pins.values() for i in of}
        found: dict[str, dict[int, dict[int, np.ndarray]]] = {}
        for row in read_results(folder / "results.parquet"):
            if row["manifest"] != manifest.sha256:
                raise InputError(f"{folder / 'results.parquet'} is of another manifest than manifests/test.json")
            pins, index = places[row["task_id"]]
            of_arm = found.setdefault(row["arm"], {}).setdefault(row["train_seed"], {})
            values = of_arm.setdefault(pins, np.full(len(of_pins[pins]), np.nan))
            if row["lost"] is None:
                values[column[index]] = row["success"]
        self._found = found

    @property
    def sensors(self) -> list[str]:
        """On the pads, those that have been evaluated."""
        names = [arm.split(".") for arm in self._found]
        return list(dict.fromkeys(parts[1] for parts in names if len(parts) == 3))

    @property
    def stages(self) -> list[str]:
        """Of training, in their order."""
        last = {arm.split(".")[-1] for arm in self._found}
        return [stage for stage in STAGES if stage in last]

    def scores(self, arm: str, sensor: str, stage: str, pins: int | None = None) -> Scores | None:
        """What an arm's runs reached with one connector or with all, as equal parts; None if it was not evaluated."""
        name = arm if arm in REFERENCES else f"{arm}.{stage}" if arm == "no_touch" else f"{arm}.{sensor}.{stage}"
        wanted = self.pins if pins is None else (pins,)
        seeds = [of for of in self._found.get(name, {}).values() if all(p in of for p in wanted)]
        if not seeds:
            return None
        values = tuple(np.stack([of[p] for of in seeds]) for p in wanted)
        return Scores(name, values, tuple(f"{p} pins" for p in wanted))

    def success(self, arm: str, sensor: str, stage: str, pins: int | None = None) -> Interval | None:
        """A success rate."""
        scores = self.scores(arm, sensor, stage, pins)
        return None if scores is None else estimate(scores)

    def margin(self, over: str, sensor: str, stage: str) -> Interval | None:
        """How much more often the pretrained T3 succeeds than another arm, over all connectors."""
        ours, other = (self.scores(arm, sensor, stage) for arm in ("pretrained", over))
        return None if ours is None or other is None else difference(ours, other)

    def arms(self, sensor: str, stage: str) -> list[str]:
        """Arms that have been evaluated there, the references last."""
        return [arm for arm in (*ARMS, *REFERENCES) if self.scores(arm, sensor, stage)]
