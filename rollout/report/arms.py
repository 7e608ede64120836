"""The words and colours of the report: arms (what was compared) and axes (what was new to them)."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """How an arm is shown.

    Attributes:
        label: its name for people.
        light, dark: its colour on a light and on a dark page; at least 3:1 against both backgrounds.
        dash: SVG dash pattern of its lines, so that they differ without colour too.
        trained: whether it has training seeds to speak of.
    """

    label: str
    light: str
    dark: str
    dash: str = ""
    trained: bool = True


# In the order they are shown.
ARMS: dict[str, Arm] = {
    "pretrained_rl": Arm("Pretrained + RL", "#0b62b0", "#5aa9f0"),
    "rl_scratch": Arm("RL from scratch", "#c2500a", "#f0934e", "7 3"),
    "imitation": Arm("Pretrained + imitation", "#0a7a5c", "#3fbf97"),
    "imitation_scratch": Arm("Imitation from scratch", "#8a6a00", "#d6b13a", "7 3"),
    "pretrained_rl_goal_masked": Arm("Pretrained + RL, goal masked", "#7d52a8", "#b994e0", "2 3"),
    "pretrained_rl_wrong_goal": Arm("Pretrained + RL, wrong goal", "#a8326b", "#e884b4", "2 3"),
    "expert": Arm("Scripted expert", "#4a5160", "#aab2c0", "1 3", trained=False),
    "random": Arm("Random", "#777d88", "#858c99", "1 3", trained=False),
}
# What a full evaluation shows side by side.
PROTOCOL = tuple(name for name in ARMS if name not in ("imitation_scratch", "pretrained_rl_wrong_goal"))
_SPARE = (("#a8326b", "#e884b4"), ("#1f7a8c", "#5cc3d6"), ("#5b6f1a", "#a9c04f"), ("#8c4a3c", "#d99a8b"))


@dataclass(frozen=True)
class Axis:
    """How an axis of novelty is shown: a title, and the end of "… solves 71% of …"."""

    title: str
    of: str


AXES: dict[str, Axis] = {
    "goal": Axis("Unseen goals", "goals it never saw"),
    "object": Axis("Unseen objects", "episodes with objects it never saw"),
    "world": Axis("Unseen worlds", "episodes in worlds it never saw"),
    "biome": Axis("Unseen biome", "episodes in a biome it never saw"),
    "target": Axis("Unseen targets", "episodes with targets it never saw"),
    "distance": Axis("Longer distances", "episodes from farther away than in training"),
    "view": Axis("Other sides", "episodes whose goal is shown from another side"),
    "occlusion": Axis("Hidden targets", "episodes that begin with the target out of sight"),
    "all": Axis("All of these together", "episodes with all of these at once"),
    "engine": Axis("Another engine", "episodes on another engine, in worlds it never saw"),
    "task": Axis("Unseen task", "episodes of a task it never trained on"),
    "seen": Axis("Seen in training", "the contexts it trained on"),
}


def arm(name: str) -> Arm:
    """How to show an arm; one that is not known gets its own name and a spare colour."""
    if name in ARMS:
        return ARMS[name]
    light, dark = _SPARE[sum(name.encode()) % len(_SPARE)]
    return Arm(name.replace("_", " "), light, dark, "4 2")


def axis(name: str) -> Axis:
    """How to show an axis of novelty, known or not."""
    return AXES.get(name, Axis(f"Unseen {name.replace('_', ' ')}", f"episodes with an unseen {name.replace('_', ' ')}"))


def order(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """The names without repeats, the known ones in their order, then the others sorted."""
    present, first = set(names), list(known)
    return [name for name in first if name in present] + sorted(present.difference(first))
