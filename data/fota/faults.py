"""Samples that cannot be used: named, counted and skipped, until they are too many."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from trunkline.errors import InputError

_log = logging.getLogger(__name__)
_NAMED = 10  # faults that are logged one by one; all are in `FaultLog.faults`


class BadSample(Exception):
    """Why a sample cannot be used; caught where the shard and the key are known."""


@dataclass(frozen=True)
class Fault:
    """One sample that cannot be used.

    Attributes:
        shard: path of the shard.
        key: of the sample; "@<offset>" where the damage has no name.
        reason: in words.
    """

    shard: str
    key: str
    reason: str

    def __str__(self) -> str:
        return f"{self.shard}: sample {self.key}: {self.reason}"


@dataclass(frozen=True)
class Tolerance:
    """How many bad samples are skipped before reading stops.

    Attributes:
        share: of the samples met; more of them stop it.
        least: bad samples that there must be for that.
    """

    share: float = 0.01
    least: int = 10

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.least < 1:
            raise InputError(f"tolerance share={self.share}, least={self.least}: share within [0, 1], least at least 1")


class FaultLog:
    """The bad samples of a stream, each counted once however often it is met.

    Args:
        tolerance: when to stop.

    Attributes:
        faults: in the order they were met.
        examined: samples in each shard opened so far, good and bad.
    """

    def __init__(self, tolerance: Tolerance) -> None:
        self.tolerance = tolerance
        self.faults: list[Fault] = []
        self.examined: dict[str, int] = {}
        self._known: set[tuple[str, str]] = set()

    def opened(self, shard: str, samples: int) -> None:
        """Note a shard and how many samples it holds."""
        self.examined[shard] = samples

    def add(self, faults: Iterable[Fault]) -> None:
        """Count bad samples.

        Raises:
            InputError: they are more than the tolerance.
        """
        for fault in faults:
            if (fault.shard, fault.key) in self._known:
                continue
            self._known.add((fault.shard, fault.key))
            self.faults.append(fault)
            if len(self.faults) <= _NAMED:
                _log.warning("skipped %s", fault)
        self.check()

    def check(self) -> None:
        """Stop where the tolerance is exceeded.

        Raises:
            InputError: with the count and the first of them.
        """
        bad, limit, of = len(self.faults), self.tolerance, sum(self.examined.values())
        if bad >= limit.least and bad > limit.share * of:
            raise InputError(
                f"{bad} of {of} samples are bad, more than {limit.share:.4g} of them; the first is {self.faults[0]}; "
                "restore the shards from their source, or allow more with `tolerance.share` and `tolerance.least`"
            )

    def state_dict(self) -> dict[str, Any]:
        """All of it, as a JSON value."""
        return {"examined": dict(self.examined), "faults": [[f.shard, f.key, f.reason] for f in self.faults]}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state."""
        self.examined = {str(shard): int(samples) for shard, samples in state["examined"].items()}
        self.faults = [Fault(*map(str, fault)) for fault in state["faults"]]
        self._known = {(fault.shard, fault.key) for fault in self.faults}
