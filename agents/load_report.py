"""What a checkpoint gave to an agent, and what it did not."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class LoadReport:
    """The outcome of a load, for people to read.

    Attributes:
        path: the checkpoint.
        loaded: parts that took tensors from it, and how many.
        differences: allowed differences by part, one line each.
        untouched: parts of the agent that kept the weights they had.
        unused: parts of the checkpoint that were not asked for.
        unseen: sensors of the agent that the given world lacks; they will be missing tokens.
    """

    path: str
    loaded: Mapping[str, int]
    differences: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    untouched: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"loaded {self.path}"]
        lines += [f"  {part}: {count} tensors" for part, count in self.loaded.items()]
        for part, differences in self.differences.items():
            lines += [f"  {part}: allowed: {line}" for line in differences]
        for text, names in (
            ("kept the weights they had", self.untouched),
            ("in the checkpoint, not used", self.unused),
            ("sensors the world lacks, missing tokens", self.unseen),
        ):
            if names:
                lines.append(f"  {text}: {', '.join(names)}")
        return "\n".join(lines)
