"""`trunkline tasks`: manifests are made, shown and verified."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trunkline.commands.common import asks_for_help, configure, draw_manifest, say
from trunkline.envs.manifest import Manifest
from trunkline.errors import InputError, unknown


@dataclass(frozen=True)
class SampleCommand:
    """Draw `count` TaskSpecs of each task and split into the manifest `out`."""

    out: str
    tasks: tuple[str, ...] = ()
    count: int = 100
    split: str = "train"
    seed: int = 0


def main(arguments: Sequence[str]) -> None:
    """`sample key=value …`, `show FILE` or `verify FILE`."""
    verb, rest = (arguments[0], arguments[1:]) if arguments else ("", [])
    if verb == "sample":
        _sample(rest)
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
        raise unknown("tasks command", verb, ["sample", "show", "verify"])


def _sample(arguments: Sequence[str]) -> None:
    command = configure(SampleCommand, "tasks", arguments, "tasks sample")
    if command is None:
        return
    manifest = draw_manifest(command.tasks, command.count, command.split, command.seed)
    if Path(command.out).exists() and Manifest.load(command.out).sha256 != manifest.sha256:
        raise InputError(f"{command.out} holds another manifest; choose another out=…, or delete it")
    manifest.save(command.out)
    say(f"{command.out}: {len(manifest)} tasks, sha256 {manifest.sha256}")


def _show(manifest: Manifest) -> None:
    counts = Counter((spec.task, spec.split) for spec in manifest)
    for (task, split), count in counts.items():
        first = next(spec for spec in manifest if (spec.task, spec.split) == (task, split))
        say(f"  {task:<24} {split:<18} {count:>6}   first: {first.id} {dict(first.params)}")
