"""`trunkline generate`: labelled touch, simulated."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trunkline.commands.common import RaySettings, configure, say
from trunkline.envs.mujoco.sensors import checked_image_size
from trunkline.envs.tactile.sensor import load_touch_sensor, touch_sensor_names
from trunkline.errors import InputError, unknown

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class GenerateTouch:
    """Feel contacts through several sensors; each gets a data set (FoTa shards) in `out`. The same command resumes.

    Attributes:
        out: folder of the data sets.
        seed: of the draws.
        sensors: of the catalogue, or YAML files of your own; empty for the whole catalogue.
        trials: contacts from touch-down to the end of a motion; each gives several frames.
        split: train, val or test; they share no trial.
        chunk: trials of a shard.
        image_size: pixels a side of optical sensors' frames.
    """

    out: Path
    sensors: tuple[str, ...] = ()
    trials: int = 200
    split: str = "train"
    seed: int = 0
    chunk: int = 50
    image_size: int = 64
    ray: RaySettings = field(default_factory=RaySettings)

    def __post_init__(self) -> None:
        if self.split not in SPLITS:
            raise unknown("split", self.split, SPLITS)
        if min(self.trials, self.chunk) < 1 or self.seed < 0:
            raise InputError(f"trials={self.trials}, chunk={self.chunk}: at least 1; seed={self.seed}: at least 0")
        checked_image_size(self.image_size)
        for sensor in self.sensors:
            load_touch_sensor(sensor)


def main(arguments: Sequence[str]) -> None:
    """`touch key=value …`."""
    what, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if what != "touch":
        raise unknown("generate", what, ["touch"])
    command = configure(GenerateTouch, "generate", rest, "generate touch")
    if command is None:
        return
    from trunkline.rollout.touch.generate import generate

    sensors = command.sensors or touch_sensor_names()
    options = {"seed": command.seed, "chunk": command.chunk, "image_size": command.image_size}
    with command.ray.session():
        samples = generate(command.out, command.split, command.trials, sensors, **options, say=say)
    say(f"{command.out}: {samples} samples of {len(sensors)} sensors, split {command.split}")
