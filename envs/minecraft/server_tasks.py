"""Which of the Minecraft tasks a protocol server can play."""

from dataclasses import replace

from trunkline.envs.minecraft.goals import FAMILY, INTERACTIONS, parse_state
from trunkline.envs.minecraft.targets import BLOCKS
from trunkline.envs.minecraft.tasks import SPLITS, context
from trunkline.envs.minecraft.terrains import terrain_blocks
from trunkline.envs.spec import TaskSpec
from trunkline.errors import InputError

SERVER_FAMILY = "minecraft_server"
LEFT_OUT = {"shoot": "flying-squid has no bows: nothing happens when one is drawn"}
TASKS = tuple(name for name in INTERACTIONS if name not in LEFT_OUT)
USED = ("chest",)  # blocks that the server knows how to use; it has no doors, levers, crafting tables or furnaces
ENGINE, OF_ENGINE = "test/engine", "test/world"  # the server is what is new; else as in unseen worlds
_MOST = 64  # times as many TaskSpecs are drawn, at most, to find those that can be played


def server_splits(task: str) -> tuple[str, ...]:
    """The splits of a task that have anything that can be played."""
    if task != "interact":
        return *SPLITS, ENGINE
    return *(split for split in SPLITS if set(BLOCKS[task][context(split).targets]) & set(USED)), ENGINE


def in_voxels(spec: TaskSpec) -> TaskSpec:
    """The TaskSpec of the family `minecraft` that one of a server is."""
    name = spec.task.partition("/")[2]
    return replace(spec, task=f"{FAMILY}/{name}", split=OF_ENGINE if spec.split == ENGINE else spec.split)


def sample(task: str, count: int, seed: int, split: str) -> list[TaskSpec]:
    """`count` TaskSpecs: those of family `minecraft` that a server can play, in their order.

    Raises:
        InputError: nothing that can be played is among them.
    """
    if split not in server_splits(task):
        raise InputError(
            f"split {split} of {SERVER_FAMILY}/{task}: none of its targets can be used there, only {', '.join(USED)}"
        )
    from trunkline.envs.minecraft.synthesis import synthesize

    drawn = count
    while drawn <= _MOST * max(count, 16):
        specs = synthesize({task: drawn}, seed, OF_ENGINE if split == ENGINE else split)[task]
        found = [replace(spec, task=f"{SERVER_FAMILY}/{task}", split=split) for spec in specs if playable(spec)]
        if len(found) >= count:
            return found[:count]
        drawn = 2 * drawn + 16
    raise InputError(f"{SERVER_FAMILY}/{task}: fewer than {count} TaskSpecs of seed {seed} can be played there")


def playable(spec: TaskSpec) -> bool:
    """Whether a server can play a TaskSpec: a block to be used must be a chest with air above it."""
    if not spec.task.endswith("/interact"):
        return True
    target = spec.params["target"]
    if target["block"] not in USED:
        return False
    x, y, z = target["cell"]
    params = spec.params
    for i, j, k, name in params["blocks"]:
        if (i, j, k) == (x, y + 1, z):
            return parse_state(name) == 0
    size = tuple(params["size"])
    return bool(y + 1 >= size[1] or terrain_blocks(params["world"], params["biome"], size)[x, z, y + 1] == 0)
