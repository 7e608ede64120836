"""`trunkline tasks`: manifests are made, shown and verified."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.commands.common import asks_for_help, configure, draw_manifest, say
from trunkline.envs.manifest import Manifest
from trunkline.errors import InputError, unknown
from trunkline.rollout.progress import PLAIN_SECONDS


@dataclass(frozen=True)
class SampleCommand:
    """Draw TaskSpecs into a manifest.

    Attributes:
        out: file of the manifest.
        tasks: "family/task" of each.
        count: TaskSpecs of each task.
        split: they are drawn from; `trunkline envs list` names each task's.
        seed: of the draw.
    """

    out: str
    tasks: tuple[str, ...] = ()
    count: int = 100
    split: str = "train"
    seed: int = 0


@dataclass(frozen=True)
class SynthesizeCommand:
    """Make Minecraft TaskSpecs.

    Attributes:
        out: file of the manifest.
        count: TaskSpecs in all, shared equally between the tasks.
        split: they are drawn from, e.g. "train" or "test/biome".
        seed: of the draw.
        tasks: minecraft/approach, break, interact, hunt, shoot, place; empty for all six.
        size: blocks (nx, ny, nz) of the worlds; empty for the usual size.
    """

    out: str
    count: int = 1000
    tasks: tuple[str, ...] = ()
    split: str = "train"
    seed: int = 0
    size: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.seed < 0 or self.count < 1:
            raise InputError(f"count={self.count}: at least 1; seed={self.seed}: at least 0")
        if len(set(self.tasks)) < len(self.tasks):
            raise InputError(f"tasks={list(self.tasks)}: one of them is named twice")
        if self.size and len(self.size) != 3:
            raise InputError(f"size={list(self.size)}; three numbers of blocks are needed, e.g. size=[64,48,64]")


def main(arguments: Sequence[str]) -> None:
    """`sample key=value …`, `synthesize key=value …`, `show FILE` or `verify FILE`."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb == "sample":
        _sample(rest)
    elif verb == "synthesize":
        _synthesize(rest)
    elif verb in ("show", "verify"):
        if asks_for_help(rest):
            say(f"usage: trunkline tasks {verb} FILE")
            return
        if len(rest) != 1:
            raise InputError(f"usage: trunkline tasks {verb} FILE")
        manifest = Manifest.load(rest[0])
        say(f"{rest[0]}: {len(manifest)} tasks, sha256 {manifest.sha256}, intact")
        if verb == "show":
            _show(manifest)
    else:
        raise unknown("tasks command", verb, ["sample", "synthesize", "show", "verify"])


def _sample(arguments: Sequence[str]) -> None:
    command = configure(SampleCommand, "tasks", arguments, "tasks sample")
    if command is None:
        return
    _save(draw_manifest(command.tasks, command.count, command.split, command.seed), command.out)


def _synthesize(arguments: Sequence[str]) -> None:
    command = configure(SynthesizeCommand, "tasks", _without_dashes(arguments), "tasks synthesize")
    if command is None:
        return
    if Path(command.out).exists():
        raise InputError(f"{command.out} is there already; choose another out=…, or delete it")
    from trunkline.envs.minecraft.goals import INTERACTIONS
    from trunkline.envs.minecraft.synthesis import synthesize
    from trunkline.envs.minecraft.tasks import SIZE

    names = command.tasks or INTERACTIONS
    for name in names:
        if name.removeprefix("minecraft/") not in INTERACTIONS:
            raise unknown("task to synthesise", name, [f"minecraft/{task}" for task in INTERACTIONS])
    each, rest = divmod(command.count, len(names))
    counts = {name.removeprefix("minecraft/"): each + (i < rest) for i, name in enumerate(names)}
    begun = said = time.monotonic()

    def progress(done: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= PLAIN_SECONDS:
            said = now
            say(f"{done} of {command.count} tasks, {done / (now - begun):.0f} a second")

    nx, ny, nz = command.size or SIZE
    specs = synthesize(counts, command.seed, command.split, (nx, ny, nz), progress)
    _save(Manifest(tuple(spec for some in specs.values() for spec in some)), command.out)


def _without_dashes(arguments: Sequence[str]) -> list[str]:
    """`--count 100` and `--count=100` as `count=100`."""
    plain: list[str] = []
    waiting = ""
    for argument in arguments:
        if waiting:
            argument, waiting = f"{waiting}={argument}", ""
        elif argument.startswith("--") and argument != "--help":
            argument = argument.removeprefix("--")
            if "=" not in argument:
                waiting = argument
                continue
        plain.append(argument)
    return [*plain, f"--{waiting}"] if waiting else plain


def _save(manifest: Manifest, out: str) -> None:
    if Path(out).exists() and Manifest.load(out).sha256 != manifest.sha256:
        raise InputError(f"{out} holds another manifest; choose another out=…, or delete it")
    manifest.save(out)
    say(f"{out}: {len(manifest)} tasks, sha256 {manifest.sha256}")


def _show(manifest: Manifest) -> None:
    counts = Counter((spec.task, spec.split) for spec in manifest)
    for (task, split), count in counts.items():
        first = next(spec for spec in manifest if (spec.task, spec.split) == (task, split))
        say(f"  {task:<24} {split:<18} {count:>6}   first: {first.id} {dict(first.params)}")
