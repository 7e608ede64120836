"""`trunkline collect`: episodes of several tasks into one collection."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from trunkline.commands.common import RaySettings, configure, draw_manifest, say
from trunkline.envs.manifest import Manifest
from trunkline.rollout.collect import CollectConfig, collect


@dataclass(frozen=True)
class CollectCommand:
    """Collect `episodes` TaskSpecs of each task, or those of `manifest`, into the folder `out`.

    Attributes:
        out: folder of the collection; the same command with the same folder goes on.
        tasks: "family/task" of each.
        episodes: TaskSpecs of each task.
        split: they are drawn from, e.g. "train" or "test/goal".
        seed: of the draw.
        manifest: a file of TaskSpecs, instead of a draw.
        sensors: what is recorded, by family; families not named record their default ones.
        collect: how.
    """

    out: str
    tasks: tuple[str, ...] = ()
    episodes: int = 100
    split: str = "train"
    seed: int = 0
    manifest: str | None = None
    sensors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    collect: CollectConfig = field(default_factory=CollectConfig)
    ray: RaySettings = field(default_factory=RaySettings)


def main(arguments: Sequence[str]) -> None:
    """Collect, or go on collecting."""
    command = configure(CollectCommand, "collect", arguments)
    if command is None:
        return
    manifest = (
        Manifest.load(command.manifest)
        if command.manifest
        else draw_manifest(command.tasks, command.episodes, command.split, command.seed)
    )
    with command.ray.session() if command.collect.pool.actors else nullcontext():
        result = collect(manifest, command.out, command.collect, sensors=command.sensors or None)
    say(str(result))
