"""What an insertion benchmark measured: every arm's success with every connector, from `<run>/insertion/`."""

from collections import Counter
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
        counts: Counter[int] = Counter()
        places: dict[str, tuple[int, int]] = {}  # of a TaskSpec: its connector, and its column among those
        for spec in manifest:
            pins = int(spec.params["pins"])
            places[spec.id] = pins, counts[pins]
            counts[pins] += 1
        self.pins = tuple(sorted(counts))
        self._runs: dict[str, dict[int, dict[int, np.ndarray]]] = {}  # success by arm, seed and connector
        for row in read_results(folder / "results.parquet"):
            if row["manifest"] != manifest.sha256:
                raise InputError(f"{folder / 'results.parquet'} is of another manifest than manifests/test.json")
            pins, column = places[row["task_id"]]
            of_seed = self._runs.setdefault(row["arm"], {}).setdefault(row["train_seed"], {})
            values = of_seed.setdefault(pins, np.full(counts[pins], np.nan))
            if row["lost"] is None:
                values[column] = row["success"]

    @property
    def sensors(self) -> list[str]:
        """On the pads, those that have been evaluated."""
        between = [arm.partition(".")[2].rpartition(".")[0] for arm in self._runs]  # of "arm.sensor.stage"
        return list(dict.fromkeys(filter(None, between)))

    @property
    def stages(self) -> list[str]:
        """Of training, in their order."""
        last = {arm.split(".")[-1] for arm in self._runs}
        return [stage for stage in STAGES if stage in last]

    def scores(self, arm: str, sensor: str, stage: str, pins: int | None = None) -> Scores | None:
        """What an arm's runs reached with one connector or with all, as equal parts; None if it was not evaluated."""
        name = arm if arm in REFERENCES else f"{arm}.{stage}" if arm == "no_touch" else f"{arm}.{sensor}.{stage}"
        wanted = self.pins if pins is None else (pins,)
        seeds = [of for of in self._runs.get(name, {}).values() if all(_any_episode(of.get(p)) for p in wanted)]
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


def _any_episode(values: np.ndarray | None) -> bool:
    return values is not None and not np.isnan(values).all()
