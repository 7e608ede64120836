"""MineDojo's programmatic tasks: what their names ask for, when they are solved and what is rewarded."""

import functools
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from trunkline.envs.minecraft.blocks import block_states, load
from trunkline.envs.minecraft.dojo.commands import mob_kind
from trunkline.envs.minecraft.dojo.names import (
    HAND,
    InventoryItem,
    NotSimulatedError,
    item_names,
    item_number,
    not_simulated,
    our_biome,
)
from trunkline.envs.minecraft.dojo.options import DAY
from trunkline.envs.minecraft.entities import ENTITIES
from trunkline.envs.minecraft.items import items
from trunkline.envs.minecraft.recipes import recipes
from trunkline.errors import InputError, unknown

META_TASKS = ("open-ended", "harvest", "combat", "techtree", "survival")
_TOOLS = ("pickaxe", "axe", "hoe", "sword", "shovel")
_NIGHT, _MIDNIGHT = 13000, 18000
_HARVEST_SPREAD, _COMBAT_SPREAD = 10, 7  # blocks within which mobs are put

Info = Mapping[str, Any]
Measure = Callable[[Info], float]


def carried(name: str) -> Measure:
    """How many pieces of an item are in the inventory."""
    return lambda info: sum(slot["quantity"] for slot in info["inventory"] if slot["name"] == name)


def killed(name: str) -> Measure:
    """How many mobs of a kind the agent has killed."""
    return lambda info: float(info["stat"]["kill_entity"][name])


def used(name: str) -> Measure:
    """How often the agent has used an item."""
    return lambda info: float(info["stat"]["use_item"]["minecraft"][name])


def days(info: Info) -> float:
    """Whole days since the agent died."""
    return float(info["stat"]["time_since_death"] // DAY)


@dataclass(frozen=True)
class Task:
    """What is asked for.

    Attributes:
        prompt: in words.
        goals: measures, and by how much each must have grown since the first observation; all of them.
        rewards: measures, and what each unit of their growth in a step is worth.
        bonus: paid on success beside that.
        mobs: kinds that are put near the agent when an episode begins.
        low: corner of the box of offsets in which they are put.
        high: the opposite corner.
    """

    prompt: str = ""
    goals: tuple[tuple[Measure, float], ...] = ()
    rewards: tuple[tuple[Measure, float], ...] = ()
    bonus: float = 0.0
    mobs: tuple[str, ...] = ()
    low: tuple[float, float, float] = (0, 0, 0)
    high: tuple[float, float, float] = (0, 0, 0)

    def solved(self, first: Info, now: Info) -> bool:
        """Whether all goals are reached; never without goals."""
        return bool(self.goals) and all(measure(now) - measure(first) >= wanted for measure, wanted in self.goals)

    def reward(self, before: Info, now: Info, solved: bool) -> float:
        """Of one step."""
        grown = sum(weight * (measure(now) - measure(before)) for measure, weight in self.rewards)
        return float(grown + (self.bonus if solved else 0.0))


@functools.cache
def _data() -> Any:
    return load("minedojo_tasks")


def _filled(template: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every name that a template makes, and the words in it."""
    parts = list(dict.fromkeys(re.findall(r"{(\w+)}", template)))
    for chosen in itertools.product(*(_data()["words"][part] for part in parts)):
        words = dict(zip(parts, chosen, strict=True))
        yield template.format(**words), words


@functools.cache
def programmatic_tasks() -> dict[str, tuple[str, dict[str, Any]]]:
    """MineDojo's 1572 programmatic tasks by name: the kind, and the fields of its template with the words put in."""
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for kind in ("combat", "harvest", "techtree", "survival"):
        for template, fields in _data()[kind].items():
            endings = [""]
            if kind == "combat":
                endings = [_data()["suit"][1:]] * ("suit" in fields) + ["barehand"] * ("bare" in fields)
            for ending in endings:
                for name, words in _filled(template + ending):
                    found[name] = kind, _put_in(fields, words) | {"n": words.get("n", 1), "armed": "_armors_" in ending}
    return found


def _put_in(value: Any, words: Mapping[str, Any]) -> Any:
    if isinstance(value, str):
        return value.format(**words, what="{what}")
    if isinstance(value, dict):
        return {key: _put_in(part, words) for key, part in value.items()}
    return [_put_in(part, words) for part in value] if isinstance(value, list) else value


@functools.cache
def natural_blocks() -> frozenset[str]:
    """Names of the blocks that terrain and its huts are made of, but for air, liquids and bedrock."""
    return frozenset(_data()["natural"])


@functools.cache
def obtainable() -> frozenset[int]:
    """Our items that an agent can come by: drops of natural blocks and of mobs, and what is made of them."""
    natural = [state for state in block_states() if state.name in natural_blocks()]
    names = {drop.item for state in natural for drop in state.drops}
    names |= {state.item for state in natural if state.shears}
    names |= {loot.item for entity in ENTITIES for loot in entity.loot}
    found = {thing.number for thing in items() if thing.name in names}
    while True:
        more = {r.item for r in recipes() if all(found & set(members) for members, _ in r.ingredients)} - found
        if not more:
            return frozenset(found)
        found |= more


def _target(name: str) -> str:
    """An item's name, once it is known that agents can come by it."""
    item_number(name)
    if not any(item_names()[number][0] == name for number in obtainable()):
        raise NotSimulatedError(f"item {name!r} cannot be obtained in the voxel worlds")
    return name


def _named(targets: str | Sequence[str], values: Any, what: str) -> dict[str, float]:
    """A number for each target; one number stands for all."""
    names = [targets] if isinstance(targets, str) else list(targets)
    if isinstance(values, (int, float)):
        return {name: values for name in names}
    pairs = dict(values) if isinstance(values, Mapping) else dict(zip(names, values, strict=False))
    if set(pairs) != set(names):
        raise InputError(f"{what}={values!r}: give one for each of {', '.join(names)}")
    return pairs


def _counted(targets: Mapping[str, float]) -> str:
    return ", ".join(f"{count:g} {name.replace('_', ' ')}" for name, count in targets.items())


def meta_task(kind: str, arguments: dict[str, Any]) -> tuple[Task, dict[str, Any]]:
    """A task of one of MineDojo's kinds.

    Args:
        kind: one of META_TASKS.
        arguments: MineDojo's keyword arguments of that kind.

    Returns:
        The task, and the arguments that are left for `options.read_options`.

    Raises:
        InputError: arguments that make no sense or are missing.
        NotSimulatedError: targets that the voxel worlds have not.
    """
    rest = dict(arguments)
    if kind == "open-ended":
        return Task(), rest
    rest.setdefault("fast_reset", True)
    if kind not in META_TASKS:
        raise unknown("task", kind, META_TASKS)
    try:
        if kind == "survival":
            return _survival(rest), rest
        task = {"harvest": _harvest, "combat": _combat, "techtree": _tech_tree}[kind](rest)
    except KeyError as error:
        raise InputError(f"task {kind!r} needs the argument {error.args[0]}") from None
    return task, rest


def _mobs(rest: dict[str, Any]) -> dict[str, Any]:
    """The fields of a task that say which mobs are put where."""
    if rest.pop("spawn_rate", None) is not None:
        raise NotSimulatedError("spawn_rate is not simulated; use initial_mobs")
    rest.pop("spawn_range_low", None), rest.pop("spawn_range_high", None)
    mobs = rest.pop("initial_mobs", None) or ()
    mobs = (mobs,) if isinstance(mobs, str) else tuple(mobs)
    for mob in mobs:
        mob_kind(mob)
    low, high = (rest.pop(f"initial_mob_spawn_range_{end}", None) for end in ("low", "high"))
    if mobs and (low is None or high is None or len(low) != 3 or len(high) != 3):
        raise InputError("initial_mobs needs initial_mob_spawn_range_low and _high, three numbers each")
    return {"mobs": mobs, "low": tuple(low), "high": tuple(high)} if mobs else {}


def _harvest(rest: dict[str, Any]) -> Task:
    names = rest.pop("target_names")
    wanted = _named(names, rest.pop("target_quantities"), "target_quantities")
    weights = _named(names, rest.pop("reward_weights", 1.0), "reward_weights")
    if rest.pop("start_at_night", False):
        rest["start_time"] = _MIDNIGHT
    goals = tuple((carried(_target(name)), count) for name, count in wanted.items())
    rewards = tuple((carried(name), weight) for name, weight in weights.items())
    return Task(f"Harvest {_counted(wanted)}.", goals, rewards, **_mobs(rest))


def _combat(rest: dict[str, Any]) -> Task:
    names = rest.pop("target_names")
    wanted = _named(names, rest.pop("target_quantities"), "target_quantities")
    weights = _named(names, rest.pop("reward_weights", 1.0), "reward_weights")
    for name in wanted:
        mob_kind(name)
    if rest.pop("start_at_night", True):
        rest["start_time"] = _NIGHT
    if rest.pop("always_night", False):
        rest |= {"start_time": _MIDNIGHT, "allow_time_passage": False}
    goals = tuple((killed(name), count) for name, count in wanted.items())
    rewards = tuple((killed(name), weight) for name, weight in weights.items())
    return Task(f"Hunt {_counted(wanted)}.", goals, rewards, **_mobs(rest))


def _tech_tree(rest: dict[str, Any]) -> Task:
    tech, item = rest.pop("tech", None), rest.pop("tech_item", None)
    if (tech is None) == (item is None):
        raise InputError("task 'techtree' needs tech or tech_item, and not both")
    if tech is not None and tech not in _data()["levels"]:
        raise unknown("tech", tech, _data()["levels"])
    wanted = [item] if tech is None else _data()["levels"][tech]
    for name in wanted:
        thing = items()[item_number(_target(name))]
        if thing.tool == "hoe" or (thing.kind not in ("tool", "sword", "bow") and not thing.places):
            raise NotSimulatedError(f"using {name!r} is not simulated")
    got = _named(wanted, rest.pop("obtain_items_reward_weights", 1.0), "obtain_items_reward_weights")
    spent = _named(wanted, rest.pop("use_items_reward_weights", 10.0), "use_items_reward_weights")
    rewards = [(carried(name), weight) for name, weight in got.items()]
    rewards += [(used(name), weight) for name, weight in spent.items()]
    prompt = f"Unlock {(tech or item).replace('_', ' ')} technology."
    return Task(prompt, tuple((used(name), 1.0) for name in wanted), tuple(rewards), **_mobs(rest))


def _survival(rest: dict[str, Any]) -> Task:
    target, each = rest.pop("target_days"), rest.pop("per_day_reward", 1)
    if target <= 1:
        raise InputError(f"target_days={target}; choose more than 1")
    bonus = rest.pop("success_reward", None) or target * each
    return Task(f"Survive for {target} days.", ((days, target),), ((days, each),), bonus)


def named_task(name: str, arguments: dict[str, Any]) -> tuple[Task, dict[str, Any]]:
    """The task of a name of MineDojo's, as `meta_task`.

    Raises:
        InputError: MineDojo has no such task; with the nearest match.
        NotSimulatedError: a task that the voxel worlds cannot pose.
    """
    if name.lower() in META_TASKS and (arguments.get("target_days") or name not in programmatic_tasks()):
        return meta_task(name.lower(), arguments)
    if name.startswith("creative:") or name.lower() in ("playthrough", "creative"):
        raise NotSimulatedError(f"task {name!r} is not simulated: neither creative tasks nor the playthrough are")
    if name not in programmatic_tasks():
        raise not_found(name)
    kind, fields = programmatic_tasks()[name]
    try:
        task, rest = meta_task(kind, _arguments(kind, fields) | arguments)
        if rest.get("specified_biome") is not None:
            our_biome(rest["specified_biome"])
    except NotSimulatedError as error:
        raise NotSimulatedError(f"task {name!r}: {error}") from None
    if asked := fields.get("asks"):
        prompt = asked.replace("{what}", str(fields["what"])).replace("_", " ").replace(" 1 ", " ")
        task = replace(task, prompt=prompt)
    return task, rest


def not_found(name: str) -> InputError:
    """The error for a name that MineDojo does not know either, with the nearest that can be posed."""
    near = not_simulated("task", name, programmatic_tasks())
    return InputError(str(near).replace("is not simulated", "is none of MineDojo's"))


def _arguments(kind: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """MineDojo's keyword arguments of a programmatic task."""
    what = fields["what"]
    found: dict[str, Any] = {"use_voxel": True}
    if kind == "survival":
        found["target_days"] = what
    elif kind == "techtree":
        found["tech_item"] = what
    else:
        found |= {"target_names": what, "target_quantities": fields["n"] if kind == "harvest" else 1}
    if "biome" in fields:
        found["specified_biome"] = fields["biome"]
    mobs, spread = (what, _COMBAT_SPREAD) if kind == "combat" else (fields.get("mobs"), _HARVEST_SPREAD)
    if mobs:
        low, high = (-spread, 1, -spread), (spread, 1, spread)
        found |= {"initial_mobs": mobs, "initial_mob_spawn_range_low": low, "initial_mob_spawn_range_high": high}
    if kind == "combat":
        mob_kind(what)
        our_biome(fields["biome"])
        night = bool(fields.get("night"))
        found |= {"start_at_night": night, "always_night": night, "allow_mob_spawn": False}
        if fields["armed"]:
            raise NotSimulatedError("neither armour nor a shield is simulated; try its _barehand task, or 'combat'")
    holds = {slot: (item, 1) if isinstance(item, str) else item for slot, item in fields.get("holds", {}).items()}
    if "tools" in fields:
        holds = {slot: (f"{fields['tools']}_{tool}", 1) for slot, tool in enumerate(_TOOLS)}
    if holds:
        found["initial_inventory"] = [
            InventoryItem(slot=slot or HAND, name=name, quantity=count) for slot, (name, count) in holds.items()
        ]
    return found


@functools.cache
def simulated_tasks() -> tuple[str, ...]:
    """The programmatic tasks that the voxel worlds can pose."""
    found = []
    for name in programmatic_tasks():
        try:
            named_task(name, {})
        except NotSimulatedError:
            continue
        found.append(name)
    return tuple(found)


def __getattr__(name: str) -> list[str]:
    if name == "ALL_PROGRAMMATIC_TASK_IDS":  # MineDojo's name for them
        return list(simulated_tasks())
    remedy = "; the tasks that can be posed are in ALL_PROGRAMMATIC_TASK_IDS" if name.startswith("ALL_") else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{remedy}")
